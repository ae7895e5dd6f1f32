"""Choose the band of a recording to demodulate: the most impulsive one, or where the machine beats the noise."""

import numpy as np
from scipy.signal import firwin, lfilter

LEVELS = 6  # of halving: bands down to 1/64 of half the rate
LEAST = 256  # [samples] of a band after decimation: fewer say nothing of its kurtosis
CLEAR = 10 ** (3 / 10)  # power ratio at which a machine is clearly louder than the noise
NARROWEST = 500.0  # [Hz] of a band by contrast

Band = tuple[float, float]  # [Hz] lower and upper edge


def spectral_kurtosis(waveform: np.ndarray, window: int) -> np.ndarray:
    """Estimate the spectral kurtosis ``E|X|^4 / (E|X|^2)^2 - 2`` of each bin of a short-time Fourier transform.

    Antoni, "The spectral kurtosis: a useful tool for characterising non-stationary signals", MSSP 20, 2006. Hann
    windows that overlap by three quarters.

    Parameters
    ----------
    waveform : np.ndarray [shape=(samples,)]
        At least one window long.
    window : int
        [samples]

    Returns
    -------
    np.ndarray [shape=(window // 2 + 1,)]
        0 for Gaussian noise, -1 for a steady tone, large for impacts. The first and last bin are real and read 1 more.
    """
    frames = np.lib.stride_tricks.sliding_window_view(waveform, window)[:: max(1, window // 4)]
    power = np.abs(np.fft.rfft(frames * np.hanning(window), axis=1)) ** 2
    mean = power.mean(axis=0)
    kurtosis: np.ndarray = (power**2).mean(axis=0) / np.maximum(mean**2, np.finfo(float).tiny) - 2
    return kurtosis


def kurtosis_band(waveform: np.ndarray, sample_rate: int, low: float, high: float) -> Band:
    """Choose the band about the largest spectral kurtosis, 500 Hz wide.

    Parameters
    ----------
    waveform : np.ndarray [shape=(samples,)]
    sample_rate : int
        [Hz]
    low, high : float
        [Hz] Limits of the band.

    Returns
    -------
    low, high : float
        [Hz]; the limits where no bin lies between them, or the waveform is shorter than four windows.
    """
    window = int(4 * sample_rate / NARROWEST)  # a Hann window is four of its bins wide
    if len(waveform) < 4 * window:
        return low, high
    kurtosis, frequencies = spectral_kurtosis(waveform, window), np.fft.rfftfreq(window, 1 / sample_rate)
    inside = (frequencies >= low) & (frequencies <= high)
    inside[[0, -1]] = False
    if not inside.any():
        return low, high
    centre = frequencies[inside][kurtosis[inside].argmax()]
    return max(low, centre - NARROWEST / 2), min(high, centre + NARROWEST / 2)


def kurtogram(waveform: np.ndarray, sample_rate: int, lowest: float = 0.0, highest: float = np.inf) -> Band:
    """Choose the most impulsive band by the fast kurtogram.

    Antoni, "Fast computation of the kurtogram for the detection of transient faults", MSSP 21, 2007, its binary tree:
    a quasi-analytic filter pair splits each band in two and halves the rate, and the band whose complex envelope has
    the largest kurtosis ``E|c|^4 / (E|c|^2)^2 - 2`` is chosen.

    Parameters
    ----------
    waveform : np.ndarray [shape=(samples,)]
    sample_rate : int
        [Hz]
    lowest, highest : float
        [Hz] Only bands between them are tried.

    Returns
    -------
    low, high : float
        [Hz]
    """
    half = sample_rate / 2
    bands: list[tuple[np.ndarray, float, float]] = [(np.asarray(waveform, np.complex128), 0.0, half)]
    best, most = (lowest, min(highest, half)), -np.inf
    for _ in range(LEVELS):
        bands = [part for band in bands for part in _halves(*band)]
        if len(bands[0][0]) < LEAST:
            break
        for envelope, low, high in bands:
            kurtosis = _kurtosis(envelope)
            if low >= lowest and high <= highest and kurtosis > most:
                best, most = (low, high), kurtosis
    return best


def _halves(signal: np.ndarray, low: float, high: float) -> list[tuple[np.ndarray, float, float]]:
    """Split a band that fills [0, half the rate] of an analytic signal into its halves, each at half the rate.

    The filters pass [0, 1/4] and [1/4, 1/2] of the rate; taking every second sample moves the upper one down to 0.
    """
    n = np.arange(_TAPS)
    lower = lfilter(_PROTOTYPE * np.exp(2j * np.pi * n / 8), [1.0], signal)[::2]
    upper = lfilter(_PROTOTYPE * np.exp(2j * np.pi * n * 3 / 8), [1.0], signal)[::2]
    shift = np.exp(-1j * np.pi * np.arange(len(upper)))  # [1/2, 1] of the new rate, which is [-1/2, 0], to [0, 1/2]
    middle = (low + high) / 2
    return [(lower, low, middle), (upper * shift, middle, high)]


_TAPS = 33
_PROTOTYPE = firwin(_TAPS, 1 / 4)  # passes 1/8 of the rate to either side: one quarter, once it is moved


def _kurtosis(envelope: np.ndarray) -> float:
    settled = np.abs(envelope[_TAPS:]) ** 2
    power = settled.mean()
    return float((settled**2).mean() / power**2 - 2) if power > 0 else -np.inf


def contrast_band(ratio: np.ndarray, sample_rate: int, low: float, high: float) -> Band | None:
    """Choose the band in which a machine is clearly louder than its surroundings.

    Of the runs of cells where it is 3 dB up or more, the one with the largest sum of decibels wins.

    Parameters
    ----------
    ratio : np.ndarray [shape=(cells,)]
        Mean power spectrum of the machine's clips over that of noise-only clips, from 0 to half the rate.
    sample_rate : int
        [Hz]
    low, high : float
        [Hz] Limits of the band.

    Returns
    -------
    low, high : float
        [Hz], at least 500 Hz apart if the limits allow it; None where the machine is nowhere clearly louder: the caller
        falls back on the kurtogram.
    """
    step = sample_rate / 2 / (len(ratio) - 1)
    frequencies = np.arange(len(ratio)) * step
    clear = np.flatnonzero((ratio >= CLEAR) & (frequencies >= low) & (frequencies <= high))
    if not len(clear):
        return None
    runs = np.split(clear, np.flatnonzero(np.diff(clear) > 1) + 1)
    run = max(runs, key=lambda cells: float(np.log(ratio[cells]).sum()))
    below, above = (run[0] - 0.5) * step, (run[-1] + 0.5) * step
    lack = max(0.0, NARROWEST - (above - below)) / 2
    return max(low, below - lack), min(high, above + lack)


def power_ratio(machine: np.ndarray, noise: np.ndarray) -> np.ndarray | None:
    """Divide the mean power spectrum of a machine's clips by that of noise-only clips.

    Parameters
    ----------
    machine, noise : np.ndarray [shape=(clips, cells)]

    Returns
    -------
    np.ndarray [shape=(cells,)]
        None where there are no clips of either.
    """
    if not len(machine) or not len(noise):
        return None
    quiet = noise.mean(axis=0)
    ratio: np.ndarray = machine.mean(axis=0) / np.maximum(quiet, max(1e-12 * quiet.max(), np.finfo(float).tiny))
    return ratio
