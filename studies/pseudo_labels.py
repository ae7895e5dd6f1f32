"""How good are pseudo-attributes, where the truth is known? See docs/pseudo_labels.md.

    python -m studies.pseudo_labels --seeds 1000 1001 ... [--machines bearing+slider+ToyTrain] [--encoder tiny_adapted]

1. Agreement of every method with the hidden attributes, beside k-means of log-mel statistics at the true number of
   groups: adjusted mutual information and adjusted Rand index, means over seeds and machines with the 95 % interval
   over seeds (Student's t). 2. The number of groups that ``auto`` chooses, against the number of groups that can be
   heard: combinations of those attributes that a supervised classifier tells with an AMI above 0.5.

Whole factories are simulated and an encoder is adapted to all their machines: minutes a seed, kept in
``.asd/studies/``.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest
from sklearn.cluster import KMeans
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from asd.clips import parse_attributes
from asd.pseudo_labels.label import LABELLINGS, label
from asd.pseudo_labels.lines import recurrent_lines
from asd.pseudo_labels.methods import Clips
from asd.pseudo_labels.spaces import principal, space
from studies.factory import chosen, interval, parser, table, verdict
from studies.pseudo_label_data import HIDDEN, by_machine, shipped, training_clips

YARDSTICK = "log-mel k-means"
AUDIBLE = 0.5  # AMI of a supervised classifier from which on an attribute counts as heard
FOLDS = 5
COMPONENTS = 20
LOSS = 0.03  # AMI that auto may lie below the best method
GOOD = 0.8  # AMI of the yardstick from which on it need not be beaten
FACTOR, SHARE = 2.0, 0.8  # of the number of groups; of machines and seeds within it


def main() -> None:
    """Print both tables and the verdict."""
    made = parser(__doc__, seeds=[1000])
    made.set_defaults(machines=HIDDEN)
    made.add_argument("--encoder", default="tiny_adapted", help="of params.yaml")
    arguments = made.parse_args()
    rows = [row for seed in arguments.seeds for row in compared(seed, chosen(arguments.machines), arguments.encoder)]
    found = pd.DataFrame(rows)
    for measure in ("ami", "ari"):
        print(f"{measure.upper()} with the true attributes, mean and 95 % interval over seeds\n")
        print(agreement_table(found, measure), end="\n\n")
    counts = found[found["method"] == "auto"]
    print("Groups by auto against groups that can be heard\n")
    print(table(counts[["seed", "machine", "groups", "audible", "heard", "takes"]].set_index("seed")), end="\n\n")
    verdict(windows(found) | share_within(counts))


def compared(seed: int, machines: list[str], encoder: str) -> Iterator[dict[str, Any]]:
    """Label one factory's machines; give a row for each machine and method."""
    for machine, factory in by_machine(training_clips(seed, "all", encoder)).items():
        if machine not in machines:
            continue
        truth = factory.table["truth"]
        labels = label(factory.table.assign(label=""), factory.clips, shipped())
        takes = labels.metrics[machine]["section_00"]["auto"]["takes"]
        heard = audible(truth, factory.clips)
        numbers = {"audible": len(set(combinations(truth, heard))), "heard": "+".join(heard), "takes": takes}
        groups = {name: found["label"].to_numpy() for name, found in labels.tables.items()}
        groups[YARDSTICK] = KMeans(truth.nunique(), n_init=10, random_state=0).fit_predict(factory.statistics)
        for method, found in groups.items():
            agreement = {
                "ami": adjusted_mutual_info_score(truth, found),
                "ari": adjusted_rand_score(truth, found),
            }
            yield {"seed": seed, "machine": machine, "method": method, "groups": len(set(found))} | agreement | numbers
    print(f"seed {seed} done", flush=True)


def audible(truth: pd.Series, clips: Clips) -> list[str]:
    """Name the attributes of the source that a supervised classifier tells with an AMI above 0.5.

    The better of linear discriminant analysis of principal components of spectra and embeddings, and of extremely
    randomised trees on these and the lines that recur, in five-fold cross-validation.
    """
    source = np.flatnonzero(clips.domain == "source")
    lines = [line.clips for line in recurrent_lines(clips.frequency, clips.strength)]
    views = [principal(space(values), COMPONENTS) for values in (clips.spectra, clips.embeddings)]
    x = np.column_stack([*(view / view.std() for view in views), *lines])[source]
    sounds = sum(view.shape[1] for view in views)
    classifiers = {
        LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"): x[:, :sounds],
        ExtraTreesClassifier(200, random_state=0): x,
    }
    values = truth.iloc[source].map(parse_attributes)
    folds, heard = StratifiedKFold(FOLDS, shuffle=True, random_state=0), []
    varying = [name for name in values.iloc[0] if len({pairs[name] for pairs in values}) > 1]
    for name in varying:
        own = np.array([pairs[name] for pairs in values])
        told = [cross_val_predict(classifier, view, own, cv=folds) for classifier, view in classifiers.items()]
        if max(adjusted_mutual_info_score(own, guess) for guess in told) > AUDIBLE:
            heard.append(name)
    return heard


def combinations(truth: pd.Series, names: list[str]) -> list[tuple[str, ...]]:
    """Give the values of some attributes of each clip."""
    return [tuple(parse_attributes(text)[name] for name in names) for text in truth]


def agreement_table(found: pd.DataFrame, measure: str) -> str:
    """Tabulate methods by machine, and their mean with its interval."""
    rows = found.pivot_table(index="method", columns="machine", values=measure).loc[[*LABELLINGS, YARDSTICK]]
    for method in rows.index:
        own = found[found["method"] == method].groupby("seed")[measure].mean()
        rows.loc[method, ["mean", "low", "high"]] = interval(own)
    return table(rows, digits=3)


def windows(found: pd.DataFrame) -> dict[str, tuple[float, float, float]]:
    """Compare ``auto`` with the best fixed method and with the yardstick, seed by seed."""
    means = found.pivot_table(index="seed", columns="method", values="ami")
    fixed = means.drop(columns=["auto", YARDSTICK]).mean()
    shown = {f"auto less {fixed.idxmax()}": (float(means["auto"].mean() - fixed.max()), -LOSS, 1.0)}
    if means[YARDSTICK].mean() < GOOD:
        _, low, _ = interval(means["auto"] - means[YARDSTICK])
        shown[f"auto less {YARDSTICK}, lower end"] = low, 0.0, 1.0
    return shown


def share_within(counts: pd.DataFrame) -> dict[str, tuple[float, float, float]]:
    """Give the share of machines and seeds whose number of groups is within the factor, and its Wilson interval."""
    within = np.maximum(counts["groups"] / counts["audible"], counts["audible"] / counts["groups"]) <= FACTOR
    low, high = binomtest(int(within.sum()), len(within)).proportion_ci(method="wilson")
    return {f"within a factor of {FACTOR:g} ({low:.2f} to {high:.2f})": (float(within.mean()), SHARE, 1.0)}


if __name__ == "__main__":
    main()
