"""Where a sound is recorded: room, microphone, background, level; what is fixed, and what changes from clip to clip."""

from typing import NamedTuple

import numpy as np
from scipy.fft import irfft, rfft

from asd.simulation.acoustics import gain, response, room
from asd.simulation.signals import RATE, harmonics, swing, turns
from pretraining.sounds.kinds import KINDS, Sound
from pretraining.sounds.parts import amplitude, colour, coloured, floats, log_uniform, unit

SNR = (-6.0, 20.0)  # [dB] of installations
SNR_STD = 4.0  # [dB] of clips about their installation's
LEVEL = (-45.0, -12.0)  # [dB] root mean square below full scale, of installations
LEVEL_STD = 1.5  # [dB] of clips
RESPONSE_STD = 1.5  # [dB] by which the response drifts from clip to clip
COLOUR_STD = 6.0  # [dB] by which the background's colour drifts from clip to clip
FLOOR = (-95.0, -65.0)  # [dB] of a sensor's noise below full scale
OVERDRIVEN = 0.02  # share of clips that are clipped, mildly
OTHER = 0.35  # share of installations whose background is another sound
HIGHEST = 0.99  # peak


class Background(NamedTuple):
    """What sounds around: noise of a colour [dB every half octave], hum, and perhaps another sound.

    Attributes
    ----------
    colour : tuple of float
        Of the noise [dB].
    sway : float
        By how much its level rises and falls, relative.
    mains : float
        [Hz]
    hum : float
        Amplitude.
    other : tuple, optional
        Kind and value of another sound, beside the noise.
    louder : float
        Level of it above the noise [dB].
    """

    colour: tuple[float, ...]
    sway: float
    mains: float
    hum: float
    other: tuple[str, Sound] | None
    louder: float


class Installation(NamedTuple):
    """A place with a microphone: what is the same in all clips that it records.

    Attributes
    ----------
    seed : int
        Of the room's response.
    distance : float
        Of the microphone from the source [m].
    response : tuple of float
        Of the microphone [dB] every half octave.
    background : Background
    snr : float
        [dB], about.
    level : float
        Root mean square of clips below full scale [dB], about.
    floor : float
        Noise of the sensor below full scale [dB].
    """

    seed: int
    distance: float
    response: tuple[float, ...]
    background: Background
    snr: float
    level: float
    floor: float


def install(rng: np.random.Generator) -> Installation:
    """Draw an installation.

    Parameters
    ----------
    rng : np.random.Generator

    Returns
    -------
    Installation
    """
    microphone = response(rng, rng.uniform(0.5, 4)) + colour(0, log_uniform(rng, 20, 150), rng.uniform(5000, 9000))
    return Installation(
        seed=int(rng.integers(2**32)),
        distance=log_uniform(rng, 0.1, 2),
        response=floats(microphone),
        background=_surroundings(rng),
        snr=float(rng.uniform(*SNR)),
        level=float(rng.uniform(*LEVEL)),
        floor=float(rng.uniform(*FLOOR)),
    )


def _surroundings(rng: np.random.Generator) -> Background:
    """Draw a background."""
    shape = colour(rng.uniform(-7, 3), log_uniform(rng, 50, 300), log_uniform(rng, 2500, 8000)) + response(rng, 3)
    other = None
    if rng.uniform() < OTHER:
        name = str(rng.choice(list(KINDS)))
        other = (name, KINDS[name].draw(rng))
    hum = rng.uniform(0, 0.5) if rng.uniform() < 0.5 else 0.0
    mains, sway = float(rng.choice([50.0, 60.0])), float(rng.uniform(0, 0.6))
    return Background(floats(shape), sway, mains, float(hum), other, float(rng.uniform(-6, 12)))


def surround(background: Background, rng: np.random.Generator, frames: int) -> np.ndarray:
    """Sample the background of a clip.

    Parameters
    ----------
    background : Background
    rng : np.random.Generator
        Of this clip.
    frames : int
        [samples]

    Returns
    -------
    np.ndarray [shape=(frames,), dtype=float32]
        Of root mean square 1.
    """
    total = coloured(rng, frames, np.array(background.colour) + response(rng, COLOUR_STD))
    total = total * swing(turns(rng, frames, log_uniform(rng, 0.1, 1), 0.3), background.sway)
    if background.hum > 0:
        hum = harmonics(rng, background.mains * np.arange(frames) / RATE, [0.3, 1, 0.2, 0.5, 0.1, 0.3])
        total += np.float32(background.hum * rng.uniform(0.5, 1.5)) * hum
    if background.other:
        name, sound = background.other
        total += amplitude(background.louder) * KINDS[name].render(sound, rng, frames)
    return unit(total)


def heard(
    dry: np.ndarray, rng: np.random.Generator, installation: Installation, snr: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Let a microphone hear a sound in its surroundings, apart.

    Parameters
    ----------
    dry : np.ndarray [shape=(frames,)]
    rng : np.random.Generator
        Of this clip.
    installation : Installation
    snr : float, optional
        Power of the sound over that of its background, both as heard [dB]; by default about that of the installation.

    Returns
    -------
    tuple of np.ndarray [shape=(frames,), dtype=float32]
        The sound, of root mean square 1, and its background.
    """
    frames = len(dry)
    wanted = installation.snr + SNR_STD * rng.standard_normal() if snr is None else snr
    microphone = gain(frames, np.array(installation.response) + response(rng, RESPONSE_STD))
    way = room(np.random.default_rng(installation.seed), frames, installation.distance)
    sound = unit(irfft(rfft(dry.astype(np.float32, copy=False)) * way * microphone, frames))
    around = unit(irfft(rfft(surround(installation.background, rng, frames)) * microphone, frames))
    return sound, amplitude(-wanted) * around


def record(
    dry: np.ndarray, rng: np.random.Generator, installation: Installation, snr: float | None = None
) -> np.ndarray:
    """Record a sound as a clip.

    Parameters
    ----------
    dry : np.ndarray [shape=(frames,)]
        What a kind's ``render`` gives.
    rng : np.random.Generator
        Of what changes from clip to clip: level, response, background, noise.
    installation : Installation
    snr : float, optional
        As in :func:`heard`.

    Returns
    -------
    np.ndarray [shape=(frames,), dtype=float32]
        Within -1 and 1.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> record(rng.standard_normal(8000, dtype=np.float32), rng, install(rng)).shape
    (8000,)
    """
    sound, around = heard(dry, rng, installation, snr)
    clip = (
        unit(sound + around) * amplitude(installation.level + LEVEL_STD * rng.standard_normal()) * _drift(rng, len(dry))
    )
    clip += amplitude(installation.floor) * rng.standard_normal(len(dry), dtype=np.float32)
    return _limited(rng, clip)


def _drift(rng: np.random.Generator, frames: int) -> np.ndarray:
    """Let the gain drift by some tenths of a decibel along a clip."""
    start, end = 10 ** (0.3 * rng.standard_normal(2) / 20)
    return np.linspace(start, end, frames, dtype=np.float32)


def _limited(rng: np.random.Generator, clip: np.ndarray) -> np.ndarray:
    """Keep a clip within full scale: softer where it would pass; a few are driven into saturation."""
    peak = float(np.abs(clip).max())
    if rng.uniform() < OVERDRIVEN:
        return np.float32(HIGHEST) * np.tanh(clip * np.float32(rng.uniform(1, 2) / peak)) if peak > 0 else clip
    return clip * np.float32(min(1.0, HIGHEST / peak)) if peak > 0 else clip
