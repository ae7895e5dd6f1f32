"""Pre-whitening, bands and envelopes against theory and independent computation; what is fitted per machine."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.signal
import soundfile

from asd.core.errors import UserError
from asd.features import band_selection, prewhitening
from asd.features.envelope import periodogram, squared_envelope
from asd.features.extraction import extract
from asd.features.fitting import FittedFrontEnd, cut_off, fit_front_end
from asd.features.front_ends.envelope_spectrum import EnvelopeSpectrumParams
from asd.features.front_ends.log_mel import LogMelParams

RATE = 16000
ENVELOPE = {"kind": "envelope_spectrum", "sample_rate": RATE, "band_low": 500, "band_high": 7600}
ENVELOPE |= {"resolution": 0.25, "f_max": 200}
LOG_MEL = {"kind": "log_mel", "sample_rate": RATE, "n_fft": 1024, "hop_length": 512, "n_mels": 128}
LOG_MEL |= {"f_min": 0, "f_max": 8000}


def impacts(hz: float = 37.5, resonance: float = 3000, noise: float = 0.3, seconds: float = 4) -> np.ndarray:
    """Impacts that ring at a resonance, in white noise, beside a loud low tone."""
    rng = np.random.default_rng(7)
    time = np.arange(int(seconds * RATE)) / RATE
    hits = np.cumsum(1 + 0.01 * rng.standard_normal(int(seconds * hz * 1.2))) / hz  # with slip: not quite periodic
    since = time - np.r_[-1.0, hits][np.searchsorted(hits, time)]
    ringing = np.exp(-since / 0.001) * np.sin(2 * np.pi * resonance * since)
    return ringing + noise * rng.standard_normal(len(time)) + 3 * np.sin(2 * np.pi * 150 * time)


# --- pre-whitening


def test_cepstral_prewhitening_sets_the_cepstrum_to_zero() -> None:
    white = prewhitening.cepstral(impacts())
    magnitude = np.abs(np.fft.rfft(white))
    np.testing.assert_allclose(magnitude[1:-1], np.sqrt(len(white)), rtol=1e-9)
    cepstrum = np.fft.irfft(np.log(magnitude[1:-1]))
    assert np.abs(cepstrum[1:]).max() < 1e-9


def test_cepstral_prewhitening_keeps_the_phases() -> None:
    signal = impacts()
    phases = [np.angle(np.fft.rfft(x))[1:-1] for x in (signal - signal.mean(), prewhitening.cepstral(signal))]
    np.testing.assert_allclose(np.exp(1j * phases[0]), np.exp(1j * phases[1]), atol=1e-6)


def test_cepstral_prewhitening_of_silence_is_silence() -> None:
    assert not prewhitening.cepstral(np.zeros(1000)).any()


def test_autoregression_finds_the_innovation() -> None:
    innovation = np.random.default_rng(1).standard_normal(60_000)
    coloured = scipy.signal.lfilter([1], [1, -1.6, 0.81], innovation)
    residual = prewhitening.autoregressive(coloured, 2)
    assert np.corrcoef(residual[10:], innovation[10:])[0, 1] > 0.999
    assert residual[10:].std() == pytest.approx(1, rel=0.02)


def test_autoregression_takes_tones_away() -> None:
    residual = prewhitening.autoregressive(impacts(), 100)
    before, after = (np.abs(np.fft.rfft(x * np.hanning(len(x))))[600] for x in (impacts(), residual))
    assert after < 1e-2 * before
    assert not prewhitening.autoregressive(np.zeros(1000), 10).any()


# --- bands


def test_spectral_kurtosis_of_noise_tones_and_impacts() -> None:
    rng = np.random.default_rng(2)
    noise = band_selection.spectral_kurtosis(rng.standard_normal(200_000), 256)[2:-2]
    assert abs(noise.mean()) < 0.1
    time = np.arange(200_000) / RATE
    tone = band_selection.spectral_kurtosis(np.sin(2 * np.pi * 2000 * time), 256)
    assert tone[32] == pytest.approx(-1, abs=1e-3)
    assert band_selection.spectral_kurtosis(impacts(hz=10, noise=0.02), 128)[20:28].mean() > 2


@pytest.mark.parametrize("resonance", [1200, 3000, 6500])
def test_kurtogram_finds_the_resonance(resonance: float) -> None:
    low, high = band_selection.kurtogram(impacts(hz=20, resonance=resonance, noise=0.1), RATE, 300)
    assert low - 150 <= resonance <= high + 150
    assert high - low <= 2000


@pytest.mark.parametrize("resonance", [1200, 3000, 6500])
def test_spectral_kurtosis_finds_the_resonance(resonance: float) -> None:
    low, high = band_selection.kurtosis_band(impacts(hz=20, resonance=resonance, noise=0.1), RATE, 300, 7900)
    assert low - 150 <= resonance <= high + 150
    assert high - low <= 500
    assert band_selection.kurtosis_band(np.zeros(100), RATE, 300, 7900) == (300, 7900)


def test_kurtogram_keeps_within_its_limits() -> None:
    low, high = band_selection.kurtogram(impacts(resonance=1200), RATE, 4000, 7000)
    assert 4000 <= low < high <= 7000


def test_contrast_is_where_the_machine_beats_the_noise() -> None:
    ratio = np.ones(641)
    ratio[200:260] = 4
    ratio[400:410] = 3
    low, high = band_selection.contrast_band(ratio, RATE, 100, 7900)
    assert (low, high) == (pytest.approx(199.5 * 12.5), pytest.approx(259.5 * 12.5))
    ratio[:] = 1
    ratio[300] = 5
    low, high = band_selection.contrast_band(ratio, RATE, 100, 7900)
    assert high - low == pytest.approx(500)
    assert low < 300 * 12.5 < high
    assert band_selection.contrast_band(np.ones(641), RATE, 100, 7900) is None


# --- envelopes


def test_squared_envelope_is_that_of_the_analytic_signal() -> None:
    signal = impacts(seconds=1.3)
    spectrum = np.fft.rfft(signal)
    hz = np.fft.rfftfreq(len(signal), 1 / RATE)
    band = np.fft.irfft(np.where((hz >= 2000) & (hz <= 4000), spectrum, 0), len(signal))
    expected = np.abs(scipy.signal.hilbert(band)) ** 2
    found = squared_envelope(signal, RATE, 2000, 4000)
    np.testing.assert_allclose(found[200:-200], expected[200:-200], atol=0.02 * expected.max())


def test_periodogram_reads_power_at_its_cells() -> None:
    time = np.arange(2 * RATE) / RATE
    power = periodogram(0.5 * np.sin(2 * np.pi * 100 * time), RATE, 300)
    assert len(power) == 601
    assert power.argmax() == 200
    assert power[200] == pytest.approx((0.5 * RATE / 2) ** 2, rel=1e-6)


CHOICES = [
    {"band": band, "prewhitening": prewhitening, "envelope": envelope}
    for band, prewhitening, envelope in [
        ("given", "cepstral", "squared"),
        ("spectral_kurtosis", "none", "squared"),
        ("kurtogram", "none", "squared"),
        ("kurtogram", "autoregressive", "magnitude"),
    ]
]


@pytest.mark.parametrize("choice", CHOICES, ids=lambda c: "-".join(c.values()))
def test_every_way_to_the_envelope_finds_the_impacts(choice: dict[str, Any]) -> None:
    params = EnvelopeSpectrumParams.model_validate({**ENVELOPE, **choice})
    rows = params.compute(impacts().astype(np.float32))
    assert rows.shape == (1, 801)
    assert (rows[0, 20:].argmax() + 20) * 0.25 == pytest.approx(37.5, abs=0.5)


# --- what is fitted


def write(folder: Path, name: str, waveform: np.ndarray, rate: int = RATE) -> str:
    folder.mkdir(exist_ok=True)
    soundfile.write(folder / f"{name}.wav", waveform, rate, subtype="FLOAT")
    return str(folder / f"{name}.wav")


@pytest.fixture
def clips(tmp_path: Path) -> tuple[list[str], list[str]]:
    """Six clips of a machine at 1-3 kHz in rumble below 300 Hz that varies, and four of rumble and hiss alone."""
    rng = np.random.default_rng(3)

    def band(edges: tuple[float, float]) -> np.ndarray:
        return scipy.signal.sosfilt(
            scipy.signal.butter(4, edges, "bandpass", fs=RATE, output="sos"), rng.standard_normal(3 * RATE)
        )

    def rumble() -> np.ndarray:
        return 10 ** rng.uniform(-1, 0) * band((5, 300)) + 0.1 * rng.standard_normal(3 * RATE)

    machine = [write(tmp_path, f"m{i}", 0.2 * (band((1000, 3000)) + rumble())) for i in range(6)]
    return machine, [write(tmp_path, f"n{i}", 0.2 * rumble()) for i in range(4)]


@pytest.mark.parametrize("with_noise", [True, False])
def test_automatic_high_pass_lies_between_rumble_and_machine(
    clips: tuple[list[str], list[str]], with_noise: bool
) -> None:
    params = LogMelParams.model_validate({**LOG_MEL, "high_pass": "auto"})
    machine, noise = clips
    own = fit_front_end(params, [RATE] * 6, machine, noise if with_noise else []).params
    assert 280 <= own.high_pass <= 1000
    assert own.model_copy(update={"high_pass": "auto"}) == params
    extract(machine[0], FittedFrontEnd(own))
    with pytest.raises(ValueError, match="fit the front end"):
        extract(machine[0], FittedFrontEnd(params))


def test_automatic_high_pass_leaves_low_machines_alone() -> None:
    spectra = 1 + np.random.default_rng(4).exponential(0.05, (8, 641))
    assert cut_off(5 * spectra, spectra, RATE) == 0  # louder everywhere
    assert cut_off(spectra, np.empty((0, 641)), RATE) == 0  # steady everywhere
    assert cut_off(np.empty((0, 641)), spectra, RATE) == 0  # nothing to go by
    assert cut_off(spectra, spectra, RATE) == 1000  # nowhere louder


def test_contrast_gives_the_band_and_falls_back_on_the_kurtogram(clips: tuple[list[str], list[str]]) -> None:
    params = EnvelopeSpectrumParams.model_validate({**ENVELOPE, "band": "contrast"})
    machine, noise = clips
    own = fit_front_end(params, [RATE] * 6, machine, noise).params
    assert isinstance(own, EnvelopeSpectrumParams)
    assert own.band == "given"
    assert own.band_low == pytest.approx(850, abs=200)  # with the skirts of the machine's band
    assert own.band_high == pytest.approx(3600, abs=500)
    for clips_of_machine, without_noise in ((machine, []), (noise, noise)):
        without = fit_front_end(params, [RATE] * 6, clips_of_machine, without_noise).params
        assert isinstance(without, EnvelopeSpectrumParams)
        assert without.band == "kurtogram"
        assert without.band_high == params.band_high


def test_low_rates_are_refused_or_the_highest_frequency_is_lowered(tmp_path: Path) -> None:
    path = write(tmp_path, "low", 0.1 * np.random.default_rng(5).standard_normal(8000), 8000)
    params = LogMelParams.model_validate(LOG_MEL)
    with pytest.raises(UserError, match="has 8000 Hz, too low for the log_mel up to 8000 Hz"):
        extract(path, fit_front_end(params, [8000], [path], []))
    lower = fit_front_end(params.model_copy(update={"low_rate": "lower"}), [8000, 16000], [path], [])
    assert lower.params.highest_frequency == 4000
    rows = extract(path, lower)
    assert rows.shape[1] == 128
    assert rows[5:-5].min() > -60  # no band lies above what the file holds


def test_nothing_is_fitted_where_nothing_is_open() -> None:
    params = LogMelParams.model_validate(LOG_MEL)
    assert fit_front_end(params, [RATE], ["missing.wav"], ["missing.wav"]) == FittedFrontEnd(params)
