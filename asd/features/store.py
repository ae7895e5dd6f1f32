"""The ragged feature store: all clips of a machine end to end in one array. Only this module knows the layout.

``<machine>.npy``
    (n_frames, n_features), the clips one after the other, memory-mapped on read.
``<machine>.csv``
    clip_id, start, n_frames; sorted by clip_id. Written after the array: where it is, the machine is whole.
    Of waveforms that the recordings hold as they are there is no array: ``path`` names the recording (from the store's
    folder, or absolute), ``start`` is in bytes, ``scale`` the factor of its 16-bit samples.
``front_end.json``
    The description, see :func:`asd.features.fitting.description_of`: the front end's block of params.yaml,
    ``n_features`` and ``frames_per_second`` (absent where a clip is one row), and by machine what was fitted to it.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import pandas as pd

from asd.core.artifacts import atomic, read_csv, read_json, write_csv, write_json
from asd.core.errors import UserError

DESCRIPTION = "front_end.json"
DTYPES: dict[str, np.dtype] = {"float32": np.dtype("<f4"), "float16": np.dtype("<f2")}


class Recorded(NamedTuple):
    """Where the samples of a prepared waveform stand.

    Attributes
    ----------
    path : str
        Of the recording; in a store, from its folder, or absolute.
    start : int
        [bytes] In the recording's file.
    n_samples : int
        16-bit integers, little-endian.
    scale : float
        Factor from these to the waveform.
    """

    path: str
    start: int
    n_samples: int
    scale: float


def describe(folder: Path | str, description: dict[str, Any]) -> None:
    """Write the description of a store ``folder``; it makes a folder a store even if no clip is in it."""
    write_json(Path(folder) / DESCRIPTION, description)


def is_whole(folder: Path | str, machine: str) -> bool:
    """Tell whether all clips of a machine were written."""
    return (Path(folder) / f"{machine}.csv").is_file()


@contextmanager
def writer(
    folder: Path | str, machine: str, n_features: int, precision: str = "float32"
) -> Iterator[Callable[[str, np.ndarray], None]]:
    """Write the clips of one machine as they come, in the memory of one clip.

    Parameters
    ----------
    folder : Path or str
        The store.
    machine : str
    n_features : int
        Width of every row.
    precision : str
        ``float32`` or ``float16``.

    Yields
    ------
    callable
        ``append(clip_id, rows)`` with rows of shape (n_frames, n_features); clips in the order of their
        ids. If the block ends with an error, nothing is left.
    """
    folder = Path(folder)
    index: list[tuple[str, int, int]] = []
    dtype = DTYPES[precision]
    with atomic(folder / f"{machine}.npy") as file:
        _write_header(file, 0, n_features, dtype)
        end = 0

        def append(clip_id: str, rows: np.ndarray) -> None:
            nonlocal end
            if rows.ndim != 2 or rows.shape[1] != n_features:
                raise ValueError(f"clip {clip_id} has the shape {rows.shape}, not (n_frames, {n_features})")
            if index and clip_id <= index[-1][0]:
                raise ValueError(f"clip {clip_id} comes after {index[-1][0]}: clips are written in the order of ids")
            file.write(np.ascontiguousarray(rows, dtype).data)
            index.append((clip_id, end, len(rows)))
            end += len(rows)

        yield append
        file.seek(0)
        _write_header(file, end, n_features, dtype)
    write_csv(folder / f"{machine}.csv", pd.DataFrame(index, columns=["clip_id", "start", "n_frames"]))


def write_recorded(folder: Path | str, machine: str, n_features: int, recordings: Mapping[str, Recorded]) -> None:
    """List waveforms of one machine that recordings hold, instead of storing them once more.

    Parameters
    ----------
    folder : Path or str
        The store.
    machine : str
    n_features : int
        Width of every row.
    recordings : mapping
        By clip id.
    """
    rows = [
        (clip_id, one.start, one.n_samples // n_features, one.path, float(np.float32(one.scale)))
        for clip_id, one in sorted(recordings.items())
    ]
    columns = ["clip_id", "start", "n_frames", "path", "scale"]
    write_csv(Path(folder) / f"{machine}.csv", pd.DataFrame(rows, columns=columns))


def _write_header(file: IO[bytes], n_frames: int, n_features: int, dtype: np.dtype) -> None:
    """Write an .npy header, which numpy pads so that it takes the same space for any number of frames."""
    header = {"descr": dtype.str, "fortran_order": False, "shape": (n_frames, n_features)}
    np.lib.format.write_array_header_1_0(file, header)


class FeatureStore:
    """Features of many clips, read as they are needed.

    Parameters
    ----------
    path : Path or str
        ``data/features/<front end>/train`` or ``.../test``.

    Attributes
    ----------
    description : dict
        The front end's block, ``n_features`` and ``frames_per_second``.
    n_features : int
        Width of every row.
    machines : list of str
        Sorted.
    clip_ids : list of str
        Sorted.

    Raises
    ------
    UserError
        Where the store is missing.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        if not (self.path / DESCRIPTION).is_file():
            raise UserError(f"{self.path} holds no features: run dvc repro")
        self.description: dict[str, Any] = read_json(self.path / DESCRIPTION)
        self.n_features: int = self.description["n_features"]
        self.machines = sorted(table.stem for table in self.path.glob("*.csv"))
        self._positions: dict[str, tuple[str, int, int]] = {}
        self._recordings: dict[str, tuple[Path, np.float32]] = {}  # where there is no array: path, scale
        for machine in self.machines:
            index = read_csv(self.path / f"{machine}.csv", ("clip_id",))
            for clip_id, start, n_frames in zip(index["clip_id"], index["start"], index["n_frames"], strict=True):
                self._positions[clip_id] = machine, int(start), int(n_frames)
            if "path" in index:
                places = zip(index["clip_id"], index["path"], index["scale"], strict=True)
                self._recordings |= {clip: (self.path / path, np.float32(scale)) for clip, path, scale in places}
        self.clip_ids = sorted(self._positions)
        self._arrays: dict[str, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self._positions)

    def __contains__(self, clip_id: object) -> bool:
        return clip_id in self._positions

    def __getitem__(self, clip_id: str) -> np.ndarray:
        """Map one clip into memory, or read it: (n_frames, n_features) float32; a float16 store is widened."""
        machine, start, n_frames = self._position(clip_id)
        if clip_id in self._recordings:
            return self._of_recording(clip_id, start, n_frames)
        if machine not in self._arrays:
            self._arrays[machine] = np.load(self.path / f"{machine}.npy", mmap_mode="r", allow_pickle=False)
        return self._arrays[machine][start : start + n_frames].astype(np.float32, copy=False)

    def n_frames(self, clip_id: str) -> int:
        """Count the frames of one clip."""
        return self._position(clip_id)[2]

    def normalised(self, rows: np.ndarray) -> np.ndarray:
        """Apply the description's ``mean`` and ``std``, if it has them: (rows - mean) / (2 std)."""
        if "mean" not in self.description:
            return rows
        mean, std = (np.float32(self.description[key]) for key in ("mean", "std"))
        return (rows - mean) / (2 * std)

    def __getstate__(self) -> dict[str, Any]:
        """Travel to another process without the arrays, which are mapped there again."""
        return {**self.__dict__, "_arrays": {}}

    def _of_recording(self, clip_id: str, start: int, n_frames: int) -> np.ndarray:
        """Read the waveform that a recording holds."""
        path, scale = self._recordings[clip_id]
        n_samples = n_frames * self.n_features
        try:
            samples = np.fromfile(path, "<i2", n_samples, offset=start)
        except OSError:
            raise UserError(f"{path} is missing: its waveform is not stored; run dvc pull, or restore it") from None
        if len(samples) < n_samples:
            raise UserError(f"{path} is shorter than when it was read first: restore it, or run dvc repro")
        rows = samples.reshape(n_frames, self.n_features)
        return np.multiply(rows, scale, dtype=np.float32)

    def _position(self, clip_id: str) -> tuple[str, int, int]:
        try:
            return self._positions[clip_id]
        except KeyError:
            raise UserError(f"clip {clip_id} is not in {self.path}: run dvc repro") from None
