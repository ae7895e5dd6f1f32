"""Synthetic sounds for pre-training: reproducible, of unit power, near where asked, and what their parameters say."""

import math
import pickle
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import hilbert

from asd.core.compute import rng
from asd.encoders.architectures.machine import PARAMETERS
from asd.simulation.signals import RATE
from pretraining.sounds import machines, scenes, synthesizers, textures
from pretraining.sounds.catalogue import SOURCES
from pretraining.sounds.kinds import KINDS
from pretraining.sounds.parts import Modes, clicks, coloured, saw, slope_of, spectrum_of

NAMES = list(KINDS)


def spectrum(signal, bands=60):
    """Mean level [dB] in bands of equal width on a logarithmic scale."""
    power = np.abs(np.fft.rfft(signal)) ** 2
    edges = np.geomspace(50, 7900, bands + 1) * len(signal) / RATE
    return np.array([10 * np.log10(power[int(a) : int(b) + 1].mean() + 1e-3) for a, b in pairwise(edges)])


def envelope_peak(signal, low, high):
    """Frequency [Hz] of the strongest line of the envelope between two."""
    envelope = np.abs(hilbert(signal)) ** 2
    lines = np.abs(np.fft.rfft((envelope - envelope.mean()) * np.hanning(len(envelope))))
    hz = np.fft.rfftfreq(len(signal), 1 / RATE)
    inside = (hz > low) & (hz < high)
    return hz[inside][np.argmax(lines[inside])]


def alone(name, speed=20.0, **values):
    """A steady machine of one source only, with these shares of its ranges."""
    part = machines.draw_part(rng("alone", name), name)
    shares = tuple(values.get(key, share) for key, share in zip(SOURCES[name].ranges, part.shares, strict=True))
    part = part._replace(level=0.0, inside=0.0, shares=shares, partials=(0.0,) * len(part.partials))
    machine = machines.draw(rng("machine"))
    steady = {"hunting": (1.0, 0.0), "cycle": (0.0, 0.1), "wander": 1e-5, "colour": (0.0,) * 16, "hiss": -60.0}
    return machine._replace(speed=speed, parts=(part,), **steady)


@pytest.mark.parametrize("kind", NAMES)
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), frames=st.integers(RATE // 2, 12 * RATE))
def test_unit_power_for_any_length(kind, seed, frames):
    sound = KINDS[kind].draw(rng(seed))
    signal = KINDS[kind].render(sound, rng(seed, "clip"), frames)
    assert signal.shape == (frames,)
    assert signal.dtype == np.float32
    assert np.sqrt(np.mean(signal.astype(float) ** 2)) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("kind", NAMES)
def test_same_generator_same_bytes(kind):
    for seed in range(4):
        sound = pickle.loads(pickle.dumps(KINDS[kind].draw(rng(seed))))
        assert sound == KINDS[kind].draw(rng(seed))
        first, again, other = (KINDS[kind].render(sound, rng(seed, clip), 16000) for clip in (0, 0, 1))
        assert first.tobytes() == again.tobytes()
        assert first.tobytes() != other.tobytes()


@pytest.mark.parametrize("kind", NAMES)
def test_near_by_nothing_is_the_sound_itself_and_by_more_is_farther(kind):
    distances = {0.1: [], 1.0: []}
    for seed in range(12):
        sound = KINDS[kind].draw(rng(seed))
        assert KINDS[kind].near(sound, rng(seed, "near"), 0.0) == sound
        reference = spectrum(KINDS[kind].render(sound, rng(seed, "clip"), 16000))
        for amount, found in distances.items():
            other = KINDS[kind].render(KINDS[kind].near(sound, rng(seed, "near"), amount), rng(seed, "clip"), 16000)
            found.append(np.abs(spectrum(other) - reference).mean())
    assert np.mean(distances[1.0]) > 1.5 * np.mean(distances[0.1]) > 0


@pytest.mark.parametrize("kind", NAMES)
def test_parameters_have_all_names_and_finite_values_or_nan(kind):
    known = [KINDS[kind].parameters(KINDS[kind].draw(rng(seed))) for seed in range(100)]
    assert all(tuple(values) == PARAMETERS for values in known)
    assert not any(math.isinf(value) for values in known for value in values.values())
    assert len({values["spectral_slope"] for values in known}) > 40


def test_textures_have_neither_speed_nor_tones():
    known = textures.parameters(textures.draw(rng(0)))
    assert all(math.isnan(known[name]) for name in ("log_speed", "log_tone", "tonality", "log_impact_rate"))


@pytest.mark.parametrize("speed", [11.0, 37.5])
def test_shaft_sounds_at_multiples_of_its_speed(speed):
    signal = machines.render(alone("shaft", speed, slope=1.0), rng(1), 4 * RATE)
    power = np.abs(np.fft.rfft(signal * np.hanning(len(signal)))) ** 2
    orders = np.fft.rfftfreq(len(signal), 1 / RATE) / speed
    near_order = (np.abs(orders - np.round(orders)) < 0.75 / speed) & (np.round(orders) >= 1)
    assert power[near_order].sum() > 0.99 * power.sum()


def test_gears_mesh_at_their_frequency():
    machine = alone("gears", 30.0, teeth=0.5, ratio=1.0, depth=0.0, other=0.0, slope=0.0)
    signal = machines.render(machine, rng(1), 4 * RATE)
    loudest = np.argmax(np.abs(np.fft.rfft(signal))) / 4
    assert loudest == pytest.approx(math.exp(machines.parameters(machine)["log_tone"]), rel=0.01)


@pytest.mark.parametrize("name", ["rolling", "wake"])
def test_noise_is_modulated_at_the_stated_rate(name):
    machine = alone(name, 9.0, depth=1.0, abrupt=0.0, order=0.5, blades=0.3)
    rate = math.exp(machines.parameters(machine)["log_modulation_rate"])
    assert envelope_peak(machines.render(machine, rng(2), 8 * RATE), 3, 120) == pytest.approx(rate, abs=0.4)


def test_impacts_come_at_the_stated_rate():
    machine = alone("impacts", 12.0, slip=0.0, depth=0.0, order=0.5)
    rate = math.exp(machines.parameters(machine)["log_impact_rate"])
    assert envelope_peak(machines.render(machine, rng(3), 8 * RATE), 5, 1.5 * rate) == pytest.approx(rate, rel=0.02)


def test_strokes_come_at_the_stated_rate():
    machine = alone("strokes", rate=0.6, jitter=0.0, back=0.5, click=0.0, hold=0.1, decay=0.1, **{"return": 0.0})
    rate = math.exp(machines.parameters(machine)["log_impact_rate"])
    assert envelope_peak(machines.render(machine, rng(3), 12 * RATE), 0.5, 1.5 * rate) == pytest.approx(rate, rel=0.05)


def test_another_operation_is_the_same_machine_at_another_speed():
    machine = machines.draw(rng(4))
    speeds = [machines.operate(machine, rng(4, clip)).speed / machine.speed for clip in range(50)]
    assert machines.operate(machine, rng(0))._replace(speed=machine.speed) == machine
    assert 0.9 <= min(speeds) < 0.93
    assert 1.07 < max(speeds) <= 1.1


def test_louder_tones_are_more_tonal():
    machine = alone("shaft")._replace(parts=(alone("shaft").parts[0], alone("flow").parts[0]._replace(level=-7.0)))
    assert machines.parameters(machine)["tonality"] == pytest.approx(7)


def test_synthesizer_sounds_at_its_pitch_and_beats_at_its_rate():
    shares = dict.fromkeys(synthesizers.NAMES, 0.0)
    shares |= {("overall", "steady"): 1.0, ("overall", "depth"): 0.9, ("overall", "am"): 0.5}
    shares |= {
        ("oscillator", name): value for name, value in {"level": 1, "sine": 1, "pitch": 0.6, "steady": 1}.items()
    }
    patch = synthesizers.Patch(tuple(map(float, shares.values())))
    known, signal = synthesizers.parameters(patch), synthesizers.render(patch, rng(5), 8 * RATE)
    assert np.argmax(np.abs(np.fft.rfft(signal))) / 8 == pytest.approx(math.exp(known["log_tone"]), rel=0.002)
    rate = math.exp(known["log_modulation_rate"])
    assert envelope_peak(signal, 0.6 * rate, 1.6 * rate) == pytest.approx(rate, rel=0.03)


def test_texture_has_its_levels_and_its_spread():
    texture = textures.draw(rng(6))._replace(spread=(0.3,) * textures.BANDS, evenness=1.0, window=512)
    signal = textures.render(texture, rng(7), 12 * RATE)
    power = np.abs(np.fft.rfft(signal)) ** 2
    heard = [power[int(12 * hz / 1.03) : int(12 * hz * 1.03)].mean() for hz in textures.CENTRES[8:]]
    difference = 10 * np.log10(heard) - np.array(texture.level[8:])
    assert np.std(difference) < 1.0
    steps = textures.envelopes(texture, rng(8), 4000)
    assert steps.mean(axis=0) == pytest.approx(1, abs=0.02)
    assert steps.std(axis=0).mean() == pytest.approx(0.3, rel=0.25)


def test_coloured_noise_falls_as_told():
    levels = spectrum(coloured(rng(9), 8 * RATE, -6.0 * np.arange(16) / 2), 14)
    assert slope_of(levels, np.geomspace(50, 7900, 15)[:-1]) == pytest.approx(-6, abs=0.3)


def test_resonances_ring_at_their_frequencies_with_unit_energy():
    found = spectrum_of(Modes((700.0, 3000.0), (0.01, 0.01), (1.0, 1.0)), RATE)
    levels = np.abs(found)
    assert np.argmax(levels[:1500]) == pytest.approx(700, abs=4)
    assert 1500 + np.argmax(levels[1500:]) == pytest.approx(3000, abs=8)
    assert np.sum(np.fft.irfft(found) ** 2) == pytest.approx(1, abs=0.01)


def test_clicks_keep_their_place_and_strength():
    train = clicks(np.array([0.1, 0.20001]), np.array([2.0, 3.0]), 8000)
    assert train[1600] == pytest.approx(2)
    assert train[3200:3202].sum() == pytest.approx(3)
    assert train.sum() == pytest.approx(5)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), snr=st.floats(-6, 20))
def test_recordings_keep_the_ratio_asked(seed, snr):
    dry = rng(seed, "dry").standard_normal(RATE, dtype=np.float32)
    sound, around = scenes.heard(dry, rng(seed), scenes.install(rng(seed)), snr)
    assert 10 * np.log10(np.mean(sound**2) / np.mean(around**2)) == pytest.approx(snr, abs=1)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), frames=st.integers(RATE // 2, 6 * RATE))
def test_recordings_stay_within_full_scale_and_depend_on_their_generator_alone(seed, frames):
    place = pickle.loads(pickle.dumps(scenes.install(rng(seed))))
    dry = rng(seed, "dry").standard_normal(frames, dtype=np.float32)
    clip, again = (scenes.record(dry, rng(seed, "clip"), place) for _ in range(2))
    assert clip.dtype == np.float32
    assert clip.shape == (frames,)
    assert 0 < np.abs(clip).max() < 1
    assert clip.tobytes() == again.tobytes()


def test_clips_of_an_installation_share_its_response():
    place = scenes.install(rng(10))._replace(distance=0.3)
    dry = [rng(clip).standard_normal(4 * RATE, dtype=np.float32) for clip in range(3)]
    other = scenes.install(rng(11))
    here = [spectrum(scenes.heard(signal, rng("clip", i), place, 0.0)[0]) for i, signal in enumerate(dry)]
    there = spectrum(scenes.heard(dry[0], rng("clip", 0), other, 0.0)[0])
    assert np.std(here[0] - here[1]) < 0.6 * np.std(here[0] - there)


def test_sawtooth_has_harmonics_that_fall_as_one_over_order_and_few_aliases():
    cycles = 1001.0 * np.arange(RATE) / RATE
    power = np.abs(np.fft.rfft(saw((cycles % 1).astype(np.float32), 1001 / RATE))) ** 2
    assert power[2002] / power[1001] == pytest.approx(1 / 4, rel=0.1)
    harmonic = np.isin(np.arange(len(power)), 1001 * np.arange(1, 8))
    assert power[~harmonic][1:].sum() < 0.01 * power.sum()
