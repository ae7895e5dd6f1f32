"""Front ends against independent references, refusals, and the stage from end to end."""

import inspect
import json
import platform
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import kaldi_native_fbank
import librosa
import numpy as np
import pandas as pd
import pytest
import scipy.signal
import soundfile
import yaml

from asd.core.artifacts import write_csv
from asd.core.clips import COLUMNS, training, write_clips
from asd.core.compute import AHEAD, ComputeParams, configure
from asd.core.errors import UserError
from asd.core.project import CLIPS, FILES
from asd.core.section import Section, checked, load, read_params
from asd.features import extraction, filters, mel
from asd.features.extraction import extract
from asd.features.fitting import FittedFrontEnd
from asd.features.front_end import FRONT_ENDS, AnyFrontEnd, FrontEnd, FrontEndParams
from asd.features.front_ends.envelope_spectrum import EnvelopeSpectrumParams
from asd.features.front_ends.kaldi_fbank import KaldiFbankParams
from asd.features.front_ends.log_mel import DashengMelParams, EfficientatMelParams, LogMelParams, log_mel
from asd.features.front_ends.texture import FLOOR, LAGS, texture
from asd.features.prepare import prepare_waveform
from asd.features.store import FeatureStore
from stages import features as stage

LOG_MEL = {"kind": "log_mel", "sample_rate": 16000, "n_fft": 1024, "hop_length": 512, "n_mels": 128}
LOG_MEL |= {"f_min": 0, "f_max": 8000}
FBANK = {"kind": "kaldi_fbank", "sample_rate": 16000, "n_mels": 128, "frame_shift": 10}
FBANK |= {"mean": -4.268, "std": 4.569}
ENVELOPE = {"kind": "envelope_spectrum", "sample_rate": 16000, "band_low": 1000, "band_high": 4000}
ENVELOPE |= {"resolution": 0.25, "f_max": 200}
BLOCKS = [LOG_MEL, FBANK, ENVELOPE]
BLOCKS += [{"kind": kind} for kind in ("dasheng_mel", "efficientat_mel", "beats_fbank", "log_mel_two_scales")]
BLOCKS += [{"kind": kind, "sample_rate": 16000} for kind in ("characteristic_frequencies", "waveform", "statistics")]
TEXTURE = {
    "kind": "texture",
    "sample_rate": 16000,
    "n_fft": 256,
    "hop_length": 64,
    "n_mels": 32,
    "f_min": 0,
    "f_max": 8000,
}
BLOCKS += [TEXTURE]


def log_mel_params(**changes: Any) -> LogMelParams:
    return LogMelParams.model_validate({**LOG_MEL, **changes})


def signal(name: str, samples: int, sample_rate: int) -> np.ndarray:
    """Make one of the sounds that front ends are tried on: float32, full scale 1."""
    time = np.arange(samples) / sample_rate
    tone = np.sin(2 * np.pi * 997 * time)
    made = {
        "noise": lambda: np.random.default_rng(samples).normal(0, 0.1, samples),
        "tone": lambda: 0.5 * tone + 1e-3 * np.sin(2 * np.pi * 5000 * time),
        "clipped": lambda: np.clip(3 * tone, -1, 1),
        "clipped noise": lambda: np.clip(np.random.default_rng(samples).normal(0, 0.8, samples), -1, 1),
        "silence": lambda: np.zeros(samples),
        "click": lambda: np.eye(1, samples, samples // 2)[0],
    }
    return made[name]().astype(np.float32)


SIGNALS = ["noise", "tone", "clipped", "clipped noise", "silence", "click"]


# --- texture


def test_texture_is_mean_and_variogram_of_log_mel():
    y = signal("noise", 16000, 16000)
    x = log_mel(y, 16000, 256, 64, 32)
    mean, changes = both = texture(y, 16000, 256, 64, 32)
    np.testing.assert_allclose(mean[:32], x.mean(axis=0), rtol=1e-5)
    assert not mean[32:].any()
    for i, lag in enumerate(LAGS):
        pairs = [(x[t + lag] - x[t]) ** 2 for t in range(len(x) - lag)]
        np.testing.assert_allclose(changes[32 * i : 32 * (i + 1)], np.log(np.mean(pairs, axis=0)), atol=1e-4)
    for row, bank in zip(both, ("mean", "variogram"), strict=True):
        (alone,) = texture(y, 16000, 256, 64, 32, banks=bank)
        np.testing.assert_array_equal(alone, row[: len(alone)])


def test_texture_of_clips_shorter_than_a_lag():
    _, one_frame = texture(np.ones(10, np.float32), 16000, 256, 64, 8)
    np.testing.assert_allclose(one_frame, np.log(FLOOR), rtol=1e-6)
    _, changes = texture(signal("noise", 256, 16000), 16000, 256, 64, 8)  # 5 frames
    np.testing.assert_array_equal(changes[3 * 8 : 4 * 8], changes[2 * 8 : 3 * 8])


# --- log-mel


@pytest.mark.parametrize(
    ("sample_rate", "n_fft", "n_mels", "f_min", "f_max"),
    [
        (16000, 1024, 128, 0, 8000),
        (16000, 1024, 128, 200, 8000),
        (48000, 2048, 64, 50, 20000),
        (16000, 401, 300, 0, 900),
    ],
)
def test_mel_filter_bank_is_librosas(sample_rate: int, n_fft: int, n_mels: int, f_min: float, f_max: float) -> None:
    with pytest.warns(UserWarning, match="Empty filters") if n_mels == 300 else nullcontext():
        expected = librosa.filters.mel(
            sr=sample_rate, n_fft=n_fft, n_mels=n_mels, fmin=f_min, fmax=f_max, dtype=np.float64
        )
    bank = mel.mel_filter_bank(sample_rate, n_fft, n_mels, f_min, f_max)
    np.testing.assert_allclose(bank, expected, rtol=1e-9, atol=1e-12)


def librosa_power(waveform: np.ndarray, params: LogMelParams) -> np.ndarray:
    """Compute the reference: mel power in float64, (frames, n_mels)."""
    bank = librosa.filters.mel(
        sr=params.sample_rate,
        n_fft=params.n_fft,
        n_mels=params.n_mels,
        fmin=params.f_min,
        fmax=params.f_max,
        dtype=np.float64,
    )
    stft = librosa.stft(waveform.astype(np.float64), n_fft=params.n_fft, hop_length=params.hop_length)
    return (bank @ np.abs(stft) ** 2).T


def assert_log_mel(rows: np.ndarray, power: np.ndarray) -> None:
    assert rows.dtype == np.float32
    assert rows.shape == power.shape
    power = np.maximum(power, sys.float_info.epsilon)  # the baseline's floor
    largest = power.max(axis=1, keepdims=True)
    assert (np.abs(10 ** (rows.astype(np.float64) / 10) - power) <= 1e-5 * largest).all()
    assert np.abs(rows - 10 * np.log10(power))[power >= 1e-8 * largest].max() <= 0.01


@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize(
    ("sample_rate", "seconds", "changes"),
    [
        (16000, 1.0, {}),
        (16000, 10.01, {}),
        (16000, 20.0, {"f_min": 200.0}),
        (48000, 2.345, {"n_fft": 2048, "n_mels": 64, "f_max": 20000.0}),
        (96000, 1.5, {"n_fft": 4096, "hop_length": 1000, "f_max": 48000.0}),
        (16000, 0.01, {}),
    ],
)
@pytest.mark.filterwarnings("ignore:n_fft=:UserWarning")
def test_log_mel_is_librosas(name: str, sample_rate: int, seconds: float, changes: dict[str, Any]) -> None:
    params = log_mel_params(sample_rate=sample_rate, **changes)
    waveform = signal(name, int(seconds * sample_rate), sample_rate)
    assert_log_mel(params.compute(waveform), librosa_power(waveform, params))


def test_log_mel_loops_short_clips_then_filters() -> None:
    params = log_mel_params(loop_seconds=2.0, high_pass=200.0)
    waveform = signal("noise", 11_000, 16000)
    looped = np.concatenate([waveform, waveform, waveform[:10_000]])
    sections = scipy.signal.butter(4, 200, "highpass", fs=16000, output="sos")
    filtered = scipy.signal.sosfilt(sections, looped.astype(np.float64)).astype(np.float32)
    assert_log_mel(params.compute(prepare_waveform(waveform[:, None], 16000, params)), librosa_power(filtered, params))


def test_longer_clips_are_not_looped() -> None:
    waveform = signal("noise", 40_000, 16000)
    np.testing.assert_array_equal(
        prepare_waveform(waveform[:, None], 16000, log_mel_params(loop_seconds=2.0)), waveform
    )


@pytest.mark.parametrize(("seconds", "expected"), [(1.0, 16000), (3.0, 48000)])
def test_clips_are_trimmed_or_padded(seconds: float, expected: int) -> None:
    waveform = signal("noise", 32_000, 16000)
    found = prepare_waveform(waveform[:, None], 16000, log_mel_params(trim_or_pad_seconds=seconds))
    assert len(found) == expected
    np.testing.assert_array_equal(found[:32_000], waveform[:expected])
    assert not found[32_000:].any()


@pytest.mark.parametrize("name", SIGNALS)
def test_dasheng_mel_is_torchaudios(name: str) -> None:
    """By the same steps in float64: torchaudio's melscale_fbanks are librosa's filters of HTK without area norm."""
    params = DashengMelParams(kind="dasheng_mel")
    waveform = signal(name, 40_000, 16000)
    stft = librosa.stft(waveform.astype(np.float64), n_fft=512, hop_length=160, pad_mode="reflect")
    bank = librosa.filters.mel(sr=16000, n_fft=512, n_mels=64, htk=True, norm=None, dtype=np.float64)
    power = (bank @ np.abs(stft) ** 2).T
    decibel = 10 * np.log10(np.maximum(power, 1e-10))
    decibel = np.maximum(decibel, decibel.max() - 120)
    rows = params.compute(waveform)
    assert rows.shape == decibel.shape == (251, 64)
    loud = decibel > decibel.max(axis=1, keepdims=True) - 60
    assert np.abs(rows - decibel)[loud].max() <= 0.01
    assert rows.min() >= rows.max() - 120.001


def kaldi_bank(n_mels: int, n_fft: int, sample_rate: int, f_min: float, f_max: float) -> np.ndarray:
    """Make Kaldi's mel banks bin by bin: (n_mels, n_fft / 2 + 1)."""

    def to_mel(hz: float) -> float:
        return 1127 * np.log(1 + hz / 700)

    bank = np.zeros((n_mels, n_fft // 2 + 1))
    width = (to_mel(f_max) - to_mel(f_min)) / (n_mels + 1)
    for m in range(n_mels):
        left = to_mel(f_min) + m * width
        for b in range(n_fft // 2):
            at = (to_mel(b * sample_rate / n_fft) - left) / width
            bank[m, b] = max(0, min(at, 2 - at))
    return bank


@pytest.mark.parametrize("name", SIGNALS)
def test_efficientat_mel_is_the_published_one(name: str) -> None:
    """By the steps of its AugmentMelSTFT in float64, and Kaldi's mel banks as its documentation has them."""
    import torch

    params = EfficientatMelParams(kind="efficientat_mel")
    waveform = torch.from_numpy(signal(name, 64_000, 32000)).double()
    emphasised = waveform[1:] - np.float32(0.97).astype(float) * waveform[:-1]
    window = torch.hann_window(800, periodic=False).double()
    stft = torch.stft(emphasised, 1024, 320, 800, window=window, center=True, return_complex=True)
    power = torch.from_numpy(kaldi_bank(128, 1024, 32000, 0, 15000)) @ stft.abs() ** 2
    rows = params.compute(waveform.float().numpy())
    assert rows.shape == (200, 128)
    np.testing.assert_allclose(rows, (power + 1e-5).log().T.numpy(), atol=2e-3)
    normalised = (rows - params.mean) / (2 * params.std)  # as the store does for its readers
    np.testing.assert_allclose(normalised, (rows + 4.5) / 5, rtol=1e-6)


# --- filters


def gain(filtered: np.ndarray) -> float:
    return float(filtered[8000:].std() * np.sqrt(2))


def test_high_pass_is_butterworth_of_order_4() -> None:
    time = np.arange(16000) / 16000

    def response(frequency: float) -> float:
        return gain(filters.high_pass(np.sin(2 * np.pi * frequency * time), 200, 16000))

    assert response(200) == pytest.approx(10 ** (-3.0103 / 20), rel=1e-3)  # half the power at the cut-off
    assert response(50) == pytest.approx(4.0**-4, rel=0.02)  # 24 dB per octave, two octaves below
    assert response(2000) == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize("sample_rate", [16000, 48828, 96000])
@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize("phase", ["causal", "zero"])
def test_filters_are_scipys(name: str, sample_rate: int, phase: filters.Phase) -> None:
    """Against the same filters by their zeros and poles, in the other form that scipy has."""
    waveform = signal(name, sample_rate, sample_rate).astype(np.float64)
    sections = scipy.signal.zpk2sos(*scipy.signal.butter(4, 200, "highpass", fs=sample_rate, output="zpk"))
    expected = scipy.signal.sosfilt(sections, waveform)
    if phase == "zero":
        reach = int(8 * sample_rate / (2 * np.pi * 200))
        expected = scipy.signal.sosfiltfilt(sections, waveform, padlen=reach)
    found = filters.high_pass(waveform, 200, sample_rate, phase)
    assert np.abs(found - expected).max() <= 1e-6 * max(np.abs(expected).max(), 1e-9)
    sections = scipy.signal.zpk2sos(*scipy.signal.butter(4, [300, 900], "bandpass", fs=sample_rate, output="zpk"))
    found = filters.band_pass(waveform, 300, 900, sample_rate)
    expected = scipy.signal.sosfilt(sections, waveform)
    assert np.abs(found - expected).max() <= 1e-6 * max(np.abs(expected).max(), 1e-9)


def test_zero_phase_does_not_shift() -> None:
    click = signal("click", 16001, 16000)
    filtered = filters.band_pass(click, 500, 2000, 16000, "zero")
    np.testing.assert_allclose(filtered, filtered[::-1], atol=1e-9)
    assert np.abs(filtered).argmax() == 8000


def test_filters_are_causal() -> None:
    click = signal("click", 1000, 16000)
    assert not filters.high_pass(click, 200, 16000)[:500].any()
    assert not filters.band_pass(click, 200, 400, 16000)[:500].any()


# --- Kaldi's fbank


def native_fbank(waveform: np.ndarray, params: KaldiFbankParams) -> np.ndarray:
    """Compute the reference with Kaldi's own C++."""
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.samp_freq = params.sample_rate
    options.frame_opts.frame_shift_ms = params.frame_shift
    options.frame_opts.window_type = params.window
    options.frame_opts.dither = 0
    options.mel_opts.num_bins = params.n_mels
    options.mel_opts.high_freq = params.f_max
    options.use_energy = False
    options.htk_compat = True
    fbank = kaldi_native_fbank.OnlineFbank(options)
    waveform = (waveform - waveform.mean() if params.zero_mean else waveform) * params.scale
    fbank.accept_waveform(params.sample_rate, waveform.tolist())
    fbank.input_finished()
    return np.stack([fbank.get_frame(i) for i in range(fbank.num_frames_ready)])


@pytest.mark.parametrize("kind", ["kaldi_fbank", "beats_fbank"])
@pytest.mark.parametrize(("sample_rate", "seconds"), [(16000, 1.0), (16000, 20.003), (48000, 2.0), (96000, 1.0)])
def test_fbank_is_kaldis(kind: str, sample_rate: int, seconds: float) -> None:
    block = FBANK if kind == "kaldi_fbank" else {"kind": kind}
    params = checked(FrontEnd, {**block, "sample_rate": sample_rate}).root
    assert isinstance(params, KaldiFbankParams)
    close = []
    for name in SIGNALS:
        waveform = signal(name, int(seconds * sample_rate), sample_rate)
        waveform += np.float32(0.1 * params.zero_mean)  # an offset, to be removed
        rows, expected = params.compute(waveform), native_fbank(waveform, params)
        assert rows.shape == expected.shape
        difference = np.abs(rows - expected)
        within = expected >= expected.max(axis=1, keepdims=True) - np.log(1e6)  # 60 dB
        assert difference[within].max() <= 1e-3
        if (kind, name) != ("beats_fbank", "tone"):  # Povey's window leaves its bins to the rounding of either
            close.append(difference <= 1e-3)
    assert np.concatenate(close).mean() >= 0.999


def test_fbank_ends_at_f_max() -> None:
    params = KaldiFbankParams.model_validate({**FBANK, "f_max": 4000})
    waveform = signal("noise", 16000, 16000)
    np.testing.assert_allclose(params.compute(waveform), native_fbank(waveform, params), atol=1e-3)


# --- envelope spectrum


@pytest.mark.parametrize("seconds", [2.5, 4.0, 9.7])
def test_envelope_spectrum_finds_the_modulation(seconds: float) -> None:
    params = EnvelopeSpectrumParams.model_validate(ENVELOPE)
    time = np.arange(int(seconds * 16000)) / 16000
    carrier = np.sin(2 * np.pi * 2500 * time)
    hum = 0.5 * np.sin(2 * np.pi * 50 * time)  # louder, but outside the band
    waveform = (0.2 * (1 + 0.6 * np.cos(2 * np.pi * 37.5 * time)) * carrier + hum).astype(np.float32)
    rows = params.compute(waveform)
    assert rows.shape == (1, params.n_features) == (1, 801)
    assert rows.dtype == np.float32
    assert rows[0].argmax() * params.resolution == pytest.approx(37.5, abs=0.25)
    assert rows[0].max() == pytest.approx(0.2 * 0.6, rel=0.05)
    assert rows[0, 400:].max() < 0.01 * rows[0].max()  # nothing at 100 Hz, twice the hum, and above


def test_envelope_spectrum_keeps_lines_between_bands() -> None:
    params = EnvelopeSpectrumParams.model_validate({**ENVELOPE, "resolution": 1.0})
    time = np.arange(160_000) / 16000
    waveform = 0.2 * (1 + 0.5 * np.cos(2 * np.pi * 20.5 * time)) * np.sin(2 * np.pi * 2500 * time)
    rows = params.compute(waveform.astype(np.float32))
    assert rows[0, 20:22].max() == pytest.approx(0.1, rel=0.02)


# --- descriptions


class All(Section):
    features: dict[str, AnyFrontEnd]


@pytest.mark.parametrize(
    ("block", "key", "value", "says"),
    [
        (LOG_MEL, "f_max", 9000, "f_max is 9000: must be at most half the sample_rate (8000)"),
        (LOG_MEL, "f_min", 8000, "f_max is 8000: must be above f_min (8000)"),
        (LOG_MEL, "n_mels", 0, "n_mels is 0"),
        (LOG_MEL, "hop_length", 1025, "hop_length is 1025: must be at most n_fft (1024)"),
        (LOG_MEL, "high_pass", 8000, "high_pass is 8000: must be below half the sample_rate (8000)"),
        (LOG_MEL, "loop_seconds", float("inf"), "loop_seconds is inf"),
        (LOG_MEL, "high_pass", "much", "high_pass is 'much': must be a frequency [Hz], 0 for none, or auto"),
        (LOG_MEL, "window_length", 1025, "window_length is 1025: must be at most n_fft (1024)"),
        ({**LOG_MEL, "loop_seconds": 2.0}, "trim_or_pad_seconds", 2.0, "trim_or_pad_seconds is 2.0: must be 0 beside"),
        (LOG_MEL, "channel", "left", "channel is 'left'"),
        (LOG_MEL, "nmels", 64, "nmels is unknown"),
        (LOG_MEL, "kind", "logmel", "'logmel'"),
        (FBANK, "frame_shift", 30, "frame_shift is 30"),
        (FBANK, "std", 0, "std is 0"),
        (ENVELOPE, "band_low", 4000, "band_high is 4000: must be above band_low (4000)"),
        (ENVELOPE, "band_high", 8000, "band_high is 8000: must be below half the sample_rate (8000)"),
        (ENVELOPE, "resolution", 0.3, "resolution is 0.3: must divide sample_rate (16000) without rest"),
        (ENVELOPE, "f_max", 200.1, "f_max is 200.1: must be a multiple of resolution (0.25)"),
    ],
)
def test_impossible_values_are_refused_by_their_full_name(block: dict, key: str, value: Any, says: str) -> None:
    wrong = {**block, key: value}
    for section, content, name in [(FrontEnd, wrong, "features.mine"), (All, {"features": {"mine": wrong}}, "")]:
        with pytest.raises(UserError) as refused:
            checked(section, content, name)
        assert str(refused.value).startswith("params.yaml: features.mine")
        assert says in str(refused.value)
        assert "\n" not in str(refused.value)


@pytest.fixture(scope="module")
def shipped() -> dict[str, FrontEndParams]:
    return All.model_validate({"features": read_params(Path(__file__).parents[1] / "params.yaml")["features"]}).features


def described(block: dict[str, Any]) -> FrontEndParams:
    return checked(FrontEnd, block).root


def test_every_shipped_block_is_of_a_kind_that_the_contract_test_knows(shipped: dict[str, FrontEndParams]) -> None:
    assert {params.kind for params in shipped.values()} <= {block["kind"] for block in BLOCKS}


@pytest.mark.parametrize("sample_rate", [16000, 25600, 48828, 51200])
@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block["kind"])
def test_every_front_end_keeps_the_contract(block: dict[str, Any], sample_rate: int) -> None:
    """At the rates of sound and of vibration: finite rows of the described width, the input untouched."""
    resolution = {"resolution": sample_rate / 2**16, "f_max": sample_rate / 2**8} if "resolution" in block else {}
    params = described(
        {**block, "sample_rate": sample_rate, **resolution}
        | ({"f_max": 8000} if "n_mels" in block or block["kind"] == "efficientat_mel" else {})
    )
    for name in SIGNALS:
        waveform = signal(name, sample_rate, sample_rate)
        before = waveform.copy()
        rows = params.compute(waveform)
        assert rows.dtype == np.float32
        assert rows.shape[1] == params.n_features
        assert np.isfinite(rows).all()
        np.testing.assert_array_equal(waveform, before)
        if params.frames_per_second:
            assert len(rows) == pytest.approx(params.frames_per_second, abs=3)
        np.testing.assert_array_equal(rows, params.compute(waveform))


def test_the_contract_is_tested_for_every_kind() -> None:
    assert {block["kind"] for block in BLOCKS} == set(FRONT_ENDS)


def test_a_front_end_is_a_function_of_keywords() -> None:
    waveform = signal("noise", 8000, 16000)
    rows = log_mel(waveform, sr=16000, n_mels=64, f_min=200)
    np.testing.assert_array_equal(rows, log_mel_params(n_mels=64, f_min=200).compute(waveform))
    for params in FRONT_ENDS.values():
        names = inspect.signature(params.function).parameters
        assert list(names)[:2] == ["y", "sr"]
        assert set(names) - {"y", "sr"} <= set(params.model_fields), "every keyword is a key of the block"
        optional = {name for name, field in params.model_fields.items() if not field.is_required()}
        for name, keyword in names.items():
            if params is FRONT_ENDS.get(params.function.__name__) and name in optional:
                assert keyword.default == params.model_fields[name].default, name


def test_a_front_end_is_added_by_one_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FRONT_ENDS, "_known", dict(FRONT_ENDS))

    @FRONT_ENDS.register("halves")
    class Halves(FrontEndParams):
        function = lambda y, sr, factor=0.5: factor * y[:, None]  # noqa: E731
        factor: float = 0.5

    params = checked(FrontEnd, {"kind": "halves", "sample_rate": 16000, "factor": 0.25}).root
    assert isinstance(params, Halves)
    np.testing.assert_array_equal(params.compute(np.ones(3)), np.full((3, 1), 0.25))
    with pytest.raises(UserError, match="factr is unknown"):
        checked(FrontEnd, {"kind": "halves", "sample_rate": 16000, "factr": 0.25})


# --- recordings


def test_channel_and_rate(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    time = np.arange(48000) / 48000
    near, far = 0.5 * np.sin(2 * np.pi * 500 * time), 0.25 * np.sin(2 * np.pi * 2000 * time)
    soundfile.write(path, np.stack([near, far], axis=1), 48000, subtype="FLOAT")
    for channel, expected in {"near": near, "mean": (near + far) / 2}.items():
        rows = extract(path, FittedFrontEnd(log_mel_params(channel=channel)))
        power = librosa_power(librosa.resample(expected, orig_sr=48000, target_sr=16000), log_mel_params())
        loud = power > 1e-3 * power.max()
        np.testing.assert_allclose(rows[loud], 10 * np.log10(power[loud]), atol=0.05)


def test_refused_recordings_are_named_in_one_line(tmp_path: Path) -> None:
    slow, short = tmp_path / "slow.wav", tmp_path / "short.wav"
    soundfile.write(slow, signal("noise", 8000, 8000), 8000)
    soundfile.write(short, signal("noise", 300, 16000), 16000)
    envelope = EnvelopeSpectrumParams.model_validate({**ENVELOPE, "band_high": 4001})
    for path, params, why in [
        (slow, log_mel_params(), "8000 Hz, too low for the log_mel up to 8000 Hz"),
        (slow, envelope, "too low for the envelope_spectrum up to 4001 Hz"),
        (short, KaldiFbankParams.model_validate(FBANK), "shorter than one frame"),
    ]:
        with pytest.raises(UserError) as refused:
            extract(path, FittedFrontEnd(params))
        assert str(path) in str(refused.value)
        assert why in str(refused.value)
        assert "\n" not in str(refused.value)
    assert extract(slow, FittedFrontEnd(log_mel_params(f_max=4000))).shape == (32, 128)  # all that it needs is there


# --- the stage


@pytest.fixture
def recordings(workdir: Path) -> Path:
    """Lay out three machines, of the last of which there are no test clips, and describe EAT's front end, too."""
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["features"]["fbank"] = {"kind": "kaldi_fbank"}
    Path("params.yaml").write_text(yaml.safe_dump(params))
    rows, paths = [], []
    for number in range(14):
        clip_id = f"{(number * 7919) % 97:016x}"
        machine = ["fan", "valve", "bearing"][number % 3]
        split = "train" if machine == "bearing" else ["train", "test", "supplemental"][number // 3 % 3]
        samples = signal("noise", 8000 + 100 * number, 16000)
        soundfile.write(f"{number}.wav", samples, 16000)
        row: dict[str, Any] = dict.fromkeys(COLUMNS, "")
        row |= {"clip_id": clip_id, "machine": machine, "section": "00", "split": split, "domain": "source"}
        row |= {"kind": "clean" if split == "supplemental" else "machine"}
        row |= {"speed_hz": np.nan, "sample_rate": 16000, "channels": 1, "seconds": len(samples) / 16000}
        rows.append(row)
        paths.append({"clip_id": clip_id, "path": f"{number}.wav"})
    write_clips(pd.DataFrame(rows), CLIPS)
    write_csv(FILES, pd.DataFrame(paths).sort_values("clip_id"))
    return workdir


def everything(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


@pytest.mark.parametrize("name", ["log_mel", "fbank", "frequencies"])
def test_stage(recordings: Path, name: str) -> None:
    said = stage.main(name)
    clips = pd.read_csv(CLIPS, dtype=str).set_index("clip_id")
    if load(FrontEnd, "features", name).root.clips == "train":  # what only the labeller of training clips reads
        clips = training(clips)
    assert f"{len(clips)} clips" in said
    files = pd.read_csv(FILES, dtype=str).set_index("clip_id")["path"]
    params = load(FrontEnd, "features", name).root
    stores = {s: FeatureStore(f"data/features/{name}/{s}") for s in ("train", "test")}
    assert stores["train"].machines == ["bearing", "fan", "valve"]
    assert stores["test"].machines == (["fan", "valve"] if len(clips) == 14 else [])
    for split, store in stores.items():
        assert store.clip_ids == sorted(clips.index[clips["split"].ne("test") == (split == "train")])
        assert store.description["kind"] == params.kind
        for clip_id in store.clip_ids:
            np.testing.assert_array_equal(store[clip_id], extract(files[clip_id], FittedFrontEnd(params)))
    metrics = json.loads((recordings / f"metrics/features/{name}.json").read_text())
    assert metrics["clips"] == len(clips) == (8 if name == "frequencies" else 14)
    assert metrics["n_frames"] == sum(store.n_frames(c) for store in stores.values() for c in store.clip_ids)
    assert metrics["n_features"] == params.n_features
    assert metrics.get("frames_per_second") == params.frames_per_second
    assert not list((recordings / ".asd").rglob("*.npy"))


def test_stage_gives_the_same_bytes_with_any_number_of_workers(recordings: Path) -> None:
    results = []
    for jobs in (1, 2):
        configure(ComputeParams(jobs=jobs))
        stage.main("fbank")
        results.append(everything(recordings / "data/features/fbank"))
    assert results[0] == results[1]


def test_stage_goes_on_where_it_was_interrupted(
    recordings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.main("log_mel")
    undisturbed = everything(recordings / "data/features")
    computed: list[str] = []

    def dying(path: str, front_end: FittedFrontEnd) -> np.ndarray:
        computed.append(path)
        if path == "4.wav":  # of the valve, the last machine
            raise KeyboardInterrupt
        return extract(path, front_end)

    monkeypatch.setattr(extraction, "extract", dying)
    with pytest.raises(KeyboardInterrupt):
        stage.main("log_mel")
    first, computed[:] = set(computed), []
    assert not list((recordings / ".asd").rglob("valve.npy"))
    capsys.readouterr()
    monkeypatch.setattr(
        extraction, "extract", lambda path, front_end: computed.append(path) or extract(path, front_end)
    )
    stage.main("log_mel")
    assert "resumed: 2 of 3 machines were there" in capsys.readouterr().out
    assert everything(recordings / "data/features") == undisturbed
    fan_and_bearing = {f"{n}.wav" for n in range(14) if n % 3 != 1}
    assert fan_and_bearing <= first
    assert not fan_and_bearing & set(computed)


def test_stage_fits_each_machine_to_its_training_clips(recordings: Path) -> None:
    params = read_params()
    params["features"]["log_mel"] |= {"high_pass": "auto", "precision": "float16"}
    Path("params.yaml").write_text(yaml.safe_dump(params))
    stage.main("log_mel")
    train, test = (FeatureStore(f"data/features/log_mel/{store}") for store in ("train", "test"))
    assert train.description == test.description
    cut_offs = {machine: own["high_pass"] for machine, own in train.description["machines"].items()}
    assert set(cut_offs) == {"bearing", "fan", "valve"}
    own = load(FrontEnd, "features", "log_mel").root
    files = pd.read_csv(FILES, dtype=str).set_index("clip_id")["path"]
    clips = pd.read_csv(CLIPS, dtype=str).set_index("clip_id")
    for store in (train, test):
        for clip_id in store.clip_ids:
            fitted_one = own.model_copy(update={"high_pass": cut_offs[clips.loc[clip_id, "machine"]]})
            expected = extract(files[clip_id], FittedFrontEnd(fitted_one))
            assert expected.dtype == np.float16
            assert store[clip_id].dtype == np.float32
            np.testing.assert_array_equal(store[clip_id], expected.astype(np.float32))
            exact = extract(files[clip_id], FittedFrontEnd(fitted_one.model_copy(update={"precision": "float32"})))
            assert np.abs(store[clip_id] - exact).max() <= 0.0625  # [dB]: 2^-11 of a value
    assert np.load("data/features/log_mel/train/fan.npy").dtype == np.float16


def test_stage_without_test_clips_makes_an_empty_store(recordings: Path) -> None:
    clips = pd.read_csv(CLIPS, dtype=str)
    clips.loc[clips["split"] == "test", "split"] = "train"
    write_csv(CLIPS, clips)
    stage.main("log_mel")
    store = FeatureStore("data/features/log_mel/test")
    assert (len(store), store.machines, store.n_features) == (0, [], 128)


def test_memory_is_bounded_by_few_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    ahead: list[str] = []
    monkeypatch.setattr(extraction, "TOGETHER", (2, 2**25))
    monkeypatch.setattr(extraction, "extract", lambda path, front_end: ahead.append(path) or np.zeros((1, 1)))
    files, front_end = {str(n): str(n) for n in range(100)}, FittedFrontEnd(log_mel_params())
    for taken, (clip_id, _) in enumerate(extraction.extract_all(files, front_end, ComputeParams(jobs=2))):
        assert clip_id == str(taken)
        assert len(ahead) <= taken + 2 * (2 * AHEAD + 2)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators are left as they are")
def test_freed_memory_is_kept() -> None:
    program = """
import resource, numpy as np
from asd.core.memory import keep_freed_memory
keep_freed_memory()
for _ in range(9):
    [np.ones(2**17) for _ in range(8)]
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(9):
    [np.ones(2**17) for _ in range(8)]
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 2048  # the pages of one round


def test_memory_is_bounded_by_few_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extraction, "TOGETHER", (16, 100))
    files = {}
    for name, size in (("a", 60), ("b", 60), ("c", 30), ("d", 500), ("e", 10)):
        (tmp_path / name).write_bytes(bytes(size))
        files[name] = str(tmp_path / name)
    assert list(extraction._tasks(files)) == [["a"], ["b", "c"], ["d"], ["e"]]
