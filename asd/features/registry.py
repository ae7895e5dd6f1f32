"""Front ends by their kind: a new one is a file, a line here and a section in params.py."""

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

FRONT_ENDS = {
    "log_mel": "asd.features.mel:log_mel",
    "dasheng_mel": "asd.features.mel:log_mel",
    "efficientat_mel": "asd.features.mel:log_mel",
    "kaldi_fbank": "asd.features.kaldi:kaldi_fbank",
    "beats_fbank": "asd.features.kaldi:kaldi_fbank",
    "stft_magnitude": "asd.features.spectrum:stft_magnitude",
    "magnitude_spectrum": "asd.features.spectrum:magnitude_spectrum",
    "envelope_spectrum": "asd.features.envelope:envelope_spectrum",
    "waveform": "asd.features.waveform:rows_of",
    "statistics": "asd.features.statistics:statistics",
    "characteristic_frequencies": "asd.features.frequencies:frequency_table",
}
LOCKED = {"statistics": 0.02, "characteristic_frequencies": 0.07}  # [s] for a clip of ten, in small steps of Python


def front_end(kind: str) -> Callable[[np.ndarray, Any], np.ndarray]:
    """Find a front end by its kind; its module is imported now, so that no other one's libraries are.

    Returns
    -------
    callable
        Takes a waveform (samples,) float32 and the section of params.yaml; returns (rows, bands) float32.
    """
    module, function = FRONT_ENDS[kind].split(":")
    found: Callable[[np.ndarray, Any], np.ndarray] = getattr(importlib.import_module(module), function)
    return found
