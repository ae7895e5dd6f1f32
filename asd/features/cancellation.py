"""Cancelling with a far microphone: the sound that both record is subtracted from that of the near one.

``Y(f, t) = X_near(f, t) - sum_l H_l(f) X_far(f, t - l)``, with complex weights H from the regularised normal equations
over the clip's own frames, or over clips of noise alone, so that the phase is kept; the waveform is made from Y by
overlap-add. A reconstruction: of the report it follows (Ozeki, DCASE 2026 Task 2) only the idea was known, a complex
least-squares subtraction of the far channel. A machine that leaks into the far microphone is cancelled too.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import fft
from scipy.signal import get_window

from asd.core.artifacts import significant

WINDOW = 0.064  # [s]
TAPS = 3  # frames of the far channel that explain one of the near: reverberation and delay spread over time
REGULARISATION = 1e-3  # of the far channel's mean power in a bin: bins much quieter explain nothing
SILENT = 1e-7  # of full scale, the far channel's largest sample: nothing to cancel with
IDENTICAL = 1e-4  # of the near channel's energy: a far channel that differs less is the same microphone
FLOOR = 1e-30  # of power


class Cancelled(NamedTuple):
    """What is left of the near channel, ``(frames,)``; coherence and removed energy."""

    waveform: np.ndarray
    coherence: float
    removed: float


def cancelled(near: np.ndarray, far: np.ndarray, sample_rate: int, weights: np.ndarray | None = None) -> Cancelled:
    """Subtract from the near channel the part that the far channel explains.

    Parameters
    ----------
    near, far : np.ndarray [shape=(frames,), dtype=float32]
        Full scale 1.
    sample_rate : int
        [Hz]
    weights : np.ndarray [shape=(bins, TAPS), dtype=complex], optional
        Of :func:`noise_weights`; fitted to this clip where there are none, or none of its rate.

    Returns
    -------
    waveform : np.ndarray [shape=(frames,), dtype=float32]
        The near channel as it is where the far one is silent or identical, or the clip is too short to tell.
    coherence : float
        Mean over frequency of the magnitude-squared coherence of the two channels, weighted by the near one's power.
    removed : float
        [dB] The near channel's energy over that of the result.
    """
    size = window_size(sample_rate)
    if np.abs(far).max(initial=0.0) < SILENT or len(near) < 4 * TAPS * size:
        return Cancelled(near, 0.0, 0.0)
    if np.sum((near - far) ** 2, dtype=np.float64) < IDENTICAL * np.sum(near**2, dtype=np.float64):
        return Cancelled(near, 1.0, 0.0)
    x, v = spectrum(near, size), spectrum(far, size)
    if weights is None or len(weights) != len(x):
        weights = fitted([(x, v)])
    left = overlapped(subtracted(x, v, weights), size, len(near)).astype(np.float32)
    energy = [float(np.sum(wave.astype(np.float64) ** 2)) for wave in (near, left)]
    return Cancelled(left, _coherence(x, v), 10 * float(np.log10((energy[0] + FLOOR) / (energy[1] + FLOOR))))


def window_size(sample_rate: int) -> int:
    """Length of a frame [samples] at a rate [Hz]."""
    return 2 * round(WINDOW * sample_rate / 2)


def noise_weights(recordings: Iterable[np.ndarray], sample_rate: int) -> np.ndarray:
    """Fit one set of weights to recordings of noise alone.

    Parameters
    ----------
    recordings : iterable of np.ndarray [shape=(frames, 2)]
        Near and far channel, all of one rate.
    sample_rate : int
        [Hz]

    Returns
    -------
    np.ndarray [shape=(bins, TAPS), dtype=complex]
    """
    size = window_size(sample_rate)
    return fitted((spectrum(samples[:, 0], size), spectrum(samples[:, 1], size)) for samples in recordings)


def packed(weights: np.ndarray) -> list[float]:
    """Write weights as numbers for a description, six digits each."""
    return [significant(value, 6) for value in weights.ravel().view(float).tolist()]


def unpacked(values: Sequence[float]) -> np.ndarray | None:
    """Read the numbers of :func:`packed`; None of an empty sequence."""
    return np.array(values).view(complex).reshape(-1, TAPS) if len(values) else None


def fitted(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Fit the weights by regularised least squares.

    Parameters
    ----------
    pairs : iterable of (np.ndarray, np.ndarray) [shape=(bins, frames)]
        Spectra of near and far channels, see :func:`spectrum`.

    Returns
    -------
    np.ndarray [shape=(bins, TAPS), dtype=complex]
    """
    normals, mixtures = zip(*(_products(x, v) for x, v in pairs), strict=True)
    normal, mixed = np.sum(normals, axis=0), np.sum(mixtures, axis=0)
    power = normal[:, 0, 0].real
    floor = REGULARISATION * power + 1e-6 * power.mean() + FLOOR
    weights: np.ndarray = np.linalg.solve(normal + floor[:, None, None] * np.eye(TAPS), mixed)[:, :, 0].conj()
    return weights


def _products(x: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum up both sides of the normal equations over frames, ``(bins, TAPS, TAPS)`` and ``(bins, TAPS, 1)``."""
    delayed = _delayed(v)
    return delayed @ delayed.conj().transpose(0, 2, 1), delayed @ x.conj()[:, :, None]


def subtracted(x: np.ndarray, v: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Subtract the part of the near channel that the far one explains; linear in both channels.

    Parameters
    ----------
    x, v : np.ndarray [shape=(bins, frames)]
        Spectra of the near and the far channel.
    weights : np.ndarray [shape=(bins, TAPS), dtype=complex]

    Returns
    -------
    np.ndarray [shape=(bins, frames)]
    """
    explained = (weights[:, None, :] @ _delayed(v))[:, 0]
    return x - explained


def _delayed(v: np.ndarray) -> np.ndarray:
    """Stack a spectrum with its past frames, ``(bins, taps, frames)``."""
    return np.stack([np.pad(v, ((0, 0), (tap, 0)))[:, : v.shape[1]] for tap in range(TAPS)], axis=1)


def _coherence(x: np.ndarray, v: np.ndarray) -> float:
    mine, theirs = np.sum(np.abs(x) ** 2, axis=1), np.sum(np.abs(v) ** 2, axis=1)
    shared = np.abs(np.sum(x * v.conj(), axis=1)) ** 2 / (mine * theirs + FLOOR)
    return float(np.sum(shared * mine) / (np.sum(mine) + FLOOR))


def spectrum(waveform: np.ndarray, size: int) -> np.ndarray:
    """Transform a waveform in half-overlapping frames with square-root Hann windows.

    Parameters
    ----------
    waveform : np.ndarray [shape=(samples,)]
    size : int
        [samples] Of a frame.

    Returns
    -------
    np.ndarray [shape=(bins, frames), dtype=complex]
    """
    padded = np.pad(waveform, (size // 2, size))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[:: size // 2]
    transformed: np.ndarray = fft.rfft(frames * _window(size), axis=1).T
    return transformed


def overlapped(spectrum: np.ndarray, size: int, length: int) -> np.ndarray:
    """Transform back, by overlap-add: the windows' squares add up to one.

    Parameters
    ----------
    spectrum : np.ndarray [shape=(bins, frames)]
        Of :func:`spectrum`.
    size, length : int
        [samples] Of a frame, and of the waveform.

    Returns
    -------
    np.ndarray [shape=(length,)]
    """
    frames = fft.irfft(spectrum.T, size, axis=1) * _window(size)
    half = size // 2
    total = np.zeros((len(frames) + 1) * half)
    total[: len(frames) * half] += frames[:, :half].ravel()
    total[half:] += frames[:, half:].ravel()
    return total[half : half + length]


def _window(size: int) -> np.ndarray:
    window: np.ndarray = np.sqrt(get_window("hann", size))
    return window.astype(np.float32)
