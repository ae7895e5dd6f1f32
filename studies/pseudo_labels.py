"""Pseudo-attributes where the truth is known: how good they are, and how to choose their number. docs/pseudo_labels.md.

    python -m studies.pseudo_labels --seeds 1000 1001 ... [--machines bearing+slider+ToyTrain] [--encoder tiny]
    python -m studies.pseudo_labels counts --seeds 1000 1001 ... [--machines ToyCar+fan+...] [--encoder tiny]

Whole factories are simulated and an encoder is adapted to all their machines by the pipeline's stages, of training and
supplemental clips alone: minutes a seed, kept in ``.asd/studies/``, once for each seed, encoder and set of machines.
"""

import argparse
import hashlib
import shutil
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import binomtest
from sklearn.cluster import KMeans
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from asd.core.clips import parse_attributes, read_clips, training
from asd.core.project import LABELS, TRAIN_CLIPS
from asd.core.section import load
from asd.features.store import FeatureStore
from asd.pseudo_labels.counts import RULES
from asd.pseudo_labels.grouping import Clips, read_clips_of
from asd.pseudo_labels.label import label
from asd.pseudo_labels.labellers.frequency import recurrent_lines
from asd.pseudo_labels.labellers.hierarchical import Hierarchical, hierarchical
from asd.pseudo_labels.params import LABELLERS, PseudoLabelParams
from asd.pseudo_labels.spaces import principal, space
from stages import download, embed, features, index
from studies.shared import (
    PARAMS,
    PROJECTS,
    Commands,
    chosen,
    factory_options,
    interval,
    make_encoders,
    scratch_project,
    silent,
    simulated_params,
    table,
    verdict,
)

HIDDEN = "bearing+slider+ToyTrain"  # machines of the factory whose attributes the task hides
GIVEN = "ToyCar+fan+gearbox+valve"
BASELINE = "log-mel k-means"
AUDIBLE = 0.5  # AMI of a supervised classifier from which on an attribute counts as audible
FOLDS = 5
PRINCIPAL = 20  # principal components that the classifier gets
LOSS = 0.03  # AMI that auto may lie below the best method
GOOD = 0.8  # AMI of the baseline from which on it need not be beaten
FACTOR, FRACTION = 2.0, 0.8  # of the number of groups; of machines and seeds within it
COMPONENTS = (10, 20, 0)
TARGETS = ("nearest", "separate")
SETTING = ["rule", "components", "target"]


def shipped() -> PseudoLabelParams:
    """Read the section ``pseudo_label`` of the shipped params.yaml."""
    return load(PseudoLabelParams, "pseudo_label", path=PARAMS)


class Factory(NamedTuple):
    """Training clips of a factory.

    Attributes
    ----------
    table : pd.DataFrame
        Of the clips, with the true attributes as ``truth`` and the given ones as ``label``.
    clips : Clips
        In its order.
    statistics : np.ndarray [shape=(clips, 2 bands)]
        Mean and standard deviation over time of log-mel.
    """

    table: pd.DataFrame
    clips: Clips
    statistics: np.ndarray


def training_clips(seed: int, machines: str, encoder: str) -> Factory:
    """Give the training clips of a factory; an encoder of params.yaml is adapted to those machines."""
    params = shipped()
    identity = (machines, *params.features().values(), params.labellers()["spectrum"].smooth)
    kept = PROJECTS / f"{seed}_{encoder}_{hashlib.sha256(repr(identity).encode()).hexdigest()[:8]}"
    if not (kept / "arrays.npz").is_file():
        made = _made(seed, machines, encoder)
        kept.mkdir(parents=True, exist_ok=True)
        made.table.to_csv(kept / "clips.csv", index=False)
        np.savez(kept / "arrays.npz", statistics=made.statistics, **made.clips._asdict())
    with np.load(kept / "arrays.npz") as arrays:
        clips, statistics = Clips(**{name: arrays[name] for name in Clips._fields}), arrays["statistics"]
    return Factory(pd.read_csv(kept / "clips.csv", dtype={"section": str}, keep_default_na=False), clips, statistics)


def by_machine(factory: Factory) -> dict[str, Factory]:
    """Take a factory apart."""
    found = {}
    for machine, rows in factory.table.groupby("machine"):
        clips = Clips(*(values[rows.index] for values in factory.clips))
        found[str(machine)] = Factory(rows.reset_index(drop=True), clips, factory.statistics[rows.index])
    return found


def _made(seed: int, machines: str, encoder: str) -> Factory:
    params, content = shipped(), simulated_params(seed, machines)
    front_end = content["encoders"][encoder]["features"]
    content["embed"] = {"encoder": f"adapted/{encoder}", "features": front_end}
    with scratch_project(content), silent():
        download.main()
        for folder in Path("data/raw").glob("*/test"):
            shutil.rmtree(folder)
        index.main()
        for name in sorted({front_end, *params.features().values()}):
            features.main(name)
        make_encoders([f"adapted/{encoder}"])
        embed.main()
        table = _table()
        return Factory(table, _seen(table, encoder, params), _statistics(table, params))


def _table() -> pd.DataFrame:
    """Put the true attributes beside the clips."""
    table = training(read_clips(TRAIN_CLIPS)).drop(columns=["attributes"])
    labels = pd.read_csv(LABELS / "given.csv", keep_default_na=False)[["clip_id", "label"]]
    files = pd.read_csv("data/files.csv")[["clip_id", "path"]]
    facts = pd.read_csv("data/truth/simulated.csv").set_index("file")["attributes"]
    table = table.merge(labels, on="clip_id").merge(files, on="clip_id")
    names = [Path(path).relative_to("data/raw").as_posix() for path in table.pop("path")]
    return table.assign(truth=facts[names].to_numpy())


def _seen(table: pd.DataFrame, encoder: str, params: PseudoLabelParams) -> Clips:
    stores = {name: FeatureStore(Path("data/features") / one / "train") for name, one in params.features().items()}
    embeddings = np.load(Path("data/embed") / encoder / "embeddings.npy")
    smooth = params.labellers()["spectrum"].smooth  # type: ignore[attr-defined]
    return read_clips_of(table, embeddings, stores["spectrum"], stores["frequency"], smooth)


def _statistics(table: pd.DataFrame, params: PseudoLabelParams) -> np.ndarray:
    log_mel = FeatureStore(Path("data/features") / params.features()["spectrum"] / "train")
    return np.stack([np.concatenate([log_mel[c].mean(axis=0), log_mel[c].std(axis=0)]) for c in table["clip_id"]])


def agreement(args: argparse.Namespace) -> None:
    """Compare the pseudo-attributes of every method with the hidden ones.

    1. Agreement of every method with the hidden attributes, beside k-means of log-mel statistics at the true number of
       groups: adjusted mutual information and adjusted Rand index, means over seeds and machines with the 95 % interval
       over seeds (Student's t).
    2. The number of groups that ``auto`` chooses, against the number of audible groups: combinations of those
       attributes that a supervised classifier tells with an AMI above 0.5.
    """
    rows = [row for seed in args.seeds for row in compared(seed, chosen(args.machines), args.encoder)]
    found = pd.DataFrame(rows)
    for measure in ("ami", "ari"):
        print(f"{measure.upper()} with the true attributes, mean and 95 % interval over seeds\n")
        print(agreement_table(found, measure), end="\n\n")
    by_auto = found[found["method"] == "auto"]
    print("Groups by auto against audible groups, and the audible attributes\n")
    print(table(by_auto[["seed", "machine", "groups", "audible", "attributes", "takes"]].set_index("seed")), end="\n\n")
    verdict(windows(found) | fraction_within(by_auto))


def compared(seed: int, machines: list[str], encoder: str) -> Iterator[dict[str, Any]]:
    """Label one factory's machines; give a row for each machine and method."""
    for machine, factory in by_machine(training_clips(seed, "all", encoder)).items():
        if machine not in machines:
            continue
        truth = factory.table["truth"]
        labels = label(factory.table.assign(label=""), factory.clips, shipped())
        takes = labels.metrics[machine]["section_00"]["auto"]["takes"]
        names = audible(truth, factory.clips)
        numbers = {"audible": len(set(combinations(truth, names))), "attributes": "+".join(names), "takes": takes}
        groups = {name: found["label"].to_numpy() for name, found in labels.tables.items()}
        groups[BASELINE] = KMeans(truth.nunique(), n_init=10, random_state=0).fit_predict(factory.statistics)
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
    views = [principal(space(values), PRINCIPAL) for values in (clips.spectra, clips.embeddings)]
    x = np.column_stack([*(view / view.std() for view in views), *lines])[source]
    sounds = sum(view.shape[1] for view in views)
    classifiers = {
        LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"): x[:, :sounds],
        ExtraTreesClassifier(200, random_state=0): x,
    }
    values = truth.iloc[source].map(parse_attributes)
    folds, found = StratifiedKFold(FOLDS, shuffle=True, random_state=0), []
    varying = [name for name in values.iloc[0] if len({pairs[name] for pairs in values}) > 1]
    for name in varying:
        labels = np.array([pairs[name] for pairs in values])
        predicted = [cross_val_predict(classifier, view, labels, cv=folds) for classifier, view in classifiers.items()]
        if max(adjusted_mutual_info_score(labels, guess) for guess in predicted) > AUDIBLE:
            found.append(name)
    return found


def combinations(truth: pd.Series, names: list[str]) -> list[tuple[str, ...]]:
    """Give the values of some attributes of each clip."""
    return [tuple(parse_attributes(text)[name] for name in names) for text in truth]


def agreement_table(found: pd.DataFrame, measure: str) -> str:
    """Tabulate methods by machine, and their mean with its interval."""
    rows = found.pivot_table(index="method", columns="machine", values=measure).loc[[*LABELLERS, "auto", BASELINE]]
    for method in rows.index:
        by_seed = found[found["method"] == method].groupby("seed")[measure].mean()
        rows.loc[method, ["mean", "low", "high"]] = interval(by_seed)
    return table(rows, digits=3)


def windows(found: pd.DataFrame) -> dict[str, tuple[float, float, float]]:
    """Compare ``auto`` with the best fixed method and with the baseline, seed by seed."""
    means = found.pivot_table(index="seed", columns="method", values="ami")
    fixed = means.drop(columns=["auto", BASELINE]).mean()
    shown = {f"auto less {fixed.idxmax()}": (float(means["auto"].mean() - fixed.max()), -LOSS, 1.0)}
    if means[BASELINE].mean() < GOOD:
        _, low, _ = interval(means["auto"] - means[BASELINE])
        shown[f"auto less {BASELINE}, lower end"] = low, 0.0, 1.0
    return shown


def fraction_within(by_auto: pd.DataFrame) -> dict[str, tuple[float, float, float]]:
    """Give the fraction of machines and seeds whose number of groups is within the factor, and its Wilson interval."""
    within = np.maximum(by_auto["groups"] / by_auto["audible"], by_auto["audible"] / by_auto["groups"]) <= FACTOR
    low, high = binomtest(int(within.sum()), len(within)).proportion_ci(method="wilson")
    return {f"within a factor of {FACTOR:g} ({low:.2f} to {high:.2f})": (float(within.mean()), FRACTION, 1.0)}


def counts(args: argparse.Namespace) -> None:
    """Compare rules for the number of groups, leaving one machine out.

    Machines whose attributes are given, spectra and embeddings, every rule with and without principal components,
    target clips joined or apart: adjusted mutual information with the given attributes. For each machine the best
    setting of all others is judged on it; the setting that is best for all is the default of params.yaml. Seeds from
    1000 on alone.
    """
    rows = []
    for seed in args.seeds:
        for machine, factory in by_machine(training_clips(seed, "all", args.encoder)).items():
            if machine in chosen(args.machines):
                rows += [{"seed": seed, "machine": machine} | row for row in tried(factory)]
    found = pd.DataFrame(rows)
    for kind, rows_of in found.groupby("values"):
        means = rows_of.pivot_table(index=SETTING, columns="machine", values="ami")
        means["mean"] = means.mean(axis=1)
        print(f"{kind}: AMI with the given attributes\n")
        print(table(named(means.sort_values("mean", ascending=False)), digits=3), end="\n\n")
        print(table(left_out(means.drop(columns="mean")), digits=3), end="\n\n")


def tried(factory: Factory) -> Iterator[dict[str, Any]]:
    """Cluster one machine's clips by every setting."""
    params = shipped()
    for name, values in (("spectrum", factory.clips.spectra), ("hierarchical", factory.clips.embeddings)):
        for components, rule in product(COMPONENTS, RULES):
            if rule == "gap_statistic" and not components:
                continue  # references of hundreds of dimensions: minutes
            x = space(values, components=components)
            for target in TARGETS:
                setting = Hierarchical(n_clusters_rule=rule, n_components=components, target_groups=target)  # type: ignore[arg-type]
                made = hierarchical(x, factory.clips.domain, setting, params.min_groups, params.max_groups)
                ami = adjusted_mutual_info_score(factory.table["truth"], made.groups)
                yield {"values": name, "rule": rule, "components": components, "target": target, "ami": ami}


def named(means: pd.DataFrame) -> pd.DataFrame:
    """Name each setting by one word."""
    words = [f"{rule} {components or 'all'} {target}" for rule, components, target in means.index]
    return means.set_axis(pd.Index(words, name="setting"))


def left_out(means: pd.DataFrame) -> pd.DataFrame:
    """Choose by all machines but one, and judge on that one."""
    rows = {}
    for machine in means.columns:
        best = means.drop(columns=machine).mean(axis=1).idxmax()
        rows[machine] = {
            "chosen by the others": " ".join(map(str, best)),
            "ami": means.loc[best, machine],
            "best there": means[machine].max(),
        }
    rows["mean"] = {
        "chosen by the others": "",
        "ami": np.mean([r["ami"] for r in rows.values()]),
        "best there": means.max().mean(),
    }
    return pd.DataFrame(rows).T.rename_axis("left out").infer_objects()


def main() -> None:
    """Run the study that the command line names."""
    commands = Commands(__doc__, default="agreement")
    for name, study, seeds, machines in (
        ("agreement", agreement, [1000], HIDDEN),
        ("counts", counts, range(1000, 1005), GIVEN),
    ):
        made = factory_options(commands.add(name, study), seeds, machines)
        made.add_argument("--encoder", default="tiny", help="of params.yaml")
    commands.run()


if __name__ == "__main__":
    main()
