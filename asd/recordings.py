"""Recordings to be scored: whose each is, and its features by one front end or several, in memory."""

import unicodedata
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from asd.core.errors import UserError
from asd.datasets.dcase import parse_name
from asd.datasets.index import decode_samples
from asd.features.extraction import features_of
from asd.features.fitting import FittedFrontEnd
from asd.features.store import FeatureStore


class Recording(NamedTuple):
    """A recording to be scored, and whose it is."""

    file: str
    machine: str
    section: str


class Clip(NamedTuple):
    """A recording's content id and features by front end, or why it has none; and what else to say of it, by name."""

    clip_id: str = ""
    features: Mapping[str, np.ndarray] = MappingProxyType({})
    error: str = ""
    notes: tuple[tuple[str, str], ...] = ()


class NewClips(FeatureStore):
    """Features of new recordings, in memory.

    Parameters
    ----------
    like : FeatureStore
        Features of the same front end.
    features : dict of str to np.ndarray [shape=(n_frames, n_features)]
        By clip id.
    """

    def __init__(self, like: FeatureStore, features: dict[str, np.ndarray]) -> None:
        self.description, self.n_features, self._features = like.description, like.n_features, features
        self.clip_ids = sorted(features)

    def __len__(self) -> int:
        return len(self._features)

    def __contains__(self, clip_id: object) -> bool:
        return clip_id in self._features

    def __getitem__(self, clip_id: str) -> np.ndarray:
        return self._features[clip_id]

    def n_frames(self, clip_id: str) -> int:
        """Count the frames of one clip."""
        return len(self._features[clip_id])


def machine_of(file: Path, known: list[str]) -> str:
    """Take the machine that a folder on the way to a file is named after, else the only one."""
    folders = [*file.absolute().parts[-2::-1], *file.resolve().parts[-2::-1]]  # a link's own name, then its goal's
    named = [name for folder in folders if (name := unicodedata.normalize("NFC", folder)) in known]
    if not named and len(known) > 1:
        raise UserError(f"{file}: whose recording is it? give machine, one of {', '.join(known)}")
    return named[0] if named else known[0]


def section_of(file: Path, known: list[str]) -> str:
    """Take the only section, else the one that a file's name says; an empty name where none does."""
    if len(known) == 1:
        return known[0]
    try:
        return parse_name(file.name).section
    except UserError:
        return ""


def read_recording(recording: Recording, front_ends: dict[str, dict[str, FittedFrontEnd]]) -> Clip:
    """Decode a recording once and compute its features.

    Parameters
    ----------
    recording : Recording
    front_ends : dict of dict of FittedFrontEnd
        By name and machine.
    """
    samples, decoded = decode_samples(recording.file)
    if decoded.bad:
        return Clip(error=decoded.message)
    try:
        features = features_by_name(samples, decoded.sample_rate, front_ends, recording)
    except UserError as error:
        return Clip(error=str(error))
    return Clip(decoded.content, features, notes=decoded.notes)


def features_by_name(
    samples: np.ndarray, sample_rate: int, front_ends: dict[str, dict[str, FittedFrontEnd]], recording: Recording
) -> dict[str, np.ndarray]:
    """Compute the features of a waveform ``(frames, channels)`` of a rate [Hz] by every front end."""
    return {
        name: features_of(samples, sample_rate, fitted[recording.machine], recording.file).astype(
            np.float32, copy=False
        )
        for name, fitted in front_ends.items()
    }
