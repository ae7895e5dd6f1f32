"""Characteristic frequencies of real bearings, of machines whose frequencies are known, and of noise that has none."""

import argparse
import json
import re
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import soundfile
from machines import MACHINES, coloured_noise, hits, is_found, recording, ring

from asd.__main__ import main
from asd.cli.frequencies import nearest, parse_geometry, parse_orders, parse_speed
from asd.core.errors import UserError
from asd.core.kinematics import Bearing, bearing_orders
from asd.features.bearing_evidence import DefectTest, bearing_evidence, verdict
from asd.features.fault_kinds import Candidate, classify, distinct
from asd.features.frequencies import characteristic_frequencies
from asd.features.front_ends.characteristic_frequencies import frequency_table
from asd.features.harmonic_series import HarmonicSeries, harmonic_series
from asd.features.noise_floor import noise_floor
from asd.features.recordings import read_recording
from studies.bearings import cwru, mfpt

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


@pytest.mark.slow
@pytest.mark.parametrize("study", [cwru, mfpt], ids=["case_western", "mfpt"])
def test_real_bearings_lead_with_their_fault_and_are_named(shared: Path, study, capsys) -> None:
    """Case Western: the faults of 0.014 inch in the outer race and 0.028 in the inner one are not found."""
    study(argparse.Namespace(folder=shared / f"real/{study.__name__}_bearing"))
    first, named = capsys.readouterr().out.splitlines()[-2:]
    least, records = (16, 22) if study is cwru else (14, 14)
    assert int(re.findall(r"\d+", first)[0]) >= least
    right, _, wrong, of = map(int, re.findall(r"\d+", named))
    assert right >= min(records, 18)
    assert wrong <= (1 if study is cwru else 0)
    assert of == records


def accusations(clips: range) -> tuple[int, int]:
    """Count noise with a frequency, and with any evidence of a defect."""
    claimed = accused = 0
    for number in clips:
        rng = np.random.default_rng([28, number])
        rate = int(rng.choice([12000, 16000, 48000]))
        clip = (0.1 * coloured_noise(rng, rate, int(rng.uniform(2, 6) * rate))).astype(np.float32)
        claimed += bool(characteristic_frequencies(clip, rate))
        orders = bearing_orders(Bearing(int(rng.integers(7, 14)), rng.uniform(0.15, 0.3), 1.0))
        accused += any(test.evidence != "none" for test in bearing_evidence(clip, rate, orders, rng.uniform(10, 60)))
    return claimed, accused


@pytest.mark.slow
def test_noise_accuses_no_bearing() -> None:
    claimed, accused = accusations(range(40))
    assert claimed <= 2  # 1 % and three standard deviations
    assert accused <= 2


@pytest.mark.minutes
def test_noise_accuses_at_most_1_percent_of_1000_bearings() -> None:
    claimed, accused = accusations(range(1000))
    assert claimed <= 10
    assert accused <= 10


@pytest.mark.parametrize("slip", [0.0, 0.01])
@pytest.mark.parametrize(
    ("defect", "part"), [("BPFO", "outer race"), ("BPFI", "inner race"), ("BSF", "rolling element")]
)
def test_a_simulated_defect_is_named(defect: str, part: str, slip: float) -> None:
    """Impacts of 25 kHz recordings, modulated by what turns through the load: the shaft, or the cage."""
    rng, rate, speed = np.random.default_rng(8), 25600, 23.7
    orders = bearing_orders(Bearing(9, 7.94, 39.04))
    order, depth, modulator = {"BPFO": (1, 0, 0), "BPFI": (1, 0.8, 1), "BSF": (2, 0.6, orders["FTF"])}[defect]
    revolutions = speed * np.arange(5 * rate) / rate
    impulses = hits(
        rng,
        order * orders[defect] * revolutions,
        slip,
        lambda places: 1 + depth * np.cos(2 * np.pi * modulator * speed * places / rate),
    )
    sound = ring(impulses, rate, 0.25 * rate, 0.001)
    sound = sound / sound.std() + coloured_noise(rng, rate, len(sound))
    tests = bearing_evidence(sound.astype(np.float32), rate, orders, speed)
    named = verdict(tests)
    assert named is not None
    assert named.part == part
    assert named.p_value < 0.05
    assert named.frequency == pytest.approx(named.expected, rel=2e-3)
    if slip:  # impacts without slip beat with the samples
        assert named.modulation == {"BPFO": "", "BPFI": "shaft", "BSF": "cage"}[defect]
    assert [test.name for test in tests] == ["FTF", "BPFO", "BPFI", "BSF", "2 BSF"]


@pytest.mark.slow
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
    described = {"frequency_hz", "kind", "harmonics", "confidence", "orders", "side_bands_hz", "defect", "part"}
    for candidate in content["candidates"]:
        assert set(candidate) == described
        assert candidate["harmonics"] == len(candidate["orders"])
        assert candidate["kind"] in ("fault", "speed", "unknown")
        assert 0 < candidate["confidence"] <= 1
    kinds = [c["kind"] == "fault" for c in content["candidates"]]
    assert kinds == sorted(kinds, reverse=True)


def test_json_says_what_the_tables_say(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(shared / "real/mfpt_bearing/InnerRaceFault_vload_2.mat")
    arguments = ["frequencies", path, "--speed", "1500rpm", "--orders", "BPFO=3.245,BPFI=4.755,FTF=0.4065"]
    assert main(arguments) == 0
    text = capsys.readouterr().out
    assert main([*arguments, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["speed_hz"] == 25
    assert content["verdict"] == "inner race"
    assert text.splitlines()[-1].endswith(": inner race")
    first = content["candidates"][0]
    assert (first["defect"], first["part"]) == ("BPFI", "inner race")
    assert "inner race" in text.splitlines()[1]
    assert {test["defect"]: test["evidence"] for test in content["bearing"]}["BPFI"] == "strong"
    for test in content["bearing"]:
        assert set(test) == {
            "defect", "part", "expected_hz", "frequency_hz", "orders", "side_bands",
            "side_bands_hz", "p_value", "evidence",
        }  # fmt: skip
        assert f"{test['expected_hz']:.2f}" in text
        assert test["evidence"] in text


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


@pytest.mark.slow
@pytest.mark.parametrize("name", MACHINES)
def test_true_frequencies_lead_in_clean_clips_and_in_noise(name: str) -> None:
    assert share_found(name, 4, np.inf) == 1
    assert share_found(name, 4, 0) >= 0.75


@pytest.mark.minutes
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


@pytest.mark.slow
def test_noise_has_no_frequency() -> None:
    assert claims(range(40)) <= 4  # 5 % and three standard deviations


@pytest.mark.minutes
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
    assert rows[0, 0] == pytest.approx(first.frequency, rel=1e-3)
    assert not frequency_table(np.zeros(16000, np.float32)).any()
    assert truth


# --- the command


def defect_test(name: str, expected: float, **changes) -> DefectTest:
    values = {"frequency": expected, "harmonics": (1, 2, 3), "modulation": "", "side_bands": 0.0, "strength": 20.0}
    values |= {"part": name, "p_value": 1e-6, "evidence": "strong"} | changes
    return DefectTest(name=name, expected=expected, **values)


def test_candidates_are_named_by_the_nearest_defect_within_the_slip() -> None:
    tests = [defect_test("BPFO", 107.0), defect_test("2 BSF", 141.0)]
    assert nearest(Candidate(141 * 0.99, "fault", (1, 2, 3, 5), 11.95, 20, 1), tests) is tests[1]
    assert nearest(Candidate(200, "fault", (1, 2), 0, 20, 1), tests) is None
    assert nearest(Candidate(107, "speed", (1, 2), 0, 20, 1), tests) is None


def test_the_verdict_is_the_strongest_defect_and_the_cage_last() -> None:
    outer, cage = defect_test("BPFO", 107.0, strength=12.0), defect_test("FTF", 12.0, strength=30.0)
    weak = defect_test("BPFI", 162.0, strength=40.0, evidence="weak")
    assert verdict([cage, outer, weak]) is outer
    assert verdict([cage, weak]) is cage
    assert verdict([weak]) is None


def test_near_equal_candidates_are_one() -> None:
    near = [Candidate(hz, "unknown", (1, 2), 0, 20, 1) for hz in (6.0, 6.05, 12.0, 12.5)]
    assert [c.frequency for c in distinct(near, 0.1)] == [6.0, 12.0, 12.5]
    assert [c.frequency for c in distinct(near, 1.0)] == [6.0, 12.0]


@pytest.mark.parametrize(
    ("text", "hz"),
    [("24.7", 24.7), ("24.7Hz", 24.7), ("1482rpm", 24.7), (" 1482 RPM ", 24.7), ("1482 r/min", 24.7), ("400hz", 400)],
)
def test_speeds_have_units(text: str, hz: float) -> None:
    assert parse_speed(text) == pytest.approx(hz)


@pytest.mark.parametrize("text", ["1480", "121", "-3", "0rpm", "24,7", "nan", "inf", "rpm", "", "25 knots"])
def test_wrong_speeds_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="--speed is"):
        parse_speed(text)


def test_orders_are_read() -> None:
    assert parse_orders("BPFO=3.5848, bpfi=5.4152") == {"BPFO": 3.5848, "BPFI": 5.4152}


@pytest.mark.parametrize("text", ["BPFO", "BPFO=x", "BPF=3", "BPFO=-1", "BPFO=nan", "BPFO=3,BPFO=4", ","])
def test_wrong_orders_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="--orders is"):
        parse_orders(text)


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
        (lambda p: sine(p / "a.wav"), ["--orders", "BPFO=3"], "--orders needs --speed"),
        (lambda p: sine(p / "a.wav"), ["--speed", "1480"], "--speed is 1480 without a unit: give 1480rpm"),
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
    with pytest.raises(UserError, match="holds nothing but zeros"):
        read_recording(tmp_path / "a.wav")


def test_noise_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(3).normal(0, 0.1, 80000), 16000)
    assert main(["frequencies", str(tmp_path / "a.wav"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["candidates"] == []
    assert main(["frequencies", str(tmp_path / "a.wav")]) == 0
    assert capsys.readouterr().out == "no characteristic frequency\n"
