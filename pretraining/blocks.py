"""Blocks of synthetic recordings: groups of one sound recorded several times, beside sounds that differ a little."""

from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from asd.core.artifacts import write_with
from asd.core.compute import rng
from asd.encoders.architectures.machine import PARAMETERS
from asd.features.front_ends.log_mel import log_mel
from asd.features.front_ends.texture import variogram
from asd.features.front_ends.two_scales import log_mel_two_scales
from pretraining.settings import SoundParams
from pretraining.sounds.kinds import KINDS
from pretraining.sounds.scenes import install, record

RATE = 16000  # [Hz]
FAINTEST = 1e-7  # power of a mel band of a dry sound, below which all is silence
AMOUNT = 0.05, 1.0  # by which the parameters of a near sound differ, of all that they could


class Block(NamedTuple):
    """Recordings of a block, group by group."""

    features: np.ndarray
    """[shape=(clips, rows, n_features), dtype=float16] Of the front end ``log_mel_two_scales``."""
    sound: np.ndarray
    """[shape=(clips,), int] The same number for the recordings of one sound."""
    amount: np.ndarray
    """[shape=(clips,)] By how much a sound differs from that of its group: 0 the same, 1 far."""
    parameters: np.ndarray
    """[shape=(clips, parameters)] See :data:`PARAMETERS`; nan where a sound has none."""
    dry: np.ndarray
    """[shape=(clips, 8, 32)] Statistics of the sound without room and background; see :func:`dry_statistics`."""


def block(params: SoundParams, seed: int, number: int, folder: Path | None = None) -> Block:
    """Make a block, the same for the same seed and number; read it where it was made before.

    Parameters
    ----------
    params : SoundParams
    seed, number : int
        Blocks are numbered from 0, without end.
    folder : Path, optional
        Where blocks are kept. None: nowhere.
    """
    path = kept_at(folder, number) if folder else None
    if path and path.is_file():
        with np.load(path) as kept:
            return Block(**kept)
    groups = [group(params, seed, number, i) for i in range(params.groups)]
    made = Block(*(np.concatenate(part) for part in zip(*groups, strict=True)))
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_with(path, partial(_save, made))
    return made


def kept_at(folder: Path, number: int) -> Path:
    """Give the file in which a block is kept."""
    return folder / f"{number:05d}.npz"


def _save(made: Block, part: Path) -> None:
    with open(part, "wb") as file:
        np.savez(file, **made._asdict())


def group(params: SoundParams, seed: int, number: int, index: int) -> Block:
    """Make one group: a sound by several installations and operations, and sounds near to it.

    Parameters
    ----------
    params : SoundParams
    seed, number, index : int
        Of the run, of the block and of the group in it.
    """
    name = params.kinds[index % len(params.kinds)]
    kind, frames = KINDS[name], round(params.seconds * RATE)
    draw = partial(rng, "pretraining", seed, name, number, index)
    sound = kind.draw(draw("sound"))
    amounts = draw("amounts").uniform(*AMOUNT, params.near)
    others = [kind.near(sound, draw("near", i), float(amount)) for i, amount in enumerate(amounts)]
    home, elsewhere = (install(draw("installation", place)) for place in ("home", "elsewhere"))
    clips, statistics = [], []
    for i, each in enumerate([sound] * params.same + others):
        away = i == params.same - 1  # another place, and another operation
        operated = kind.operate(each, draw("operation")) if away else each
        dry = kind.render(operated, draw("render", i), frames)
        heard = record(dry, draw("record", i), elsewhere if away else home)
        clips.append(log_mel_two_scales(heard).astype(np.float16))
        statistics.append(dry_statistics(dry))
    number_of_sound = (number * params.groups + index) * (1 + params.near)
    which = [0] * params.same + list(range(1, 1 + params.near))
    known = [kind.parameters(each) for each in [sound] * params.same + others]
    return Block(
        np.stack(clips),
        np.array([number_of_sound + i for i in which]),
        np.concatenate([np.zeros(params.same), amounts]),
        np.array([[values.get(p, np.nan) for p in PARAMETERS] for values in known], dtype=np.float32),
        np.stack(statistics),
    )


def dry_statistics(dry: np.ndarray) -> np.ndarray:
    """Compute how each band of a sound goes up and down, and how loud it is.

    Parameters
    ----------
    dry : np.ndarray [shape=(samples,)]
        Of root mean square 1.

    Returns
    -------
    np.ndarray [shape=(8, 32), dtype=float32]
        Of an eighth of the mel scale: the variogram of its four mel bands at seven lags, and their mean levels [dB]
        less those of all bands.
    """
    x = log_mel(dry, n_fft=256, hop_length=64, n_mels=32, floor=FAINTEST)
    changes = variogram(x).reshape(-1, 8, 4).transpose(1, 2, 0)  # (8, mels, lags)
    level = (x.mean(axis=0) - x.mean()).reshape(8, 4, 1)
    return np.concatenate([changes, level], axis=2).reshape(8, -1).astype(np.float32)


class Scale(NamedTuple):
    """Means and standard deviations that a network standardises by."""

    mean: np.ndarray
    """[shape=(n_features,)] Of features without the level of their recording."""
    std: np.ndarray
    target_mean: np.ndarray
    """[shape=(parameters,)]"""
    target_std: np.ndarray
    dry_mean: np.ndarray
    """[shape=(8, 32)]"""
    dry_std: np.ndarray


def fitted(made: Block) -> Scale:
    """Compute means and standard deviations of a block; 0 and 1 of a parameter that no sound has."""
    x = made.features.astype(np.float32)
    x -= x.mean(axis=(1, 2), keepdims=True)
    known = np.ma.masked_invalid(made.parameters)
    targets = known.mean(axis=0).filled(0.0), np.maximum(known.std(axis=0).filled(1.0), 1e-6)
    dry = made.dry.mean(axis=0), np.maximum(made.dry.std(axis=0), 1e-3)
    return Scale(x.mean(axis=(0, 1)), x.std(axis=(0, 1)), *targets, *dry)
