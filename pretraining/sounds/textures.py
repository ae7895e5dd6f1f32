"""Textures by their statistics: noise in bands whose envelopes have drawn mean, spread, skew, pace and correlation.

Statistics are those of J. H. McDermott and E. P. Simoncelli, "Sound texture perception via statistics of the auditory
periphery", Neuron 71, 2011; they are imposed on short frames of noise at once rather than by iteration.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.fft import irfft

from asd.simulation.signals import RATE, white
from pretraining.sounds.parts import floats, log_uniform, named, slope_of, unit

BANDS = 24
EDGES = np.geomspace(60, 7800, BANDS + 1)  # [Hz]
CENTRES = np.sqrt(EDGES[1:] * EDGES[:-1])  # [Hz]
WINDOWS = (128, 256, 512, 1024)  # [samples] of a frame of noise


class Texture(NamedTuple):
    """The statistics of a texture.

    Attributes
    ----------
    level : tuple of float [length=BANDS]
        Spectral density [dB] at the centres of the bands.
    spread : tuple of float [length=BANDS]
        Standard deviations of the envelopes about their means, relative, before they are bent.
    evenness : float
        Of the envelopes' distribution: near 0 it is skewed as a log-normal one, 1: symmetric.
    rate : float
        About which the envelopes fluctuate [Hz].
    width : float
        Of their modulation spectrum about it [octaves].
    slow : float
        Share of slow fluctuation, of a power that falls with the modulation rate.
    correlation : float
        Share of the envelopes' fluctuation that all bands have in common.
    reach : float
        Over how many bands neighbours fluctuate together.
    window : int
        Length of the frames of noise [samples].
    """

    level: tuple[float, ...]
    spread: tuple[float, ...]
    evenness: float
    rate: float
    width: float
    slow: float
    correlation: float
    reach: float
    window: int


def _smooth(rng: np.random.Generator, std: float, knots: int) -> np.ndarray:
    """Draw a curve over the bands through random knots."""
    return np.interp(np.linspace(0, knots - 1, BANDS), np.arange(knots), std * rng.standard_normal(knots))


def draw(rng: np.random.Generator) -> Texture:
    """Draw a texture.

    Parameters
    ----------
    rng : np.random.Generator

    Returns
    -------
    Texture

    Examples
    --------
    >>> texture = draw(np.random.default_rng(0))
    >>> render(texture, np.random.default_rng(1), 8000).shape
    (8000,)
    """
    octaves = np.log2(CENTRES / 1000)
    level = rng.uniform(-8, 3) * octaves + _smooth(rng, rng.uniform(1, 10), int(rng.integers(3, 12)))
    spread = log_uniform(rng, 0.05, 1.5) * np.exp(_smooth(rng, rng.uniform(0, 0.8), int(rng.integers(2, 6))))
    return Texture(
        level=floats(level + rng.uniform(0, 3) * rng.standard_normal(BANDS)),
        spread=floats(np.minimum(spread, 2.0)),
        evenness=log_uniform(rng, 0.05, 1),
        rate=log_uniform(rng, 0.5, 25),
        width=log_uniform(rng, 0.1, 2),
        slow=rng.uniform() ** 2,
        correlation=rng.uniform(),
        reach=log_uniform(rng, 0.5, 8),
        window=int(rng.choice(WINDOWS)),
    )


def near(texture: Texture, rng: np.random.Generator, amount: float) -> Texture:
    """Change the statistics of a texture.

    Parameters
    ----------
    texture : Texture
    rng : np.random.Generator
    amount : float
        How much, between 0 (not at all) and 1.

    Returns
    -------
    Texture
    """
    if amount == 0:
        return texture
    step = amount * rng.standard_normal(7)
    level = np.array(texture.level) + amount * (_smooth(rng, 5, 6) + 2 * rng.standard_normal(BANDS))
    spread = np.array(texture.spread) * np.exp(0.6 * step[0] + amount * _smooth(rng, 0.4, 4))
    return texture._replace(
        level=floats(level),
        spread=floats(np.clip(spread, 0.03, 2.0)),
        evenness=float(np.clip(texture.evenness * np.exp(0.7 * step[1]), 0.05, 1)),
        rate=float(np.clip(texture.rate * np.exp(0.6 * step[2]), 0.3, 30)),
        width=float(np.clip(texture.width * np.exp(0.5 * step[3]), 0.1, 2.5)),
        slow=float(np.clip(texture.slow + 0.25 * step[4], 0, 1)),
        correlation=float(np.clip(texture.correlation + 0.3 * step[5], 0, 1)),
        reach=float(np.clip(texture.reach * np.exp(0.6 * step[6]), 0.3, 10)),
    )


def render(texture: Texture, rng: np.random.Generator, frames: int) -> np.ndarray:
    """Sample a clip of a texture.

    Parameters
    ----------
    texture : Texture
    rng : np.random.Generator
        Of the noise and of its envelopes.
    frames : int
        [samples]

    Returns
    -------
    np.ndarray [shape=(frames,), dtype=float32]
        Dry, of root mean square 1.
    """
    hop = texture.window // 2
    steps = -(-frames // hop) + 1
    loud = envelopes(texture, rng, steps) * np.power(10, np.array(texture.level) / 20, dtype=np.float32)
    spectra = rng.standard_normal((steps, hop + 1, 2), dtype=np.float32).view(np.complex64)[..., 0]
    spectra *= loud @ _weights(texture.window)
    pieces = irfft(spectra, texture.window) * np.sin(np.pi * (np.arange(2 * hop, dtype=np.float32) + 0.5) / (2 * hop))
    joined = pieces[1:, :hop] + pieces[:-1, hop:]
    return unit(joined.ravel()[:frames])


def _weights(window: int) -> np.ndarray:
    """Read envelopes of bands at the frequencies of a frame; linear between the centres, on a scale of octaves."""
    hz = np.fft.rfftfreq(window, 1 / RATE)
    place = np.log(np.maximum(hz, CENTRES[0]) / CENTRES[0]) / np.log(CENTRES[1] / CENTRES[0])
    weights = np.maximum(1 - np.abs(np.minimum(place, BANDS - 1) - np.arange(BANDS)[:, None]), 0)
    weights[:, hz < EDGES[0] / 2] = 0
    return weights.astype(np.float32)


def envelopes(texture: Texture, rng: np.random.Generator, steps: int) -> np.ndarray:
    """Sample the bands' envelopes, of mean 1.

    Parameters
    ----------
    texture : Texture
    rng : np.random.Generator
    steps : int
        Half windows.

    Returns
    -------
    np.ndarray [shape=(steps, BANDS), dtype=float32]
    """
    hz = np.fft.rfftfreq(steps, texture.window / 2 / RATE)[1:]
    tuned = np.exp(-0.5 * (np.log2(hz / texture.rate) / texture.width) ** 2) / hz
    falling = 1 / (0.3 + hz) ** 2
    density = (1 - texture.slow) * tuned / (tuned.sum() + 1e-9) + texture.slow * falling / falling.sum()
    spectra = np.stack([white(rng, steps) for _ in range(BANDS)])
    spectra[:, 0] = 0
    spectra[:, 1:] *= np.sqrt(density) * steps / 2
    together = irfft(_mixing(texture) @ spectra, steps).T * np.array(texture.spread, dtype=np.float32)
    even = texture.evenness
    bent: np.ndarray = np.maximum(1 + even * together, 0) ** (1 / even)
    return (bent / (bent.mean(axis=0) + 1e-6)).astype(np.float32)


def _mixing(texture: Texture) -> np.ndarray:
    """Give the matrix [shape=(BANDS, BANDS)] that makes independent envelopes fluctuate together."""
    apart = np.arange(BANDS) - np.arange(BANDS)[:, None]
    local = np.exp(-0.5 * (apart / texture.reach) ** 2)
    covariance = texture.correlation + (1 - texture.correlation) * local + 1e-4 * np.eye(BANDS)
    return np.linalg.cholesky(covariance).astype(np.float32)


def parameters(texture: Texture) -> dict[str, float]:
    """Give what is known of a texture.

    Parameters
    ----------
    texture : Texture

    Returns
    -------
    dict of str to float
        By :data:`asd.encoders.architectures.machine.PARAMETERS`: neither tones, impacts nor resonances.
    """
    return named(
        log_modulation_rate=math.log(texture.rate),
        modulation_depth=min(float(np.mean(texture.spread)), 1.0),
        spectral_slope=slope_of(np.array(texture.level), CENTRES),
    )
