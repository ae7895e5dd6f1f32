"""Characteristic frequencies of real bearings, of machines whose frequencies are known, and of noise that has none."""

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import soundfile
from machines import MACHINES, coloured_noise, is_found, recording, ring

from asd.__main__ import main
from asd.cli.frequencies import name_fault, parse_geometry
from asd.core.errors import UserError
from asd.core.kinematics import Bearing, bearing_frequencies
from asd.features.fault_kinds import Candidate, classify
from asd.features.frequencies import characteristic_frequencies
from asd.features.front_ends.characteristic_frequencies import frequency_table
from asd.features.harmonic_series import HarmonicSeries, harmonic_series
from asd.features.noise_floor import noise_floor
from asd.features.recordings import read_recording

MFPT = [f"{race}RaceFault_vload_{load}" for race in ("Inner", "Outer") for load in range(1, 8)]


# --- real bearings


@pytest.mark.parametrize("name", MFPT)
def test_the_right_fault_leads_on_real_bearings(shared: Path, name: str) -> None:
    path = shared / f"real/mfpt_bearing/{name}.mat"
    stored = scipy.io.loadmat(path)
    found = characteristic_frequencies(*read_recording(path))
    faults = [c for c in found if c.kind == "fault"]
    assert found[0] is faults[0]
    expected = stored["BPFI" if name.startswith("Inner") else "BPFO"].item()
    assert faults[0].frequency == pytest.approx(expected, rel=0.025)
    assert len(faults[0].harmonics) >= 3


@pytest.mark.parametrize("name", ["InnerRaceFault_vload_3", "OuterRaceFault_vload_5"])
def test_the_command_names_the_fault(
    shared: Path, name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = str(shared / f"real/mfpt_bearing/{name}.mat")
    geometry = ["--speed", "24.7", "--geometry", "n=8,d=0.235,D=1.245,phi=0"]
    assert main(["frequencies", path, *geometry, "--plot", str(tmp_path / "plot.png")]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    if name.startswith("Inner"):
        assert last.startswith("BPFI x1-x")
        assert "side bands 24." in last
        assert last.endswith(": inner race")
    else:
        assert last.startswith("BPFO x1-x")
        assert last.endswith(": outer race")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_the_shaft_of_an_inner_race_fault_is_told_from_the_fault(shared: Path) -> None:
    path = shared / "real/mfpt_bearing/InnerRaceFault_vload_1.mat"
    found = characteristic_frequencies(*read_recording(path))
    shafts = [c for c in found if c.frequency == pytest.approx(24.7, rel=0.01)]
    assert [c.kind for c in shafts] == ["speed"]
    assert found[0].side_bands == pytest.approx(24.7, rel=0.02)


def test_json_is_the_contract(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(shared / "real/mfpt_bearing/OuterRaceFault_vload_1.mat")
    assert main(["frequencies", path, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert set(content) == {"file", "candidates"}
    assert content["file"] == path
    for candidate in content["candidates"]:
        assert set(candidate) == {"frequency_hz", "kind", "harmonics", "confidence"}
        assert candidate["kind"] in ("fault", "speed", "unknown")
        assert 0 < candidate["confidence"] <= 1
    kinds = [c["kind"] == "fault" for c in content["candidates"]]
    assert kinds == sorted(kinds, reverse=True)


def test_a_given_band_is_demodulated_alone(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(shared / "real/mfpt_bearing/OuterRaceFault_vload_2.mat")
    assert main(["frequencies", path, "--band", "2000", "8000", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["candidates"][0]["frequency_hz"] == pytest.approx(80.2, abs=0.3)


# --- machines of known frequencies


def share_found(name: str, clips: int, snr: float) -> float:
    hits = 0
    for number in range(clips):
        waveform, rate, truth = recording(number, name, snr)
        found = characteristic_frequencies(waveform, rate)
        hits += bool(found) and is_found(found[0].frequency, truth, len(waveform) / rate)
    return hits / clips


@pytest.mark.parametrize("name", MACHINES)
def test_true_frequencies_lead_in_clean_clips_and_in_noise(name: str) -> None:
    assert share_found(name, 4, np.inf) == 1
    assert share_found(name, 4, 0) >= 0.75


@pytest.mark.slow
@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize(("snr", "least"), [(np.inf, 0.95), (10, 0.8), (0, 0.8)])
def test_true_frequencies_lead_in_many_clips(name: str, snr: float, least: float) -> None:
    assert share_found(name, 60, snr) >= least


def claims(clips: range) -> int:
    count = 0
    for number in clips:
        rng = np.random.default_rng([5, number])
        rate = int(rng.choice([16000, 48000])) if number % 5 == 0 else 16000
        noise = 0.1 * coloured_noise(rng, rate, int(rng.uniform(2, 10) * rate))
        count += bool(characteristic_frequencies(noise.astype(np.float32), rate))
    return count


def test_noise_has_no_frequency() -> None:
    assert claims(range(40)) <= 4  # 5 % and three standard deviations


@pytest.mark.slow
def test_noise_has_a_frequency_in_at_most_5_percent_of_1000_clips() -> None:
    assert claims(range(1000)) <= 50


def test_sub_multiples_are_resolved() -> None:
    """A series of every third line is three times the fundamental; a weak odd half is not overlooked."""
    rng = np.random.default_rng(0)
    power = rng.exponential(size=6000)
    power[np.arange(300, 6000, 300)] += 60
    (series,) = harmonic_series(power, 0.1, 1, 250, 0.01)
    assert series.frequency == pytest.approx(30, abs=0.02)
    power[np.arange(150, 6000, 300)] += 25
    (series,) = harmonic_series(power, 0.1, 1, 250, 0.01)
    assert series.frequency == pytest.approx(15, abs=0.02)


def test_side_bands_belong_to_their_series() -> None:
    power = np.random.default_rng(1).exponential(size=6000)
    for order in range(1, 6):
        for aside in (-2, -1, 0, 1, 2):
            power[order * 1000 + aside * 130] += 200 / (1 + abs(aside))
    (series,) = harmonic_series(power, 0.1, 1, 250, 0.01)
    assert series.frequency == pytest.approx(100, abs=0.05)
    assert series.side_bands == pytest.approx(13, abs=0.1)
    assert series.harmonics[:5] == [1, 2, 3, 4, 5]


def test_a_cage_is_not_taken_for_the_fundamental() -> None:
    """The side bands of an outer race's fault stand at the cage's rate, a ninth of it: fainter than the harmonics."""
    power = np.random.default_rng(4).exponential(size=8000)
    for order in range(1, 7):
        for aside in range(-4, 5):
            power[order * 1080 + aside * 120] += 2000 if aside == 0 else 60
    found = harmonic_series(power, 0.1, 1, 250, 0.01)
    assert found[0].frequency == pytest.approx(108, abs=0.05)


def test_a_series_on_the_lines_of_a_slower_one_is_found_as_well() -> None:
    power = np.random.default_rng(5).exponential(size=8000)
    power[np.arange(60, 8000, 60)] += 100
    power[np.arange(1080, 8000, 1080)] += 5000
    strongest, *others = harmonic_series(power, 0.1, 1, 250, 0.01)
    assert strongest.frequency == pytest.approx(108, abs=0.02)
    assert others
    assert all(other.frequency / 6 == pytest.approx(round(other.frequency / 6), abs=0.01) for other in others)


@pytest.mark.parametrize("rate", [12000, 25600, 51200])
def test_impacts_without_slip_are_impacts(rate: int) -> None:
    """Cepstral pre-whitening alone takes strictly periodic impacts for tones."""
    cycles = np.arange(6 * rate) * 91.3 / rate
    impulses = np.diff(np.floor(cycles), prepend=0)
    sound = ring(impulses, rate, 0.23 * rate, 0.001) + 0.002 * np.random.default_rng(6).standard_normal(len(cycles))
    first = characteristic_frequencies(sound, rate)[0]
    assert (first.kind, first.frequency) == ("fault", pytest.approx(91.3, rel=2e-3))


def series(frequency: float, harmonics: int, strength: float, side_bands: float = 0.0) -> HarmonicSeries:
    return HarmonicSeries(frequency, list(range(1, harmonics + 1)), side_bands, strength, 1.0)


def test_kinds() -> None:
    inner, shaft, order = series(161.7, 9, 24, side_bands=29.93), series(29.93, 12, 39), series(59.86, 3, 20)
    weak, few = series(71.1, 5, 6), series(71.1, 2, 20)
    found = classify([shaft, inner, order, weak], [])
    assert [(c.frequency, c.kind) for c in found] == [
        (161.7, "fault"),
        (29.93, "speed"),
        (59.86, "speed"),
        (71.1, "unknown"),
    ]
    assert [c.kind for c in classify([few], [series(71.1, 5, 50)])] == ["speed"]  # tones that beat
    assert [c.kind for c in classify([], [series(120, 1, 9), series(71.1, 5, 8)])] == ["unknown", "speed"]


def test_a_speed_may_be_the_nameplates() -> None:
    inner, shaft = series(161.7, 9, 24), series(29.93, 12, 39)
    assert classify([shaft, inner], [])[0].frequency == 29.93
    assert classify([shaft, inner], [], speed=30.4)[0].frequency == 161.7
    assert classify([shaft, inner], [], speed=35)[0].frequency == 29.93


@pytest.mark.parametrize("exponent", [-3.0, -1.0, 0.0, 2.0])
def test_the_floor_follows_slopes(exponent: float) -> None:
    expected = np.maximum(np.arange(8000), 1.0) ** exponent
    noise = expected * np.random.default_rng(2).exponential(size=(20, 8000))
    ratio = np.mean([noise_floor(power, 121) for power in noise], axis=0) / expected
    assert ratio[8:].min() > 0.6
    assert ratio[8:].max() < 1.6
    assert ratio[200:].mean() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("sound", ["silence", "constant", "click", "tone"])
def test_degenerate_sounds_are_no_trouble(sound: str) -> None:
    time = np.arange(32000) / 16000
    made = {"silence": 0 * time, "constant": 0 * time + 0.5, "click": np.eye(1, 32000, 9000)[0]}
    waveform = made.get(sound, np.sin(2 * np.pi * 440 * time)).astype(np.float32)
    found = characteristic_frequencies(waveform, 16000)
    if sound == "tone":
        assert any(c.frequency == pytest.approx(440, abs=0.2) for c in found)
    else:
        assert found == []


def test_a_known_speed_makes_its_orders_speed() -> None:
    waveform, rate, truth = recording(3, "strokes")
    found = characteristic_frequencies(waveform, rate, speed=truth[0])
    assert found[0].kind == "speed"
    assert all(c.kind != "fault" for c in found if round(c.frequency / truth[0], 2).is_integer())


def test_table_of_frequencies() -> None:
    waveform, _, truth = recording(1, "blades")
    waveform = waveform[: 16000 * (len(waveform) // 16000)]
    rows = frequency_table(waveform, 16000, candidates=3)
    first = characteristic_frequencies(waveform, 16000)[0]
    assert rows.shape == (3, 6)
    assert rows[0, 0] == pytest.approx(first.frequency)
    assert not frequency_table(np.zeros(16000, np.float32)).any()
    assert truth


# --- the command


def test_faults_are_named_by_the_nearest_frequency() -> None:
    defects = bearing_frequencies(Bearing(9, 0.3126, 1.537), 30)
    ball = Candidate(2 * defects["BSF"] * 0.99, "fault", (1, 2, 3, 5), defects["FTF"], 20, 1)
    assert name_fault(ball, defects) == "2 BSF x1-x3, x5, side bands 11.95 Hz: rolling element"
    assert name_fault(Candidate(200, "fault", (1, 2), 0, 20, 1), defects) == ""
    assert name_fault(Candidate(defects["BPFO"], "speed", (1, 2), 0, 20, 1), defects) == ""


def test_geometry_is_read() -> None:
    assert parse_geometry("n=8, d=0.235,D=1.245,phi=15") == Bearing(8, 0.235, 1.245, 15)
    assert parse_geometry("n=8,d=0.235,D=1.245") == Bearing(8, 0.235, 1.245, 0)


@pytest.mark.parametrize("text", ["n=8", "n=8,d=2,D=1", "n=8.5,d=1,D=5", "n=8,d=1,D=5,x=1", "eight", "n=a,d=1,D=5"])
def test_wrong_geometry_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="--geometry is"):
        parse_geometry(text)


def sine(path: Path, seconds: float = 2, rate: int = 8000) -> str:
    soundfile.write(path, 0.1 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate), rate)
    return str(path)


@pytest.mark.parametrize(
    ("make", "arguments", "says"),
    [
        (lambda p: str(p / "none.wav"), [], "none.wav is missing"),
        (lambda p: str(p / "none.mat"), [], "none.mat is missing"),
        (lambda p: sine(p / "short.wav", 0.5), [], "lasts 0.50 s: give at least 1 s"),
        (
            lambda p: sine(p / "a.wav"),
            ["--band", "3000", "2000"],
            "--band is 3000 2000: give LOW < HIGH within 0 and half",
        ),
        (lambda p: sine(p / "a.wav"), ["--band", "100", "5000"], "within 0 and half the rate (4000 Hz)"),
        (lambda p: sine(p / "a.wav"), ["--speed", "0"], "--speed is 0: give the shaft's frequency"),
        (lambda p: sine(p / "a.wav"), ["--geometry", "n=8,d=1,D=5"], "--geometry needs --speed"),
        (lambda p: sine(p / "a.wav"), ["--plot", __file__ + "/plot.png"], "plot.png can't be written"),
    ],
)
def test_what_a_user_can_mend_is_one_line(make, arguments, says, tmp_path, capsys) -> None:
    assert main(["frequencies", make(tmp_path), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("asd: ")
    assert says in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("content", [b"", b"MATLAB 5.0 MAT-file, not really", b"\0" * 200])
def test_files_that_are_no_matlab_files(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.mat is no MATLAB file that can be read"):
        read_recording(tmp_path / "a.mat")


def test_matlab_files_of_something_else(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "a.mat", {"x": np.arange(9)})
    with pytest.raises(UserError, match=r"a\.mat is no record as MFPT stores them"):
        read_recording(tmp_path / "a.mat")


def test_a_folder_is_no_recording(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a folder: name one recording"):
        read_recording(tmp_path)


def test_silent_recordings_are_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(16000), 16000)
    with pytest.raises(UserError, match="is silent"):
        read_recording(tmp_path / "a.wav")


def test_noise_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(3).normal(0, 0.1, 80000), 16000)
    assert main(["frequencies", str(tmp_path / "a.wav"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["candidates"] == []
    assert main(["frequencies", str(tmp_path / "a.wav")]) == 0
    assert capsys.readouterr().out == "no characteristic frequency\n"
