"""The simulated machines sound as their physics says, and ``simulated-2`` sounds as it did."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from factories import clips

from asd.core.compute import rng
from asd.core.kinematics import bearing_frequencies
from asd.simulation import simulation
from asd.simulation.acoustics import Body, ring, room
from asd.simulation.machine import Sound
from asd.simulation.machines.bearing import GEOMETRY
from asd.simulation.plan import Order
from asd.simulation.signals import RATE, crossings, harmonics, hunt, impulses, mean_speed, turns
from asd.simulation.simulation import BAND, MACHINES, VERSION, record, simulate

OCTAVES = 125 * 2.0 ** np.arange(7)  # [Hz]


def spectrum(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.fft.rfftfreq(len(samples), 1 / RATE), np.abs(np.fft.rfft(samples.astype(float))) ** 2


def envelope_lines(samples: np.ndarray, low: float = 2000, high: float = 7000) -> tuple[np.ndarray, np.ndarray]:
    whole = np.fft.fft(samples)
    hz = np.fft.fftfreq(len(samples), 1 / RATE)
    envelope = np.abs(np.fft.ifft(whole * ((hz > low) & (hz < high)))) ** 2
    lines = np.abs(np.fft.rfft((envelope / envelope.mean() - 1) * np.hanning(len(envelope))))
    return np.fft.rfftfreq(len(envelope), 1 / RATE), lines


def stands_out(hz: np.ndarray, lines: np.ndarray, at: float) -> float:
    """How far a line stands above the median beside it."""
    near, beside = np.abs(hz - at) < 0.01 * at + 0.3, np.abs(hz - at) < 8
    return float(lines[near].max() / np.median(lines[beside]))


@pytest.mark.parametrize("name", list(MACHINES))
def test_severity_zero_is_the_clip_without_its_fault(name: str):
    for faulty, null in zip(clips(name, 3, anomaly=1), clips(name, 3, anomaly=1, severity=0.0), strict=True):
        with_fault, without = simulate(faulty), simulate(null)
        assert np.array_equal(with_fault.healthy, without.healthy), "a level was adjusted"
        assert np.array_equal(with_fault.noise, without.noise)
        assert with_fault.fault.any()
        assert not without.fault.any()
        assert (without.facts["fault"], without.facts["severity"]) == ("", 0)


@pytest.mark.parametrize("name", list(MACHINES))
def test_nothing_sounds_above_the_band(name: str):
    stems = simulate(clips(name, 1, anomaly=1)[0])
    for stem in (stems.healthy[:, 0], stems.fault[:, 0]):
        hz, power = spectrum(stem)
        assert power[hz > 7900].sum() < 1e-4 * power.sum()


def test_fault_energy_is_that_between_200_and_8000_hz():
    for order in clips("gearbox", 4, anomaly=1):
        stems = simulate(order)
        hz, fault = spectrum(stems.fault[:, 0])
        _, rest = spectrum((stems.healthy + stems.noise)[:, 0])
        band = (hz >= BAND[0]) & (hz <= BAND[1])
        assert stems.facts["fault_db"] == pytest.approx(10 * np.log10(fault[band].sum() / rest[band].sum()), abs=0.05)


@pytest.mark.parametrize("name", list(MACHINES))
def test_without_severity_the_label_changes_no_sample(name: str, monkeypatch: pytest.MonkeyPatch):
    """But for the stream that they are drawn from, anomalous clips of severity 0 are the normal ones."""
    key = Order.key.fget
    monkeypatch.setattr(Order, "key", property(lambda o: key(o._replace(name=replace(o.name, anomaly=0)))))
    for domain in ("source", "target"):
        normal, anomalous = (clips(name, 2, label, domain, severity=0.0) for label in (0, 1))
        for one, other in zip(normal, anomalous, strict=True):
            np.testing.assert_array_equal(record(one)[0], record(other)[0])


def test_fault_energy_grows_with_the_square_of_severity():
    full, half = (simulate(clips("fan", 1, anomaly=1, severity=s)[0]) for s in (1.0, 0.5))
    assert full.facts["fault_db"] - half.facts["fault_db"] == pytest.approx(20 * np.log10(2), abs=0.01)


def test_slip_lets_the_phase_walk_at_random():
    """Antoni and Randall: intervals independent, so the deviation grows as the square root of their number."""
    deviations = []
    for i in range(300):
        times = crossings(50.0 * np.arange(5 * RATE) / RATE, rng("slip", i), slip=0.015)
        intervals = np.diff(times) * 50
        deviations.append([intervals[0] - 1, intervals[:16].sum() - 16, intervals[:144].sum() - 144])
        assert np.corrcoef(intervals[:-1], intervals[1:])[0, 1] == pytest.approx(0, abs=0.3)
    assert np.std(deviations, axis=0) == pytest.approx(0.015 * np.sqrt([1, 16, 144]), rel=0.15)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "name"), [("outer_race", "BPFO"), ("inner_race", "BPFI"), ("rolling_element", "BSF")]
)
def test_a_spall_strikes_at_its_frequency(fault: str, name: str):
    found = [s for o in clips("bearing", 48, anomaly=1, size="default") if (s := simulate(o)).facts["fault"] == fault]
    assert len(found) >= 3
    for stems in found:
        expected = bearing_frequencies(GEOMETRY, stems.facts["speed_hz"])[name]
        assert stems.facts["fault_hz"] == pytest.approx(expected, rel=1e-4)
        hz, lines = envelope_lines(stems.fault[:, 0])
        strikes = 2 * expected if name == "BSF" else expected
        strongest = hz[np.argmax(np.where((hz > 8) & (hz < 150), lines, 0))]
        shifts = [0, stems.facts["speed_hz"], bearing_frequencies(GEOMETRY, stems.facts["speed_hz"])["FTF"]]
        multiples = [abs(strongest + s * d) / strikes for s in (-1, 1) for d in shifts]
        assert min(abs(m - max(1, round(m))) for m in multiples) < 0.02


def test_a_healthy_bearing_has_no_defect_line_but_shows_its_shaft():
    for order in clips("bearing", 6, size="default"):
        stems = simulate(order)
        hz, lines = envelope_lines(stems.healthy[:, 0])
        assert stands_out(hz, lines, stems.facts["speed_hz"]) > 8
        for name, at in bearing_frequencies(GEOMETRY, stems.facts["speed_hz"]).items():
            if name != "FTF":
                assert stands_out(hz, lines, at) < 6, name


def test_gears_mesh_at_teeth_times_speed():
    stems = simulate(clips("gearbox", 1, size="default")[0])
    hz, power = spectrum(stems.healthy[:, 0] * np.hanning(len(stems.healthy)))
    mesh = 23 * stems.facts["speed_hz"]
    near = (hz > 0.98 * mesh) & (hz < 1.02 * mesh)
    beside = (hz > 1.1 * mesh) & (hz < 1.2 * mesh)
    assert power[near].max() > 25 * power[beside].max()


def test_an_impulse_lies_between_samples_and_keeps_its_height():
    for part in (0.0, 0.3, 0.5):
        train = impulses(np.array([(1000 + part) / RATE]), 2.0, 4000)
        hz, power = spectrum(train)
        assert np.sqrt(power[(hz > 100) & (hz < 6000)]) == pytest.approx(2.0, rel=0.02)
        assert np.sum(np.arange(4000) * train) / train.sum() == pytest.approx(1000 + part, abs=0.02)


def test_a_struck_body_rings_with_unit_energy_at_its_mode():
    sound = ring(impulses(np.array([0.05]), 1.0, 16000), Body((3000.0,), (0.02,), (1.0,)))
    hz, power = spectrum(sound)
    assert np.sum(sound.astype(float) ** 2) == pytest.approx(1.0, rel=0.1)
    assert hz[np.argmax(power)] == pytest.approx(3000, rel=0.01)


def test_the_direct_sound_falls_with_the_distance():
    near, far = (np.fft.irfft(room(rng("room"), 16000, metres)) for metres in (0.25, 1.0))
    assert near[0] / far[0] == pytest.approx(4, rel=1e-3)
    assert near[200:] == pytest.approx(far[200:], abs=1e-5)


def test_hunting_sweeps_a_tone_as_far_as_its_depth_says():
    tone = np.sin(2 * np.pi * 1000 * np.arange(4 * RATE) / RATE).astype(np.float32)
    swept = hunt(rng("hunt"), tone, 1.0, 0.05)
    phase = np.unwrap(np.angle(np.fft.ifft(np.where(np.fft.fftfreq(len(swept)) > 0, 2 * np.fft.fft(swept), 0))))
    hz = np.diff(phase)[RATE // 10 : -RATE // 10] * RATE / 2 / np.pi
    assert [hz.min(), hz.max()] == pytest.approx([950, 1050], abs=20)  # the rate of hunting wanders, too
    assert np.mean(swept**2) == pytest.approx(0.5, rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "fault"), [("fan", "hunting"), ("ToyCar", "uneven_supply")])
def test_a_speed_that_hunts_changes_no_level(name: str, fault: str):
    orders = clips(name, 60, anomaly=1, size="default")
    found = [s for o in orders if (s := simulate(o)).facts["fault"] == fault]
    assert len(found) >= 3
    for stems in found:
        healthy, with_fault = (np.mean(x.astype(float) ** 2) for x in (stems.healthy, stems.healthy + stems.fault))
        assert 10 * np.log10(with_fault / healthy) == pytest.approx(0, abs=0.5)
        assert np.mean(stems.fault**2) > 0.02 * healthy


@pytest.mark.parametrize("name", list(MACHINES))
def test_an_installation_is_the_same_in_all_clips_of_a_domain(name: str, monkeypatch: pytest.MonkeyPatch):
    """The response from machine to microphone, without its drift from clip to clip: that of an impulse."""
    for drift in ("LEVEL_DRIFT", "RESPONSE_DRIFT"):
        monkeypatch.setattr(simulation, drift, 0.0)
    impulse = np.eye(1, 2 * RATE, dtype=np.float32)[0]
    fixed = replace(MACHINES[name], sound=lambda run: Sound(impulse, 0 * impulse, {"shaft": 1.0}))
    monkeypatch.setitem(MACHINES, name, fixed)
    source, target = (clips(name, 13, domain=domain) for domain in ("source", "target"))
    again = next(order for order in source[1:] if order.setting == source[0].setting)
    first, second, other = (simulate(order).healthy for order in (source[0], again, target[0]))
    np.testing.assert_allclose(second, first, atol=1e-6 * np.abs(first).max())
    assert np.abs(other - first).max() > 0.1 * np.abs(first).max()


def test_harmonics_stop_below_the_ceiling():
    shaft = turns(rng("shaft"), 32000, 1000.0)
    hz, power = spectrum(harmonics(rng("phases"), shaft, np.ones(20)) * np.hanning(32000))
    assert mean_speed(shaft) == pytest.approx(1000, rel=0.02)
    assert power[hz > 7700].sum() < 1e-6 * power.sum()


def fingerprint() -> str:
    """Octave levels of some clips of every machine, to a tenth of a decibel: the same on any processor."""
    levels = []
    for name in MACHINES:
        for order in clips(name, 1) + clips(name, 2, anomaly=1, domain="target"):
            stems = simulate(order)
            hz, power = spectrum((stems.healthy + stems.fault + stems.noise)[:, 0])
            bands = [power[(hz >= low) & (hz < 2 * low)].sum() for low in OCTAVES[:-1]]
            levels.append(f"{order.file} {np.round(10 * np.log10(bands), 1).tolist()}")
    return hashlib.sha256("\n".join(levels).encode()).hexdigest()[:16]


def test_simulated_2_is_frozen():
    """A change of what is heard is a new version: never a new hash for an old name."""
    assert (VERSION, fingerprint()) == ("simulated-2", "6335711ae4d31c25")
