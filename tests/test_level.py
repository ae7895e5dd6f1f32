"""Front ends of one level."""

import numpy as np
import pytest

from asd.features.front_ends.log_mel import LogMelParams
from asd.features.prepare import LEVEL, at_level, prepare_waveform

PARAMS = {"kind": "log_mel", "sample_rate": 16000, "n_fft": 512, "hop_length": 256, "n_mels": 16}
PARAMS |= {"f_min": 0, "f_max": 8000}
SOUND = np.random.default_rng(0).normal(scale=0.003, size=(16000, 1)).astype(np.float32)


def rms(x):
    return np.sqrt(np.mean(np.square(x, dtype=np.float64)))


@pytest.mark.parametrize("high_pass", [0, 2000])
def test_every_clip_has_the_same_level_behind_the_high_pass(high_pass):
    params = LogMelParams(**PARAMS, level="normalise", high_pass=high_pass)
    made = [prepare_waveform(gain * SOUND, 16000, params) for gain in (1, 8)]
    assert [rms(x) for x in made] == pytest.approx([LEVEL, LEVEL], rel=1e-5)
    np.testing.assert_allclose(made[0], made[1], rtol=1e-5, atol=1e-7)


def test_as_shipped_the_level_stays():
    made = [prepare_waveform(gain * SOUND, 16000, LogMelParams(**PARAMS)) for gain in (1, 8)]
    assert rms(made[1]) == pytest.approx(8 * rms(made[0]))


def test_silence_stays_silent():
    assert not at_level(np.zeros(100, np.float32)).any()
