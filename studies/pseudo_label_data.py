"""What the studies of pseudo-labels share: the training clips of a factory as the labellers see them, and their truth.

Made by the pipeline's own stages, of training and supplemental clips alone - test clips change nothing of it - and
kept in ``.asd/studies/``: computed once for each seed, encoder and set of machines.
"""

import hashlib
import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import yaml

from asd.base.section import load
from asd.clips import LABELS, TRAIN_CLIPS, read_clips, training
from asd.features.store import FeatureStore
from asd.pseudo_labels.methods import Clips
from asd.pseudo_labels.params import PseudoLabelParams
from asd.pseudo_labels.spaces import spectra
from stages import adapt, download, embed, features, index
from stages.pseudo_label import FREQUENCY, STRENGTH
from studies.factory import PARAMS, project, silent

KEPT = Path(".asd/studies").resolve()
HIDDEN = "bearing+slider+ToyTrain"  # machines of the factory whose attributes the task hides
GIVEN = "ToyCar+fan+gearbox+valve"


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
    what = (machines, params.spectrum.features, params.spectrum.smooth, params.frequency.features)
    kept = KEPT / f"{seed}_{encoder}_{hashlib.sha256(repr(what).encode()).hexdigest()[:8]}"
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
    with project(seed, machines), silent():
        content = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
        own = content["encoders"][encoder]["features"]
        content["embed"] = {"encoder": encoder, "features": own}
        Path("params.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
        params = shipped()
        download.main()
        for folder in Path("data/raw").glob("*/test"):
            shutil.rmtree(folder)
        index.main()
        for name in sorted({own, params.spectrum.features, params.frequency.features}):
            features.main(name)
        adapt.main(encoder)
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
    root = Path("data/features")
    heard, turning = (FeatureStore(root / p.features / "train") for p in (params.spectrum, params.frequency))
    families = np.stack([turning[c] for c in table["clip_id"]])
    embeddings = np.load(Path("data/embeddings") / encoder / "embeddings.npy").reshape(len(table), -1)
    sound = spectra([heard[c] for c in table["clip_id"]], params.spectrum.smooth)
    return Clips(table["domain"].to_numpy(str), embeddings, sound, families[:, :, FREQUENCY], families[:, :, STRENGTH])


def _statistics(table: pd.DataFrame, params: PseudoLabelParams) -> np.ndarray:
    heard = FeatureStore(Path("data/features") / params.spectrum.features / "train")
    return np.stack([np.concatenate([heard[c].mean(axis=0), heard[c].std(axis=0)]) for c in table["clip_id"]])
