"""Linear spectra: frame by frame, and of a whole clip, the inputs of the two branches of Wang 2025."""

import numpy as np
from scipy import fft

from asd.features.mel import CHUNK, framed, hann
from asd.features.params import SpectrumParams, StftParams


def stft_magnitude(waveform: np.ndarray, params: StftParams) -> np.ndarray:
    """Compute the magnitude of the short-time Fourier transform, zero beyond ``f_min`` ... ``f_max``.

    As ``abs(librosa.stft(y, n_fft, hop_length))`` with its defaults. All ``n_fft // 2 + 1`` bins are kept,
    as in Wang 2025 (513 bins), and those out of the range (there 200-8000 Hz) are set to zero.

    Parameters
    ----------
    waveform : np.ndarray [shape=(samples,), dtype=float32]
        Full scale 1, at ``params.sample_rate``.
    params : StftParams

    Returns
    -------
    np.ndarray [shape=(1 + samples // hop_length, n_fft // 2 + 1), dtype=float32]
    """
    frames = framed(waveform.astype(np.float32, copy=False), params.n_fft, params.hop_length)
    frequencies = np.fft.rfftfreq(params.n_fft, 1 / params.sample_rate)
    passed = ((frequencies >= params.f_min) & (frequencies <= params.f_max)).astype(np.float32)
    rows = np.empty((len(frames), params.bands), np.float32)
    step = max(1, CHUNK // params.n_fft)
    for start in range(0, len(frames), step):
        part = slice(start, start + step)
        np.abs(fft.rfft(frames[part] * hann(params.n_fft), axis=1, overwrite_x=True), out=rows[part])
    rows *= passed
    return rows


def magnitude_spectrum(waveform: np.ndarray, params: SpectrumParams) -> np.ndarray:
    """Compute the magnitude spectrum of a whole clip in cells of equal width.

    A clip of 10 s resolves 0.1 Hz, finer than the ``points`` up to ``f_max``: of the bins within a cell the root mean
    square is taken, which keeps the power. A clip too short for the cells is padded with zeros.

    Parameters
    ----------
    waveform : np.ndarray [shape=(samples,), dtype=float32]
        Full scale 1, at ``params.sample_rate``.
    params : SpectrumParams

    Returns
    -------
    np.ndarray [shape=(1, points), dtype=float32]
        Amplitude: a sine in the middle of its bin reads its own, where a cell is one bin.
    """
    least = int(np.ceil(params.points * params.sample_rate / params.f_max))
    spectrum = fft.rfft(waveform.astype(np.float64), max(len(waveform), least))
    frequencies = fft.rfftfreq(max(len(waveform), least), 1 / params.sample_rate)
    cells = (frequencies * params.points / params.f_max + 1e-9).astype(int)
    inside = cells < params.points
    power = np.bincount(cells[inside], np.abs(spectrum[inside]) ** 2, params.points)
    mean = power / np.maximum(np.bincount(cells[inside], minlength=params.points), 1)
    return (np.sqrt(mean) * (2 / max(len(waveform), 1)))[None].astype(np.float32)
