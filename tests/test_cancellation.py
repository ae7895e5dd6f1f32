"""Cancelling with a far microphone: how much of noise and machine is left, and what can't be cancelled."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from test_index import one_recording

from asd.core.errors import UserError
from asd.datasets.index import make_index
from asd.features import cancellation
from asd.features.cancellation import cancelled, noise_weights, packed, unpacked
from asd.features.channels import one_channel, survey
from asd.features.fitting import FittedFrontEnd, fit_front_end
from asd.features.front_end import FrontEnd
from asd.features.prepare import prepare_waveform
from asd.simulation.signals import RATE
from studies.cancellation import Parts, clips, decibels, parts, reductions

MACHINES = ("ToyCar", "bearing", "fan", "valve")


def some(leakage: float, snr: float) -> list[Parts]:
    return [parts(order, leakage, snr) for machine in MACHINES for order in clips(machine, 1000, 1)]


def test_noise_is_lowered_and_the_machine_left():
    """The claim: a machine 20 dB or more below at the far microphone loses 1 dB at most, noise 3 dB at least."""
    found = [reductions(p) for leakage in (-40, -20) for snr in (-6, 0, 6) for p in some(leakage, snr)]
    noise, machine = np.mean(found, axis=0)
    assert noise >= 3
    assert machine <= 1


def test_a_machine_that_leaks_is_cancelled_too_but_for_weights_of_noise_alone():
    leaking = some(-6, 6)
    assert np.mean([reductions(p)[1] for p in leaking]) > 2
    assert abs(np.mean([reductions(p, by_noise=True)[1] for p in leaking])) < 2
    assert np.mean([reductions(p, by_noise=True)[0] for p in leaking]) > 3


def test_what_is_left_is_what_the_parts_leave():
    """The waveform and the spectra agree: the canceller is linear once its weights are fitted."""
    near, far = sum(some(-20, 0)[0]).T.astype(np.float32)
    left = cancelled(near, far, RATE)
    assert left.waveform.shape == near.shape
    assert left.waveform.dtype == np.float32
    assert left.removed == pytest.approx(decibels(near, left.waveform), abs=0.01)
    assert 0 < left.coherence < 1


def test_weights_of_noise_only_clips_through_a_description(workdir: Path):
    """``cancel_by: noise``: fitted to the noise-only clips, stored as numbers, used instead of the clip's own."""
    recordings = [np.stack([0.5 * noise(seed), noise(seed)], axis=1) for seed in range(3)]
    for i, samples in enumerate(recordings):
        soundfile.write(f"{i}.wav", samples, RATE, subtype="FLOAT")
    soundfile.write("mono.wav", noise(9), RATE)
    description = FrontEnd.model_validate(
        {"kind": "statistics", "sample_rate": RATE, "channel": "cancel", "cancel_by": "noise"}
    ).root
    own = fit_front_end(description, [RATE], ["mono.wav"], ["mono.wav", *(f"{i}.wav" for i in range(3))])
    np.testing.assert_allclose(own.canceller, noise_weights(recordings, RATE), rtol=1e-4, atol=1e-5)
    stored = {**description.model_dump(), "n_features": 1, "machines": {"fan": own.differences(description)}}
    again = FittedFrontEnd.from_description(stored, "fan")
    assert again.params == own.params == description
    np.testing.assert_array_equal(again.canceller, own.canceller)
    machine = noise(20)
    mixture = np.stack([machine + 0.5 * noise(21), noise(21)], axis=1)
    assert decibels(machine, prepare_waveform(mixture, RATE, own.params, own.canceller) - machine) > 20
    with_mono = fit_front_end(description, [RATE], ["mono.wav"], ["mono.wav"])
    assert with_mono.canceller is None
    np.testing.assert_array_equal(prepare_waveform(mixture, RATE, description), cancelled(*mixture.T, RATE).waveform)


def test_weights_of_another_rate_are_left_aside():
    weights = noise_weights([np.stack([noise(0), noise(0)], axis=1)], 2 * RATE)
    left = cancelled(noise(1), noise(2), RATE, weights)
    np.testing.assert_array_equal(left.waveform, cancelled(noise(1), noise(2), RATE).waveform)


def test_packed_weights_are_plain_numbers():
    weights = noise_weights([np.stack([noise(0), noise(1)], axis=1)], RATE)
    np.testing.assert_allclose(unpacked(packed(weights)), weights, rtol=1e-4, atol=1e-7)
    assert unpacked(()) is None


def noise(seed: int, seconds: float = 2) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).normal(size=int(seconds * RATE))).astype(np.float32)


@given(st.floats(0.01, 0.9) | st.floats(1.1, 100), st.integers(0, 200))  # at 1 and 0 it is the same microphone
def test_pure_noise_of_any_gain_and_delay_vanishes(gain: float, delay: int):
    far = noise(0)
    near = (gain * np.concatenate([np.zeros(delay), far])[: len(far)]).astype(np.float32)
    assert decibels(near, cancelled(near, far, RATE).waveform) > (8 if delay else 20)


@pytest.mark.parametrize(
    ("far", "coherence"),
    [(np.zeros(2 * RATE, np.float32), 0.0), (noise(0), 1.0), (noise(0) * np.float32(1.001), 1.0)],
    ids=["silent", "identical", "nearly identical"],
)
def test_a_far_channel_that_tells_nothing_changes_nothing(far: np.ndarray, coherence: float):
    left = cancelled(noise(0), far, RATE)
    np.testing.assert_array_equal(left.waveform, noise(0))
    assert (left.coherence, left.removed) == (coherence, 0.0)


def test_unrelated_channels_are_left_nearly_alone():
    left = cancelled(noise(0, 10), noise(1, 10), RATE)
    assert left.removed < 0.2
    assert left.coherence < 0.02


@pytest.mark.parametrize("length", [1, 100, 5000])
def test_clips_too_short_to_tell_are_left_alone(length: int):
    left = cancelled(noise(0)[:length], noise(1)[:length], RATE)
    np.testing.assert_array_equal(left.waveform, noise(0)[:length])


def test_analysis_and_synthesis_are_transparent():
    wave = noise(0, 1.234)
    size = 2 * round(cancellation.WINDOW * RATE / 2)
    back = cancellation.overlapped(cancellation.spectrum(wave, size), size, len(wave))
    np.testing.assert_allclose(back, wave, atol=1e-6)


def test_channels():
    both = np.stack([noise(0), noise(1)], axis=1)
    np.testing.assert_array_equal(one_channel(both, RATE, "near"), noise(0))
    np.testing.assert_array_equal(one_channel(both, RATE, "far"), noise(1))
    np.testing.assert_allclose(one_channel(both, RATE, "mean"), (noise(0) + noise(1)) / 2, atol=1e-7)
    np.testing.assert_array_equal(one_channel(both, RATE, "cancel"), cancelled(noise(0), noise(1), RATE).waveform)
    for channel in ("far", "cancel"):
        with pytest.raises(UserError, match="has one channel"):
            one_channel(both[:, :1], RATE, channel)


def test_the_survey_of_the_index(workdir: Path):
    sound = sum(some(-20, 0)[0])
    soundfile.write("two.wav", sound, RATE)
    soundfile.write("one.wav", noise(5), RATE)
    index = make_index(pd.concat([one_recording(Path("two.wav")), one_recording(Path("one.wav"), machine="b")]), "fail")
    found = survey(index.clips.merge(index.files, on="clip_id"))
    assert set(found) == {"fan"}
    assert found["fan"]["clips"] == 1
    assert found["fan"]["removed_db"] > 1
    assert 0.1 < found["fan"]["coherence"] < 1
