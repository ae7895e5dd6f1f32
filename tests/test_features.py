"""Front ends against independent references, refusals, and the stage from end to end."""

import json
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
from pydantic import TypeAdapter

from asd.artifacts import write_csv
from asd.clips import CLIPS, COLUMNS, FILES, write_clips
from asd.compute import ComputeParams
from asd.errors import UserError
from asd.features import extraction, filters, mel
from asd.features.envelope import envelope_spectrum
from asd.features.extraction import extract
from asd.features.kaldi import kaldi_fbank
from asd.features.params import EnvelopeSpectrumParams, FrontEnd, FrontEndParams, KaldiFbankParams, LogMelParams
from asd.features.registry import FRONT_ENDS, front_end
from asd.features.store import FeatureStore
from asd.section import Section, checked, load, read_params
from stages import features as stage

LOG_MEL = {"kind": "log_mel", "sample_rate": 16000, "n_fft": 1024, "hop_length": 512, "n_mels": 128}
LOG_MEL |= {"f_min": 0, "f_max": 8000}
FBANK = {"kind": "kaldi_fbank", "sample_rate": 16000, "n_mels": 128, "frame_shift": 10}
FBANK |= {"mean": -4.268, "deviation": 4.569}
ENVELOPE = {"kind": "envelope_spectrum", "sample_rate": 16000, "band_low": 1000, "band_high": 4000}
ENVELOPE |= {"resolution": 0.25, "f_max": 200}


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
    assert_log_mel(mel.log_mel(waveform, params), librosa_power(waveform, params))


def test_log_mel_loops_short_clips_then_filters() -> None:
    params = log_mel_params(loop_seconds=2.0, high_pass=200.0)
    waveform = signal("noise", 11_000, 16000)
    looped = np.concatenate([waveform, waveform, waveform[:10_000]])
    sections = scipy.signal.butter(4, 200, "highpass", fs=16000, output="sos")
    filtered = scipy.signal.sosfilt(sections, looped.astype(np.float64)).astype(np.float32)
    assert_log_mel(mel.log_mel(waveform, params), librosa_power(filtered, params))


def test_log_mel_leaves_longer_clips_whole() -> None:
    waveform = signal("noise", 40_000, 16000)
    longer = mel.log_mel(waveform, log_mel_params(loop_seconds=2.0))
    np.testing.assert_array_equal(longer, mel.log_mel(waveform, log_mel_params()))


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
    options.frame_opts.window_type = "hanning"
    options.frame_opts.dither = 0
    options.mel_opts.num_bins = params.n_mels
    options.mel_opts.high_freq = 0
    options.use_energy = False
    options.htk_compat = True
    fbank = kaldi_native_fbank.OnlineFbank(options)
    fbank.accept_waveform(params.sample_rate, (waveform - waveform.mean()).tolist())
    fbank.input_finished()
    return np.stack([fbank.get_frame(i) for i in range(fbank.num_frames_ready)])


@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize(("sample_rate", "seconds"), [(16000, 1.0), (16000, 5.003), (48000, 2.0)])
def test_fbank_is_kaldis(name: str, sample_rate: int, seconds: float) -> None:
    params = KaldiFbankParams.model_validate({**FBANK, "sample_rate": sample_rate})
    waveform = signal(name, int(seconds * sample_rate), sample_rate) + np.float32(0.1)  # an offset, to be removed
    rows, expected = kaldi_fbank(waveform, params), native_fbank(waveform, params)
    assert rows.shape == expected.shape
    difference = np.abs(rows - expected)
    within = expected >= expected.max(axis=1, keepdims=True) - np.log(1e6)  # 60 dB
    assert difference[within].max() <= 1e-3
    if name not in ("tone", "clipped"):  # whose empty bins hold nothing but the rounding of either
        assert (difference <= 1e-3).mean() >= 0.999


def test_fbank_leaves_torch_its_threads() -> None:
    import torch

    before = torch.get_num_threads()
    kaldi_fbank(signal("noise", 16000, 16000), KaldiFbankParams.model_validate(FBANK))
    assert torch.get_num_threads() == before


# --- envelope spectrum


@pytest.mark.parametrize("seconds", [2.5, 4.0, 9.7])
def test_envelope_spectrum_finds_the_modulation(seconds: float) -> None:
    params = EnvelopeSpectrumParams.model_validate(ENVELOPE)
    time = np.arange(int(seconds * 16000)) / 16000
    carrier = np.sin(2 * np.pi * 2500 * time)
    hum = 0.5 * np.sin(2 * np.pi * 50 * time)  # louder, but outside the band
    waveform = (0.2 * (1 + 0.6 * np.cos(2 * np.pi * 37.5 * time)) * carrier + hum).astype(np.float32)
    rows = envelope_spectrum(waveform, params)
    assert rows.shape == (1, params.bands) == (1, 801)
    assert rows.dtype == np.float32
    assert rows[0].argmax() * params.resolution == pytest.approx(37.5, abs=0.25)
    assert rows[0].max() == pytest.approx(0.2 * 0.6, rel=0.05)
    assert rows[0, 400:].max() < 0.01 * rows[0].max()  # nothing at 100 Hz, twice the hum, and above


def test_envelope_spectrum_keeps_lines_between_bands() -> None:
    params = EnvelopeSpectrumParams.model_validate({**ENVELOPE, "resolution": 1.0})
    time = np.arange(160_000) / 16000
    waveform = 0.2 * (1 + 0.5 * np.cos(2 * np.pi * 20.5 * time)) * np.sin(2 * np.pi * 2500 * time)
    rows = envelope_spectrum(waveform.astype(np.float32), params)
    assert rows[0, 20:22].max() == pytest.approx(0.1, rel=0.02)


# --- descriptions


class All(Section):
    features: dict[str, FrontEndParams]


@pytest.mark.parametrize(
    ("block", "key", "value", "says"),
    [
        (LOG_MEL, "f_max", 9000, "f_max is 9000: must be at most half the sample_rate (8000)"),
        (LOG_MEL, "f_min", 8000, "f_max is 8000: must be above f_min (8000)"),
        (LOG_MEL, "n_mels", 0, "n_mels is 0"),
        (LOG_MEL, "hop_length", 1025, "hop_length is 1025: must be at most n_fft (1024)"),
        (LOG_MEL, "high_pass", 8000, "high_pass is 8000: must be below half the sample_rate (8000)"),
        (LOG_MEL, "loop_seconds", float("inf"), "loop_seconds is inf"),
        (LOG_MEL, "channel", "far", "channel is 'far'"),
        (LOG_MEL, "nmels", 64, "nmels is unknown"),
        (LOG_MEL, "kind", "logmel", "'logmel'"),
        (FBANK, "frame_shift", 30, "frame_shift is 30"),
        (FBANK, "deviation", 0, "deviation is 0"),
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


def test_every_shipped_front_end_keeps_the_contract(shipped: dict[str, FrontEndParams]) -> None:
    assert {params.kind for params in shipped.values()} == set(FRONT_ENDS)
    for params in shipped.values():
        for name in SIGNALS:
            waveform = signal(name, params.sample_rate, params.sample_rate)
            before = waveform.copy()
            rows = front_end(params.kind)(waveform, params)
            assert rows.dtype == np.float32
            assert rows.shape[1] == params.bands
            assert np.isfinite(rows).all()
            np.testing.assert_array_equal(waveform, before)
            if params.rows_per_second and not getattr(params, "loop_seconds", 0):
                assert len(rows) == pytest.approx(params.rows_per_second, abs=3)


def test_the_union_lists_every_kind() -> None:
    schema = TypeAdapter(FrontEndParams).json_schema()
    assert set(schema["discriminator"]["mapping"]) == set(FRONT_ENDS)


# --- recordings


def test_channel_and_rate(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    time = np.arange(48000) / 48000
    near, far = 0.5 * np.sin(2 * np.pi * 500 * time), 0.25 * np.sin(2 * np.pi * 2000 * time)
    soundfile.write(path, np.stack([near, far], axis=1), 48000, subtype="FLOAT")
    for channel, expected in {"near": near, "mean": (near + far) / 2}.items():
        rows = extract(path, log_mel_params(channel=channel))
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
            extract(path, params)
        assert str(path) in str(refused.value)
        assert why in str(refused.value)
        assert "\n" not in str(refused.value)
    assert extract(slow, log_mel_params(f_max=4000)).shape == (32, 128)  # all that it needs is there


# --- the stage


@pytest.fixture
def recordings(workdir: Path) -> Path:
    """Lay out three machines; of the last there are no test clips."""
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


@pytest.mark.parametrize("name", ["log_mel", "fbank", "envelope"])
def test_stage(recordings: Path, name: str) -> None:
    assert "14 clips" in stage.main(name)
    clips = pd.read_csv(CLIPS, dtype=str).set_index("clip_id")
    files = pd.read_csv(FILES, dtype=str).set_index("clip_id")["path"]
    params = load(FrontEnd, "features", name).root
    stores = {s: FeatureStore(f"data/features/{name}/{s}") for s in ("train", "test")}
    assert stores["train"].machines == ["bearing", "fan", "valve"]
    assert stores["test"].machines == ["fan", "valve"]
    for split, store in stores.items():
        assert store.clip_ids == sorted(clips.index[clips["split"].ne("test") == (split == "train")])
        assert store.description["kind"] == params.kind
        for clip_id in store.clip_ids:
            np.testing.assert_array_equal(store[clip_id], extract(files[clip_id], params))
    metrics = json.loads((recordings / f"metrics/features/{name}.json").read_text())
    assert metrics["clips"] == 14
    assert metrics["rows"] == sum(store.rows(c) for store in stores.values() for c in store.clip_ids)
    assert metrics["bands"] == params.bands
    assert metrics.get("rows_per_second") == params.rows_per_second
    assert not list((recordings / ".asd").rglob("*.npy"))


def test_stage_gives_the_same_bytes_with_any_number_of_workers(recordings: Path) -> None:
    results = []
    for jobs in (1, 2):
        params = read_params()
        params["compute"]["jobs"] = jobs
        Path("params.yaml").write_text(yaml.safe_dump(params))
        stage.main("fbank")
        results.append(everything(recordings / "data/features/fbank"))
    assert results[0] == results[1]


def test_stage_goes_on_where_it_was_interrupted(
    recordings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.main("log_mel")
    undisturbed = everything(recordings / "data/features")
    computed: list[str] = []

    def dying(path: str, params: FrontEndParams) -> np.ndarray:
        computed.append(path)
        if path == "4.wav":  # of the valve, the last machine
            raise KeyboardInterrupt
        return extract(path, params)

    monkeypatch.setattr(extraction, "extract", dying)
    with pytest.raises(KeyboardInterrupt):
        stage.main("log_mel")
    first, computed[:] = set(computed), []
    assert not list((recordings / ".asd").rglob("valve.npy"))
    capsys.readouterr()
    monkeypatch.setattr(extraction, "extract", lambda path, params: computed.append(path) or extract(path, params))
    stage.main("log_mel")
    assert "resumed: 2 of 3 machines were there" in capsys.readouterr().out
    assert everything(recordings / "data/features") == undisturbed
    fan_and_bearing = {f"{n}.wav" for n in range(14) if n % 3 != 1}
    assert fan_and_bearing <= first
    assert not fan_and_bearing & set(computed)


def test_stage_without_test_clips_makes_an_empty_store(recordings: Path) -> None:
    clips = pd.read_csv(CLIPS, dtype=str)
    clips.loc[clips["split"] == "test", "split"] = "train"
    write_csv(CLIPS, clips)
    stage.main("log_mel")
    store = FeatureStore("data/features/log_mel/test")
    assert (len(store), store.machines, store.bands) == (0, [], 128)


def test_memory_is_bounded_by_few_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    ahead: list[str] = []
    monkeypatch.setattr(extraction, "AT_ONCE", 4)
    monkeypatch.setattr(extraction, "extract", lambda path, params: ahead.append(path) or np.zeros((1, 1)))
    files = {str(n): str(n) for n in range(10)}
    for taken, (clip_id, _) in enumerate(extraction.extract_all(files, log_mel_params(), ComputeParams(jobs=2))):
        assert clip_id == str(taken)
        assert len(ahead) <= taken + 4
