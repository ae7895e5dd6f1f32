"""Made-up score tables in the pipeline's formats, for the tests of evaluate and report."""

from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from asd.core.artifacts import write_json
from asd.core.clips import COLUMNS
from asd.core.project import systems_of
from asd.core.section import read_params
from asd.report.embeddings import shown

DOMAINS = ("source", "target")
NAMES_NEIGHBOURS = "frozen"  # the system that gives every test clip its nearest normal clip


def made_clips(
    machines=("fan", "pump"), each=6, domains=DOMAINS, anomalies=True, labelled=True, attribute="speed", file="clip"
):
    """A clip table, its file names and its truth: ``each`` test clips a cell, twice as many training clips."""
    rows = []
    for machine in machines:
        for domain in domains:
            counts = {("train", 0): 2 * each, ("test", 0): each, ("test", 1): each if anomalies else 0}
            for (split, anomaly), count in counts.items():
                rows += [(machine, split, domain, anomaly, number) for number in range(count)]
    table = pd.DataFrame(rows, columns=["machine", "split", "domain", "anomaly", "number"])
    table["clip_id"] = [f"{(7919 * i + 13) % 104729:016x}" for i in range(len(table))]
    table["attributes"] = [f"{attribute}={number % 2}" for number in table["number"]]
    table["path"] = [f"raw/{r.machine}/{r.split}/{file}_{i:04d}.wav" for i, r in enumerate(table.itertuples())]
    table = table.sort_values("clip_id", ignore_index=True)
    truth = table[["clip_id", "anomaly", "domain", "attributes"]].copy()
    if not labelled:
        truth["anomaly"] = truth["anomaly"].astype(object).where(table["split"] == "train", "")
    shown = {"section": "00", "kind": "machine", "recording": "", "time": "", "speed_hz": np.nan}
    clips = table.assign(**shown, sample_rate=16000, channels=1, seconds=1.0)
    test = clips["split"] == "test"
    clips.loc[test, "domain"], clips.loc[test, "attributes"] = "unknown", ""
    return clips[list(COLUMNS)], table[["clip_id", "path"]], truth


def made_scores(clips, truth, system, seeds=(0,), gain=1.0):
    """Scores that are ``gain`` deviations higher for anomalies, in the format of ``data/scores``."""
    blocks = []
    for seed in seeds:
        draws = np.random.default_rng([seed, *system.encode()]).normal(size=len(clips))
        own = clips[["clip_id", "machine", "section", "split"]].copy()
        own["seed"] = seed
        own["score"] = 5 + draws + gain * pd.to_numeric(truth["anomaly"]).fillna(0).to_numpy()
        own["threshold"] = 6.5
        own["decision"] = (own["score"] > own["threshold"]).astype(int)
        own["nearest"] = neighbours(clips) if system == NAMES_NEIGHBOURS else ""
        blocks.append(own)
    order = ["clip_id", "machine", "section", "split", "seed", "score", "threshold", "decision", "nearest"]
    return pd.concat(blocks, ignore_index=True)[order]


def neighbours(clips):
    """The first training clip of the machine for every test clip."""
    first = clips[clips["split"] == "train"].groupby("machine")["clip_id"].first()
    return clips["machine"].map(first).where(clips["split"] == "test", "").to_numpy()


def write_recordings(files, truth):
    """A fifth of a second each: noise, with a tone where it is anomalous."""
    rng, time = np.random.default_rng(0), np.arange(1600) / 8000
    for path, anomaly in zip(files["path"], pd.to_numeric(truth["anomaly"]).fillna(0), strict=True):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        wave = 0.02 * rng.normal(size=len(time)) + 0.1 * anomaly * np.sin(2 * np.pi * 900 * time)
        soundfile.write(path, wave, 8000, subtype="PCM_16")


def write_project(seeds=(0,), **how):
    """Write everything that ``evaluate`` reads into the working directory; gives the systems' names."""
    clips, files, truth = made_clips(**how)
    systems = list(systems_of(read_params()))
    of_systems = [f"data/scores/{system}" for system in systems]
    for folder in ("data/labels/pseudo", "data/ensemble", *of_systems):
        Path(folder).mkdir(parents=True, exist_ok=True)
    clips.to_csv("data/clips.csv", index=False)
    files.to_csv("data/files.csv", index=False)
    write_recordings(files, truth)
    truth.to_csv("data/ground_truth.csv", index=False)
    for place, system in enumerate(systems):
        scores = made_scores(clips, truth, system, seeds, gain=place)
        scores.to_csv(f"data/scores/{system}/scores.csv", index=False)
        other = scores[scores["split"] == "test"].drop(columns=["threshold", "decision", "nearest"])
        by_scorer = [other.assign(scorer="knn_cosine"), other.assign(scorer="gmm", score=-other["score"])]
        pd.concat(by_scorer).to_csv(f"data/scores/{system}/candidates.csv", index=False)
    made_scores(clips, truth, "ensemble", seeds, gain=3).to_csv("data/ensemble/scores.csv", index=False)
    write_labels(clips, truth)
    write_embeddings(clips, seeds)
    write_choice(systems)
    return systems


def write_embeddings(clips, seeds=(0,), dims=5):
    """Embeddings as the encoder of ``embed`` has them, and as those systems that train it."""
    train = clips[(clips["split"] == "train") & (clips["kind"] == "machine")]
    train[["clip_id", "machine"]].assign(label=train["attributes"]).to_csv("data/labels/given.csv", index=False)
    train.to_csv("data/train_clips.csv", index=False)
    params, rng = read_params(), np.random.default_rng(0)
    trained = shown(systems_of(params), params["embed"]["encoder"])
    places = {f"data/embed/{params['embed']['encoder']}": (train, ["embeddings"])}
    places |= {
        f"data/embeddings/{name}": (clips, [f"seed_{seed}" for seed in seeds]) for name in [*trained, NAMES_NEIGHBOURS]
    }
    for folder, (rows, arrays) in places.items():
        Path(folder).mkdir(parents=True, exist_ok=True)
        rows[["clip_id"]].to_csv(f"{folder}/clips.csv", index=False)
        for array in arrays:
            np.save(f"{folder}/{array}.npy", rng.normal(size=(len(rows), 1, dims)).astype(np.float32))


def write_choice(systems):
    """What the stage ``ensemble`` says of its choice: the first system has no evidence."""
    kinds = {"pseudo_auc": 60.0, "attribute": 55.0, "machine": 65.0}
    evidence = {name: kinds | {"pseudo_auc": 60.0 + place} for place, name in enumerate(systems[1:])}
    scorers = {name: {"own": own["pseudo_auc"], "gmm": 99.5} for name, own in evidence.items()}
    weights, scorer = {systems[1]: 0.25, systems[2]: 0.75}, {systems[1]: "own", systems[2]: "gmm"}
    chosen = {"chosen_by": "diverse pseudo-auc", "fusion": "mean", "pseudo_auc": 88.0, "machines": {}, "scorer": scorer}
    write_json("metrics/ensemble.json", chosen | {"weights": weights, "evidence": evidence, "scorers": scorers})


def write_labels(clips, truth):
    """``hierarchical`` finds the attributes, ``frequency`` finds one group, of ``fan`` all is given."""
    train = clips[clips["split"] == "train"].merge(truth[["clip_id", "attributes"]], on="clip_id", suffixes=("_", ""))
    labels = train[["clip_id", "machine"]].assign(method="hierarchical", label=train["attributes"], confidence=1.0)
    labels.loc[labels["machine"] == "fan", "method"] = "given"
    labels.to_csv("data/labels/pseudo/hierarchical.csv", index=False)
    labels.to_csv("data/labels/pseudo/auto.csv", index=False)
    for method in ("frequency", "spectrum", "gmm", "hdbscan"):
        labels.assign(label="one").to_csv(f"data/labels/pseudo/{method}.csv", index=False)


def write_figures(machines):
    """What the stage ``pseudo_label`` gives the report: four clips of each machine, of the first all is given."""
    trees, clips, series = [], [], []
    for number, machine in enumerate(machines):
        own = {"machine": machine, "section": "00"}
        tree = own | {"method": "hierarchical", "domain": "source", "groups": 2}
        names = [f"{machine}{i}" for i in range(4)]
        for step, (left, right, height, count) in enumerate([(0, 1, 1.0, 2), (2, 3, 2.0, 2), ("0", "1", 8.0, 4)]):
            pair = [names[end] if isinstance(end, int) else end for end in (left, right)]
            trees.append(tree | {"step": step, "left": pair[0], "right": pair[1], "height": height, "clips": count})
        for i, name in enumerate(names):
            domain = "target" if i == 3 else "source"
            clip = {"clip_id": name} | own | {"domain": domain, "given": int(number == 0), "group": i // 2}
            clips.append(clip | {"x": float(i), "y": -float(i)})
            series.append({"clip_id": name} | own | {"frequency": 10.0 * (1 + i // 2), "state": i // 2 - (i == 3)})
    Path("data/pseudo_labels").mkdir(parents=True, exist_ok=True)
    for table, rows in (("trees", trees), ("clips", clips), ("series", series)):
        pd.DataFrame(rows).to_csv(f"data/pseudo_labels/{table}.csv", index=False)
