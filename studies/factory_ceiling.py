"""How much of the simulated faults can be heard at all? See docs/simulated_factory.md.

    python -m studies.factory_ceiling [--seeds 1000] [--machines all] [--train 300] [--clips 50]

A supervised classifier for each machine, trained on other labelled clips of the same installations: the mean of the
probabilities of extremely randomised trees and linear discriminant analysis, both of the faults by name; on statistics
of the log-mel spectrogram, the spectrum and envelopes, with the lines at the machine's characteristic frequencies,
whose speed it is given.
"""

from itertools import islice

import numpy as np
import pandas as pd
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from asd.base.compute import ComputeParams, parallel
from asd.datasets.params import SimulatedParams
from asd.datasets.simulated.plan import TESTS, Cell, orders
from asd.datasets.simulated.simulation import MACHINES
from studies.factory import chosen, parser, table, verdict
from studies.factory_statistics import listening

FLOORS = {"source": 0.90, "target": 0.85}
SEVERITIES = {"faint": (0.0, 0.5), "middle": (0.5, 0.75), "plain": (0.75, 1.0)}


def described(machine: str, seed: int, clips: int, skip: int = 0) -> tuple[np.ndarray, pd.DataFrame]:
    """Describe test clips of every cell behind the first ``skip``: features, facts with ``domain`` and ``anomaly``."""
    params = SimulatedParams(size="default", seed=seed)
    cells = [Cell("test", domain, anomaly) for domain, anomaly in TESTS]
    wanted = [
        order for cell in cells for order in islice(orders(MACHINES[machine], params, cell, skip + clips), skip, None)
    ]
    features, facts = zip(*parallel(listening, wanted, ComputeParams()), strict=True)
    named = pd.DataFrame([(order.name.domain, order.name.anomaly) for order in wanted], columns=["domain", "anomaly"])
    return np.stack(features), pd.concat([pd.DataFrame(facts), named], axis=1)


def probabilities(x: np.ndarray, facts: pd.DataFrame, tested: np.ndarray) -> np.ndarray:
    """Train on labelled clips; give the probability of an anomaly of others."""
    faults = facts["fault"].to_numpy()  # empty: normal
    trees = ExtraTreesClassifier(400, min_samples_leaf=2, max_features=0.15, n_jobs=2, random_state=0).fit(x, faults)
    linear = make_pipeline(StandardScaler(), LinearDiscriminantAnalysis("lsqr", shrinkage="auto")).fit(x, faults)
    by_name = [1 - model.predict_proba(tested)[:, 0] for model in (trees, linear)]  # "" is the first class
    return np.mean(by_name, axis=0)


def aucs(facts: pd.DataFrame, probability: np.ndarray) -> dict[str, float]:
    """Compute the AUC within each domain, and of anomalies of each severity against all normal clips."""
    anomalous = facts["anomaly"] == 1
    found = {}
    for domain in FLOORS:
        own = facts["domain"] == domain
        found[domain] = float(roc_auc_score(anomalous[own], probability[own]))
    for name, (low, high) in SEVERITIES.items():
        own = ~anomalous | ((facts["severity"] > low) & (facts["severity"] <= high))
        found[name] = float(roc_auc_score(anomalous[own], probability[own]))
    return found


def main() -> None:
    """Print a table of machines, their means and the verdict."""
    made = parser(__doc__, seeds=[1000])
    made.add_argument("--train", type=int, default=300, help="labelled clips of each cell to learn from")
    made.add_argument("--clips", type=int, default=50, help="clips of each cell to test on")
    args = made.parse_args()
    rows = {}
    for seed in args.seeds:
        for machine in chosen(args.machines):
            tested, facts = described(machine, seed, args.clips)
            x, learnt = described(machine, seed, args.train, skip=args.clips)
            name = f"{seed} {machine}"
            rows[name] = aucs(facts, probabilities(x, learnt, tested))
            print(f"{name}: " + ", ".join(f"{k} {v:.3f}" for k, v in rows[name].items()), flush=True)
    found = pd.DataFrame(rows).T
    found.loc["mean"] = found.mean()
    print(table(found.rename_axis("clips"), digits=3), end="\n\n")
    mean = found.loc["mean"]
    growth = {f"{b} over {a}": (mean[b] - mean[a], 0.0, 1.0) for a, b in (("faint", "middle"), ("middle", "plain"))}
    verdict({domain: (mean[domain], floor, 1.0) for domain, floor in FLOORS.items()} | growth)


if __name__ == "__main__":
    main()
