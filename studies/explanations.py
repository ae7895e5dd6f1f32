"""Does the explanation of a score name the band and the time of the fault? Simulated clips, whose fault is known.

    python -m studies.explanations [--seeds 1000] [--size tiny] [--severity 1] [--systems texture frozen statistics]

Test clips with a fault, of the source, each three times: the whole fault; its part in one band alone, that in which its
energy is largest against that of the same clip without it; its part in one eighth of the time alone, where it is
loudest. The band, or the interval, that contributes most must be that one. A part is ``heard`` where it raises the
score of its clip by a standard deviation of the normal clips' scores; of others no explanation can tell. Of the whole
fault, which mostly is in several bands, the band is ``nearly`` right where the fault's ratio there is within 3 dB of
the largest: ``chance`` are so many of all.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import soundfile
from scipy.fft import irfft, rfft

from asd.core.project import Project
from asd.datasets.dataset_params import SimulatedParams
from asd.detector import load_detector
from asd.explanation import BANDS, TIMES, TO_MEL, band_edges, explain, shares
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
    """Explain one clip with its whole fault, its part in one band and that in one interval; compare with the truth."""
    stems = simulate(order)
    normal, fault = (part[:, 0] for part in (stems.healthy + stems.noise, stems.fault))
    ratio = in_bands(fault) / in_bands(normal)
    at, in_time = int(ratio.argmax()), fault * shares(np.arange(len(fault)), np.linspace(0, len(fault), TIMES + 1))
    when = int(np.square(in_time).sum(axis=1).argmax())
    clips = [normal + part for part in (fault, of_bands(fault)[at], in_time[when])]
    known = detector.scores.loc[detector.scores["machine"] == order.machine, "score"]
    clean, *scores = _scores(detector, [normal, *clips], order)
    heard = [bool(score - clean > known.std()) for score in scores]
    whole, one_band, one_time = (_top(detector, samples, order, folder) for samples in clips)
    return {
        "kind": stems.facts["fault_kind"],
        "heard": heard[0],
        "band": whole["band"] == at,
        "nearly": ratio[whole["band"]] >= NEARLY * ratio.max(),
        "chance": np.mean(ratio >= NEARLY * ratio.max()),
        "heard in one band": heard[1],
        "one band": one_band["band"] == at,
        "heard once": heard[2],
        "time": one_time["time"] == when,
    }


def of_bands(samples: np.ndarray) -> np.ndarray:
    """Divide a waveform ``(frames,)`` into the bands of an explanation: ``(bands, frames)``, which sum to it."""
    hz = np.fft.rfftfreq(len(samples), 1 / RATE)
    parts = shares(TO_MEL(hz), TO_MEL(band_edges(RATE))) * rfft(samples)
    return np.asarray(irfft(parts, len(samples), axis=1))


def _scores(detector: Detector, clips: list[np.ndarray], order: Order) -> np.ndarray:
    recorded = [_as_recorded(samples) for samples in clips]
    return detector.score_samples(recorded, RATE, order.file, order.machine)["score"].to_numpy()


def _as_recorded(samples: np.ndarray) -> np.ndarray:
    return quantised(samples)[:, None].astype(np.float32) / 32768


def _top(detector: Detector, samples: np.ndarray, order: Order, folder: Path) -> dict[str, int]:
    """Give the numbers of the band and the interval that contribute most."""
    file = folder / "clip.wav"
    soundfile.write(file, quantised(samples), RATE, subtype="PCM_16")
    found = explain(detector, file, order.machine)
    return {kind: int(rows["contribution"].to_numpy().argmax()) for kind, rows in found.groupby("kind")}


def shown(found: pd.DataFrame) -> pd.DataFrame:
    """Tabulate how many clips are heard and, of these, the shares [%] whose explanation is right, by the index."""

    def of(right: str, heard: str) -> pd.Series:
        return 100 * found[found[heard]].groupby(level=0)[right].mean()

    columns = {
        "clips": found.groupby(level=0).size(),
        **{name: found.groupby(level=0)[name].sum() for name in ("heard", "heard in one band", "heard once")},
        "band of the whole fault": of("band", "heard"),
        "nearly": of("nearly", "heard"),
        "chance": of("chance", "heard"),
        "one band": of("one band", "heard in one band"),
        "time": of("time", "heard once"),
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
