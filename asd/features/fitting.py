"""What a description leaves open is fitted per machine, to its training clips and noise-only clips alone."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.signal import welch

from asd.datasets.audio import read
from asd.features.bands import CLEAR, contrast
from asd.features.cancellation import noise_weights, packed
from asd.features.heard import Heard
from asd.features.params import EnvelopeSpectrumParams, FrontEndParams
from asd.features.waveform import load_waveform

MOST_CLIPS = 64  # of each kind that are listened to, evenly spread
CELL = 12.5  # [Hz] of their spectra
THIRD = 2 ** (1 / 6)  # half a third-octave band
LOWEST, HIGHEST = 25.0, 1000.0  # [Hz] of the cut-offs that are tried
STEADY = 0.35  # [nat] 1.5 dB: a band whose level spreads over clips so much more than usual is the surroundings'

Paths = Sequence[Path | str]


def fitted(params: FrontEndParams, rates: Sequence[int], machine: Paths, noise: Paths) -> FrontEndParams:
    """Fit a front end to one machine.

    Parameters
    ----------
    params : FrontEndParams
        ``low_rate: lower`` lowers the highest frequency to what the lowest rate contains; ``high_pass: auto`` becomes
        a cut-off; ``band: contrast`` a band, or the kurtogram where there is no contrast; ``cancel_by: noise`` the
        weights that cancel noise alone, or none where there are no noise-only clips of two channels.
    rates : sequence of int
        [Hz] Rates of the machine's training clips.
    machine, noise : sequence of path
        Its normal training clips, and its noise-only clips, of which there may be none.

    Returns
    -------
    FrontEndParams
        Nothing left open; the same object where nothing was.
    """
    params = params.lowered(min(rates)) if len(rates) else params
    if params.channel == "cancel" and params.cancel_by == "noise":
        params = params.model_copy(update={"canceller": _canceller(noise)})
    by_contrast = isinstance(params, EnvelopeSpectrumParams) and params.band == "contrast"
    if params.high_pass != "auto" and not by_contrast:
        return params
    spectra = _spectra(machine, params), _spectra(noise, params)
    if params.high_pass == "auto":
        params = params.model_copy(update={"high_pass": cut_off(*spectra, params.sample_rate)})
    if isinstance(params, EnvelopeSpectrumParams) and by_contrast:
        ratio = _ratio(*spectra)
        band = None if ratio is None else contrast(ratio, params.sample_rate, params.band_low, params.band_high)
        chosen = {"band": "given", "band_low": band[0], "band_high": band[1]} if band else {"band": "kurtogram"}
        params = params.model_copy(update=chosen)
    return params


def cut_off(machine: np.ndarray, noise: np.ndarray, sample_rate: int) -> float:
    """Choose below which frequency a machine says nothing.

    Third-octave bands are tried from 25 Hz upwards; the lower edge of the first two in a row that are the machine's
    is the cut-off. With noise-only clips a band is the machine's where it is 3 dB louder than in these, beyond two
    standard errors. Without, where its level varies over the clips hardly more than is usual above 1 kHz: a machine
    sounds the same in every clip, what rumbles around it does not.

    Parameters
    ----------
    machine, noise : np.ndarray [shape=(clips, cells)]
        Power spectra from 0 to half the rate; no noise-only clips: (0, cells).
    sample_rate : int
        [Hz]

    Returns
    -------
    float
        [Hz], 0 where even the lowest band is the machine's or there are no clips; at most 1000.
    """
    if not len(machine):
        return 0.0
    centres = LOWEST * 2 ** (np.arange(int(3 * np.log2(sample_rate / 2 / LOWEST))) / 3)
    places = np.arange(machine.shape[1]) * (sample_rate / 2 / (machine.shape[1] - 1))
    levels, quiet = (np.log(_thirds(spectra, places, centres)) for spectra in (machine, noise))
    spread = levels.std(axis=0)
    if len(noise):
        error = np.sqrt(levels.var(axis=0) / len(levels) + quiet.var(axis=0) / len(quiet))
        own = levels.mean(axis=0) - quiet.mean(axis=0) - 2 * error >= np.log(CLEAR)
    else:
        own = spread <= (np.median(spread[centres > HIGHEST]) if (centres > HIGHEST).any() else np.inf) + STEADY
    both = own[:-1] & own[1:]
    if both[:1].all():
        return 0.0
    edge = centres[both.argmax()] / THIRD if both.any() else HIGHEST
    return round(float(min(edge, HIGHEST, sample_rate / 8)), 1)


def _thirds(spectra: np.ndarray, places: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Average power spectra over third-octave bands, (clips, bands)."""
    edges = np.searchsorted(places, np.outer(centres, [1 / THIRD, THIRD]))
    cells = [slice(low, max(high, low + 1)) for low, high in edges]
    return np.stack([spectra[:, some].mean(axis=1) for some in cells], axis=1).clip(np.finfo(float).tiny)


def _spectra(paths: Paths, params: FrontEndParams) -> np.ndarray:
    """Estimate the power spectral density of some of the clips, (clips, cells + 1)."""
    open_to_all = params.model_copy(update={"high_pass": 0.0, "loop_seconds": 0, "trim_or_pad_seconds": 0})
    cells = max(16, round(params.sample_rate / CELL))
    found = [_density(load_waveform(path, open_to_all), params, cells) for path in _some(paths)]
    return np.array(found) if found else np.empty((0, cells // 2 + 1))


def _some(paths: Paths) -> list[Path | str]:
    """Choose :data:`MOST_CLIPS` of them, evenly spread."""
    return [paths[i] for i in np.unique(np.linspace(0, len(paths) - 1, MOST_CLIPS).astype(int))] if len(paths) else []


def _canceller(noise: Paths) -> list[float]:
    """Fit the weights of :mod:`asd.features.cancellation` to noise-only clips of the first one's rate."""
    read_clips = [(samples, rate) for samples, rate in map(read, _some(noise)) if samples.shape[1] > 1]
    if not read_clips:
        return []
    rate = read_clips[0][1]
    weights = noise_weights((samples for samples, own in read_clips if own == rate), rate)
    return packed(weights)


def _density(waveform: np.ndarray, params: Heard, cells: int) -> np.ndarray:
    density: np.ndarray = welch(waveform, params.sample_rate, nperseg=min(cells, len(waveform)), nfft=cells)[1]
    return density


def _ratio(machine: np.ndarray, noise: np.ndarray) -> np.ndarray | None:
    """Divide the mean spectrum of a machine's clips by that of noise-only clips; None where either is missing."""
    if not len(machine) or not len(noise):
        return None
    quiet = noise.mean(axis=0)
    ratio: np.ndarray = machine.mean(axis=0) / np.maximum(quiet, max(1e-12 * quiet.max(), np.finfo(float).tiny))
    return ratio
