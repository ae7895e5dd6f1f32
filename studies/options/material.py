"""Clips, features, encoders and embeddings that :mod:`studies.options.run` computes with, in memory."""

import json
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soundfile

from asd.core.clips import training
from asd.core.errors import UserError
from asd.encoders.initial import InitialEncoder
from asd.encoders.networks import create_encoder
from asd.encoders.standardise import fit
from asd.features.extraction import extract
from asd.features.fitting import description_of, fit_front_end
from asd.features.store import FeatureStore
from asd.params import Params
from asd.scoring.embeddings import Embeddings

SECONDS, RATE = 0.5, 16000


class Store(FeatureStore):
    """Features in memory."""

    def __init__(self, rows: dict[str, np.ndarray], description: dict[str, Any]) -> None:
        self.rows, self.description, self.n_features = rows, description, description["n_features"]
        self.clip_ids = sorted(rows)

    def __contains__(self, clip_id: object) -> bool:
        return clip_id in self.rows

    def __getitem__(self, clip_id: str) -> np.ndarray:
        """Give one clip."""
        return self.rows[clip_id]

    def n_frames(self, clip_id: str) -> int:
        """Count the frames of one clip."""
        return len(self.rows[clip_id])


@cache
def clip_table() -> pd.DataFrame:
    """Make the clips: four of the source, three of the target and two for test of two machines, and supplements."""
    rows = [
        (machine, split, domain, "machine", i)
        for machine in ("fan", "pump")
        for split, domain, count in (("train", "source", 4), ("train", "target", 3), ("test", "unknown", 2))
        for i in range(count)
    ]
    rows += [("fan", "supplemental", "source", kind, i) for kind in ("clean", "noise") for i in range(2)]
    table = pd.DataFrame(rows, columns=["machine", "split", "domain", "kind", "position"])
    table["clip_id"] = [f"{i:016x}" for i in range(len(table))]
    table["attributes"] = [
        f"speed={i % 2}" if machine == "fan" and split == "train" else "" for machine, split, _, _, i in rows
    ]
    fixed: dict[str, Any] = {"section": "00", "recording": "", "time": "", "confidence": 1.0, "fitted": False}
    return table.assign(label=table["attributes"], **fixed)


@cache
def recording(rate: int, seconds: float, clip: int) -> Path:
    """Write a clip: noise and a tone of its attribute, at two microphones."""
    row, generator = clip_table().iloc[clip], np.random.default_rng(clip)
    time = np.arange(int(seconds * rate)) / rate
    tone = np.sin(2 * np.pi * (200 + 100 * (clip % 2)) * time) * (1 + 0.5 * np.sin(2 * np.pi * 25 * time))
    noise = generator.normal(0, 0.05, (len(time), 2))
    path = scratch() / f"{rate}_{seconds}_{clip}.wav"
    soundfile.write(path, 0.1 * (row["kind"] != "noise") * tone[:, None] * [1, 0.3] + noise, rate)
    return path


@cache
def scratch() -> Path:
    """Give the folder of the recordings, which goes with the process."""
    made = tempfile.TemporaryDirectory(prefix="options")
    _KEPT.append(made)
    return Path(made.name)


_KEPT: list[Any] = []
_FEATURES: dict[str, Store] = {}


def remembered(known: dict[str, Any], key: Any, make: Callable[[], Any]) -> Any:
    """Give what was made of a key before, or make it; some hundred are kept."""
    name = json.dumps(key, default=str, sort_keys=True)
    if name not in known:
        if len(known) > 300:
            known.clear()
        known[name] = make()
    return known[name]


def features(params: Params, name: str, wanted: tuple[int, ...] | None = None) -> Store:
    """Compute a front end of all clips, or of some, fitted by machine as the stage does."""
    block = params.features[name]

    def compute_all() -> Store:
        rate = next(rate for rate in (RATE, 2 * RATE, 8 * RATE, 2**40) if rate >= 2 * block.highest_frequency)
        how = rate, SECONDS if block.sample_rate >= RATE / 2 else 40 * SECONDS  # of a low rate a row takes longer
        rows, fitted = {}, {}
        for machine, some in clip_table().groupby("machine"):
            noise = [recording(*how, i) for i in some.index[some["kind"] == "noise"]]
            files = [recording(*how, i) for i in training(some).index]
            fitted[str(machine)] = made = fit_front_end(block, [rate] * len(files), files, noise)
            for i in some.index if wanted is None else [i for i in some.index if i in wanted]:
                rows[some.loc[i, "clip_id"]] = extract(recording(*how, i), made)
        for part in rows.values():
            if part.shape[1:] != (block.n_features,) or not np.isfinite(part).all():
                raise UserError(f"rows {part.shape} of {block.n_features} features, finite: {np.isfinite(part).all()}")
        return Store({clip: part.astype(np.float32) for clip, part in rows.items()}, description_of(block, fitted))

    return remembered(_FEATURES, (block.model_dump(), wanted), compute_all)


def initial(params: Params, folder: str, store: Store) -> InitialEncoder:
    """Make an encoder as it is before training; adapted ones are not adapted, published ones are random."""
    block = params.encoder(folder)
    network = create_encoder(block, store.n_features, params.seed)
    fit(network, store)
    return InitialEncoder(network, block, store.n_features)


def made_up(shape: tuple[int, ...]) -> Embeddings:
    """Draw embeddings of all clips."""
    values = np.random.default_rng(0).normal(size=(len(clip_table()), *shape)).astype(np.float32)
    return Embeddings(clip_table().drop(columns="label"), {0: np.abs(values)}, {})
