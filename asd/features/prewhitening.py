"""Pre-whitening: take away what is predictable, or what is loud, so that weak impacts stand out."""

import numpy as np
from scipy import fft
from scipy.linalg import solve_toeplitz
from scipy.signal import lfilter

FLOOR = 1e-3  # of the median magnitude: quieter bins are empty, and stay quiet


def cepstral(waveform: np.ndarray) -> np.ndarray:
    """Set every line of the spectrum to the same magnitude and keep the phases, which carry the impacts.

    Equal to setting the real cepstrum to zero but at quefrency 0 (Borghesani et al., "Application of cepstrum
    pre-whitening for the diagnosis of bearing faults under variable speed conditions", MSSP 36, 2013).

    Parameters
    ----------
    waveform : np.ndarray [shape=(samples,)]

    Returns
    -------
    np.ndarray [shape=(samples,), dtype=float64]
        Of unit power; zeros for silence.
    """
    spectrum = fft.rfft(waveform.astype(np.float64) - np.mean(waveform, dtype=np.float64))
    magnitude = np.abs(spectrum)
    least = FLOOR * np.median(magnitude[magnitude > 0]) if magnitude.any() else 1.0
    white: np.ndarray = fft.irfft(spectrum / np.maximum(magnitude, least), len(waveform))
    return white * np.sqrt(len(waveform))


def autoregressive(waveform: np.ndarray, order: int) -> np.ndarray:
    """Subtract what a linear prediction knows beforehand: tones and resonances go, impacts stay.

    The prediction is fitted by the autocorrelation method, the Yule-Walker equations (Sawalhi and Randall, "The
    enhancement of fault detection and diagnosis in rolling element bearings using minimum entropy deconvolution
    combined with spectral kurtosis", MSSP 21, 2007).

    Parameters
    ----------
    waveform : np.ndarray [shape=(samples,)]
    order : int
        Number of past samples that predict the next, less than there are samples.

    Returns
    -------
    np.ndarray [shape=(samples,), dtype=float64]
        The prediction's residual.
    """
    signal = waveform.astype(np.float64) - np.mean(waveform, dtype=np.float64)
    correlation = fft.irfft(np.abs(fft.rfft(signal, 2 * len(signal))) ** 2)[: order + 1]
    if correlation[0] <= 0:
        return signal
    correlation[0] *= 1 + 1e-9  # solvable for pure tones too
    prediction = solve_toeplitz(correlation[:-1], correlation[1:])
    residual: np.ndarray = lfilter(np.r_[1.0, -prediction], [1.0], signal)
    return residual
