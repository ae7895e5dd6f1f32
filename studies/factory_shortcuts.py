"""Does anything but the fault tell anomalies from normal clips? See docs/simulated_factory.md.

    python -m studies.factory_shortcuts [--seeds 1000 1001 1002 1003 1004] [--machines all] [--clips 400]

For each machine and domain, as many normal and anomalous test clips of all seeds: the AUC of every statistic by itself,
in whichever direction. With 400 + 400 clips an AUC of no worth has a standard deviation of 0.020.
"""

import io

import numpy as np
import pandas as pd
import soundfile
from scipy.fft import rfft
from sklearn.metrics import roc_auc_score

from asd.base.compute import ComputeParams, parallel
from asd.datasets.params import SimulatedParams
from asd.datasets.simulated.plan import Cell, Order, orders
from asd.datasets.simulated.signals import RATE
from asd.datasets.simulated.simulation import MACHINES, quantised, simulate
from studies.factory import chosen, parser, table, verdict

EDGE = RATE // 100  # [samples]
HEADER = 44  # [bytes]
STRICT = (0.42, 0.58)
LOOSE = {"RMS", "centroid"}  # what a fault may well change, a little
LIMIT = 0.70


def statistics(order: Order) -> dict[str, float]:
    """Measure what is not meant to tell anything of one clip."""
    stems = simulate(order)
    samples = quantised(stems.healthy + stems.fault + stems.noise)
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, subtype="PCM_16", format="WAV")
    x, noise = samples[:, 0].astype(float), stems.noise[:, 0].astype(float)
    return {
        "length": float(len(file.getvalue())),
        "header": float(sum(file.getvalue()[:HEADER])),
        "DC": float(x.mean()),
        "first 10 ms": float(np.mean(x[:EDGE] ** 2)),
        "last 10 ms": float(np.mean(x[-EDGE:] ** 2)),
        "first against rest": float(np.mean(x[:EDGE] ** 2) / np.mean(x**2)),
        "last against rest": float(np.mean(x[-EDGE:] ** 2) / np.mean(x**2)),
        "noise RMS": float(np.mean(noise**2)),
        "noise centroid": centroid(noise),
        "RMS": float(np.mean(x**2)),
        "centroid": centroid(x),
    }


def centroid(samples: np.ndarray) -> float:
    """Compute the spectral centroid, in cycles a clip."""
    power = np.abs(rfft(samples)) ** 2
    return float(np.sum(np.arange(len(power)) * power) / np.sum(power))


def aucs(machine: str, domain: str, seeds: list[int], clips: int) -> dict[str, float]:
    """Compute every statistic's AUC, anomalous above normal; ``clips`` of each label, in equal parts of all seeds."""
    wanted: list[Order] = []
    for anomaly in (0, 1):
        for seed in seeds:
            params = SimulatedParams(size="default", seed=seed)
            wanted += orders(MACHINES[machine], params, Cell("test", domain, anomaly), clips // len(seeds))
    found = pd.DataFrame(parallel(statistics, wanted, ComputeParams()))
    label = [order.name.anomaly for order in wanted]
    return {name: float(roc_auc_score(label, found[name])) for name in found}


def main() -> None:
    """Print a table of machines and domains and the verdict."""
    made = parser(__doc__)
    made.add_argument("--clips", type=int, default=400, help="of each label, for each machine and domain")
    args = made.parse_args()
    rows = {}
    for machine in chosen(args.machines):
        for domain in ("source", "target"):
            rows[f"{machine} {domain}"] = aucs(machine, domain, args.seeds, args.clips)
    found = pd.DataFrame(rows).T
    print(table(found.rename_axis("clips"), digits=3), end="\n\n")
    limits = {name: (1 - LIMIT, LIMIT) if name in LOOSE else STRICT for name in found}
    ends = [(name, end) for name in found for end in ("min", "max")]
    verdict({f"{end} {name}": (found[name].agg(end), *limits[name]) for name, end in ends})


if __name__ == "__main__":
    main()
