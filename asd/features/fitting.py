"""Front ends fitted per machine: values left open are found on its training clips and noise-only clips alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from scipy.signal import welch

from asd.core.section import checked
from asd.datasets.audio import dead, read
from asd.features.band_selection import CLEAR
from asd.features.cancellation import noise_weights, packed, unpacked
from asd.features.front_end import FrontEnd, FrontEndParams
from asd.features.prepare import load_waveform

MOST_CLIPS = 64  # of each kind that are read, evenly spread
CELL = 12.5  # [Hz] of their spectra
THIRD = 2 ** (1 / 6)  # half a third-octave band
LOWEST, HIGHEST = 25.0, 1000.0  # [Hz] of the cut-offs that are tried
STEADY = 0.35  # [nat] 1.5 dB: a band whose level spreads over clips so much more than usual is the surroundings'

Paths = Sequence[Path | str]


@dataclass(frozen=True)
class FittedFrontEnd:
    """A front end with nothing left open.

    Attributes
    ----------
    params : FrontEndParams
    canceller : np.ndarray [shape=(bins, taps), dtype=complex] or None
        Weights that cancel noise, to six digits; None: fitted to each clip, where the channel is ``cancel``.
    """

    params: FrontEndParams
    canceller: np.ndarray | None = None

    def differences(self, common: FrontEndParams) -> dict[str, Any]:
        """List the fitted keys: those that differ from the common block, and the canceller."""
        theirs = common.model_dump()
        changed = {key: value for key, value in self.params.model_dump().items() if value != theirs[key]}
        return changed if self.canceller is None else changed | {"canceller": packed(self.canceller)}

    @classmethod
    def from_description(cls, description: dict[str, Any], machine: str) -> Self:
        """Read a machine's front end from a store's description.

        Parameters
        ----------
        description : dict
            Of :func:`description_of`.
        machine : str

        Returns
        -------
        FittedFrontEnd
        """
        changed = dict(description.get("machines", {}).get(machine, {}))
        canceller = unpacked(changed.pop("canceller", ()))
        block = {key: value for key, value in description.items() if key not in DERIVED}
        return cls(checked(FrontEnd, block | changed).root, canceller)


DERIVED = ("n_features", "frames_per_second", "machines")  # in a store's description beside the block's keys


def description_of(params: FrontEndParams, fitted: dict[str, FittedFrontEnd]) -> dict[str, Any]:
    """Describe a store of features.

    Parameters
    ----------
    params : FrontEndParams
        The front end's block in params.yaml.
    fitted : dict of str to FittedFrontEnd
        By machine.

    Returns
    -------
    dict
        The block's keys, ``n_features``, ``frames_per_second`` (unless a clip is one row) and, if anything was fitted,
        ``machines``: by machine the keys that differ.
    """
    description = {**params.model_dump(), "n_features": params.n_features}
    if params.frames_per_second is not None:
        description["frames_per_second"] = params.frames_per_second
    machines = {machine: front_end.differences(params) for machine, front_end in fitted.items()}
    return description | ({"machines": machines} if any(machines.values()) else {})


def fit_front_end(params: FrontEndParams, rates: Sequence[int], machine: Paths, noise: Paths) -> FittedFrontEnd:
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
    FittedFrontEnd
    """
    params = params.lowered(min(rates)) if len(rates) else params
    canceller = _canceller(noise) if params.channel == "cancel" and params.cancel_by == "noise" else None
    if params.fits_to_spectra:
        spectra = _spectra(machine, params, canceller), _spectra(noise, params, canceller)
        if params.high_pass == "auto":
            params = params.model_copy(update={"high_pass": cut_off(*spectra, params.sample_rate)})
        params = params.fitted_to_spectra(*spectra)
    return FittedFrontEnd(params, canceller)


def cut_off(machine: np.ndarray, noise: np.ndarray, sample_rate: int) -> float:
    """Choose the frequency below which the recordings tell more of the surroundings than of the machine.

    Third-octave bands are tried from 25 Hz upwards; the lower edge of the first two in a row that are the machine's
    is the cut-off. With noise-only clips a band is the machine's where it is 3 dB louder than in these, beyond two
    standard errors. Without, where its level varies over the clips hardly more than is usual above 1 kHz: a machine
    sounds the same in every clip, the rumble around it does not.

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
    frequencies = np.arange(machine.shape[1]) * (sample_rate / 2 / (machine.shape[1] - 1))
    levels, quiet = (np.log(_third_octaves(spectra, frequencies, centres)) for spectra in (machine, noise))
    spread = levels.std(axis=0)
    if len(noise):
        error = np.sqrt(levels.var(axis=0) / len(levels) + quiet.var(axis=0) / len(quiet))
        of_machine = levels.mean(axis=0) - quiet.mean(axis=0) - 2 * error >= np.log(CLEAR)
    else:
        usual = np.median(spread[centres > HIGHEST]) if (centres > HIGHEST).any() else np.inf
        of_machine = spread <= usual + STEADY
    both = of_machine[:-1] & of_machine[1:]  # this band and the next
    if both[:1].all():
        return 0.0
    edge = centres[both.argmax()] / THIRD if both.any() else HIGHEST
    return round(float(min(edge, HIGHEST, sample_rate / 8)), 1)


def _third_octaves(spectra: np.ndarray, frequencies: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Average power spectra over third-octave bands, (clips, bands)."""
    edges = np.searchsorted(frequencies, np.outer(centres, [1 / THIRD, THIRD]))
    cells = [slice(low, max(high, low + 1)) for low, high in edges]
    return np.stack([spectra[:, some].mean(axis=1) for some in cells], axis=1).clip(np.finfo(float).tiny)


def _spectra(paths: Paths, params: FrontEndParams, canceller: np.ndarray | None) -> np.ndarray:
    """Estimate the power spectral density of some of the clips, (clips, cells // 2 + 1)."""
    unfiltered = params.model_copy(update={"high_pass": 0.0, "loop_seconds": 0, "trim_or_pad_seconds": 0})
    cells = max(16, round(params.sample_rate / CELL))
    waveforms = (load_waveform(path, unfiltered, canceller) for path in _some(paths))
    densities = [welch(y, params.sample_rate, nperseg=min(cells, len(y)), nfft=cells)[1] for y in waveforms]
    return np.array(densities) if densities else np.empty((0, cells // 2 + 1))


def _some(paths: Paths) -> list[Path | str]:
    """Choose :data:`MOST_CLIPS` of them, evenly spread."""
    return [paths[i] for i in np.unique(np.linspace(0, len(paths) - 1, MOST_CLIPS).astype(int))] if len(paths) else []


def _canceller(noise: Paths) -> np.ndarray | None:
    """Fit the weights of :mod:`asd.features.cancellation` to noise-only clips of the first one's rate."""
    both = ((samples, rate) for samples, rate in map(read, _some(noise)) if samples.shape[1] > 1)
    recordings = [(samples, rate) for samples, rate in both if not dead(samples)[:2].any()]
    if not recordings:
        return None
    first = recordings[0][1]
    weights = noise_weights((samples for samples, rate in recordings if rate == first), first)
    return unpacked(packed(weights))  # as they are stored
