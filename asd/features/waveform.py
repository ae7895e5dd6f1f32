"""From a file to what a front end hears: one channel at one rate."""

from pathlib import Path

import numpy as np

from asd.datasets.audio import read
from asd.errors import UserError
from asd.features.params import FrontEndParams


def load_waveform(path: Path | str, params: FrontEndParams) -> np.ndarray:
    """Decode a recording, choose its channel and bring it to the front end's rate.

    Returns
    -------
    np.ndarray [shape=(samples,), dtype=float32]
        Full scale 1, at ``params.sample_rate``.

    Raises
    ------
    UserError
        Where the file can't be decoded, or its rate is too low for what the front end looks at.
    """
    samples, sample_rate = read(Path(path))
    if sample_rate < 2 * params.highest_frequency:
        raise UserError(
            f"{path} has {sample_rate} Hz, too low for the {params.kind} up to {params.highest_frequency:g} Hz: "
            f"lower the front end's frequencies in params.yaml or leave the file out"
        )
    waveform = samples[:, 0] if params.channel == "near" else samples.mean(axis=1)
    if sample_rate != params.sample_rate:
        import soxr

        waveform = soxr.resample(waveform, sample_rate, params.sample_rate)
    return np.ascontiguousarray(waveform, dtype=np.float32)
