"""Does the explanation of a score name the band and the time of the fault? Simulated clips, whose fault is known.

    python -m studies.explanations [--seeds 1000] [--size tiny] [--severity 1] [--systems texture frozen statistics]

Test clips with a fault, of the source, each twice: the fault all along the clip, whose band must be the one that
contributes most; and in one eighth of it alone, where it is loudest, which must be the interval that does. The fault's
band is that in which its energy is largest against that of the same clip without it. A fault is ``heard`` where it
raises the score of its clip by a standard deviation of the normal clips' scores; of others no explanation can tell. A
band is ``nearly`` right where the fault's ratio there is within 3 dB of the largest: ``chance`` are so many of all.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import soundfile
from scipy.fft import rfft

from asd.core.project import Project
from asd.datasets.dataset_params import SimulatedParams
from asd.detector import load_detector
from asd.explanation import BANDS, TIMES, band_edges, explain, shares
from asd.simulation.plan import Cell, Order, orders
from asd.simulation.signals import RATE
from asd.simulation.simulation import MACHINES, quantised, simulate
from asd.systems import Detector
from stages import score
from studies.shared import chosen, factory_options, kept, only, silent, simulated_params, study_parser
from studies.shared import table as markdown

UNTRAINED = ("texture", "frozen", "statistics")
NEARLY = 0.5  # of the largest ratio of fault and normal clip: 3 dB


def faulty(machine: str, params: SimulatedParams, severity: float, clips: int) -> Iterator[Order]:
    """Order the first test clips of a machine that have a fault, all of them equally severe."""
    for order in orders(MACHINES[machine], params, Cell("test", "source", 1), clips):
        yield order._replace(severity=severity / simulate(order).facts["severity"])


def in_bands(samples: np.ndarray) -> np.ndarray:
    """Compute the energy of a waveform ``(frames,)`` in the bands of an explanation."""
    edges, hz = band_edges(RATE), np.fft.rfftfreq(len(samples), 1 / RATE)
    return np.histogram(hz, edges, weights=np.abs(rfft(samples)) ** 2)[0]


def explained(detector: Detector, order: Order, folder: Path) -> dict[str, Any]:
    """Explain one clip with its fault all along, and in one interval; compare with the truth."""
    stems = simulate(order)
    normal, fault = (part[:, 0] for part in (stems.healthy + stems.noise, stems.fault))
    parts = fault * shares(np.arange(len(fault)), np.linspace(0, len(fault), TIMES + 1))
    when = int(np.square(parts).sum(axis=1).argmax())
    once = parts[when]
    whole, (clean, _) = _top(detector, normal + fault, order, folder), _scores(detector, normal, normal, order)
    in_time = _top(detector, normal + once, order, folder)
    ratio = in_bands(fault) / in_bands(normal)
    known = detector.scores.loc[detector.scores["machine"] == order.machine, "score"]
    heard = _scores(detector, normal + fault, normal + once, order) - clean > known.std()
    return {
        "kind": stems.facts["fault_kind"],
        "heard": heard[0],
        "band": whole["band"] == ratio.argmax(),
        "nearly": ratio[whole["band"]] >= NEARLY * ratio.max(),
        "chance": np.mean(ratio >= NEARLY * ratio.max()),
        "heard once": heard[1],
        "time": in_time["time"] == when,
    }


def _scores(detector: Detector, one: np.ndarray, other: np.ndarray, order: Order) -> np.ndarray:
    clips = [_as_recorded(samples) for samples in (one, other)]
    return detector.score_samples(clips, RATE, order.file, order.machine)["score"].to_numpy()


def _as_recorded(samples: np.ndarray) -> np.ndarray:
    return quantised(samples)[:, None].astype(np.float32) / 32768


def _top(detector: Detector, samples: np.ndarray, order: Order, folder: Path) -> dict[str, int]:
    """Give the numbers of the band and the interval that contribute most."""
    file = folder / "clip.wav"
    soundfile.write(file, quantised(samples), RATE, subtype="PCM_16")
    found = explain(detector, file, order.machine)
    return {kind: int(rows["contribution"].to_numpy().argmax()) for kind, rows in found.groupby("kind")}


def shown(found: pd.DataFrame) -> pd.DataFrame:
    """Tabulate shares of clips [%], by system and kind of fault: of all, and of those that are heard."""
    heard, once = found[found["heard"]], found[found["heard once"]]
    columns = {
        "clips": found.groupby(level=0).size(),
        **{name: 100 * found[name].groupby(level=0).mean() for name in ("heard", "band", "nearly", "chance")},
        "band, heard": 100 * heard["band"].groupby(level=0).mean(),
        "nearly, heard": 100 * heard["nearly"].groupby(level=0).mean(),
        "heard once": 100 * found["heard once"].groupby(level=0).mean(),
        "time": 100 * found["time"].groupby(level=0).mean(),
        "time, heard": 100 * once["time"].groupby(level=0).mean(),
    }
    return pd.DataFrame(columns)


def study(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Explain clips of every factory by every system."""
    found = []
    for seed in args.seeds:
        params = simulated_params(seed, args.machines, size=args.size)
        params["train"]["seeds"] = [0]
        with kept(f"explanations-{args.size}-{seed}", only(params, args.systems)), TemporaryDirectory() as folder:
            simulated = SimulatedParams(size=args.size, seed=seed)
            for system in args.systems:
                if not Project().scores(system).is_dir():
                    with silent():
                        score.main(system)
                detector = load_detector(Project(), system)
                for machine in chosen(args.machines):
                    wanted = faulty(machine, simulated, args.severity, args.clips)
                    found += [{"system": system, **explained(detector, one, Path(folder))} for one in wanted]
    return found


def main() -> None:
    """Print the table."""
    parser = factory_options(study_parser(__doc__), seeds=(1000,))
    parser.add_argument("--size", default="tiny", help="dataset.simulated.size")
    parser.add_argument("--clips", type=int, default=8, help="of each machine")
    parser.add_argument("--severity", type=float, default=1.0, help="of every fault; the factory's go from 0.3 to 1")
    parser.add_argument("--systems", nargs="+", default=list(UNTRAINED), help="of params.yaml")
    found = pd.DataFrame(study(parser.parse_args()))
    names = {"all": found["system"], "kind": found["system"] + ", " + found["kind"]}
    print(f"chance: band {100 / BANDS:.0f} %, time {100 / TIMES:.1f} %")
    print(markdown(pd.concat([shown(found.set_index(index)) for index in names.values()]).rename_axis("of faults")))


if __name__ == "__main__":
    main()
