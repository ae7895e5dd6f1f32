"""Characteristic frequencies of a recording."""

from collections.abc import Sequence

import numpy as np
from scipy import fft
from scipy.signal import hilbert

from asd.features.frequencies import characteristic_frequencies
from bench.harness import Row, in_turns

RATE, SECONDS, CLIPS = 16000, 10, 8


def rows() -> list[Row]:
    """Measure the search against the bare envelope spectrum that it starts from."""
    clips = np.random.default_rng(0).standard_normal((CLIPS, RATE * SECONDS), np.float32)

    def ours(clips: Sequence[np.ndarray]) -> None:
        for clip in clips:
            characteristic_frequencies(clip, RATE)

    def envelope_spectra(clips: Sequence[np.ndarray]) -> None:
        for clip in clips:
            np.abs(fft.rfft(np.abs(hilbert(clip)) ** 2))

    times = in_turns({"ours": ours, "spectrum": envelope_spectra}, list(clips))
    name = f"characteristic frequencies, {SECONDS} s at {RATE // 1000} kHz, one thread"
    return [Row(name, "ms/clip", times["ours"], "scipy's squared envelope and its spectrum", times["spectrum"])]
