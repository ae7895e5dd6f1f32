"""From a file to the waveform that a front end takes: one channel, one rate, one length, high-passed, at one level."""

from pathlib import Path

import numpy as np

from asd.core.errors import UserError
from asd.datasets.audio import read
from asd.features.channels import one_channel
from asd.features.filters import high_pass
from asd.features.front_end import FrontEndParams, InputParams

LEVEL = 0.1  # root mean square of a clip at one level, full scale 1: 20 dB below it


def load_waveform(path: Path | str, params: FrontEndParams, canceller: np.ndarray | None = None) -> np.ndarray:
    """Decode a recording and prepare it for a front end.

    See :func:`checked_waveform` for parameters, result and errors; :func:`asd.datasets.audio.read` has errors besides.
    """
    return checked_waveform(*read(Path(path)), params, canceller, path)


def checked_waveform(
    samples: np.ndarray,
    sample_rate: int,
    params: FrontEndParams,
    canceller: np.ndarray | None = None,
    path: Path | str = "",
) -> np.ndarray:
    """Prepare decoded samples for a front end by :func:`prepare_waveform`, with errors that name the recording.

    Parameters
    ----------
    samples : np.ndarray [shape=(frames, channels), dtype=float32]
    sample_rate : int
        [Hz]
    params : FrontEndParams
    canceller : np.ndarray [shape=(bins, taps), dtype=complex], optional
    path : Path or str
        Named in errors.

    Returns
    -------
    np.ndarray [shape=(samples,), dtype=float32]
        Full scale 1, at ``params.sample_rate``.

    Raises
    ------
    UserError
        Where the rate is too low for the front end's frequencies, or the recording lacks the channel.
    """
    if sample_rate < 2 * params.highest_frequency and params.low_rate != "resample":
        raise UserError(
            f"{path} has {sample_rate} Hz, too low for the {params.kind} up to {params.highest_frequency:g} Hz: "
            f"lower the front end's frequencies in params.yaml or leave the file out"
        )
    try:
        return prepare_waveform(samples, sample_rate, params, canceller)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def prepare_waveform(
    samples: np.ndarray, sample_rate: int, params: InputParams, canceller: np.ndarray | None = None
) -> np.ndarray:
    """Choose the channel, resample, loop or trim or pad to length, high-pass, bring to one level: in this order.

    Parameters
    ----------
    samples : np.ndarray [shape=(frames, channels), dtype=float32]
    sample_rate : int
        [Hz]
    params : InputParams
        Its ``high_pass`` is a number (``auto`` is fitted before).
    canceller : np.ndarray [shape=(bins, taps), dtype=complex], optional
        Fitted to noise alone, see :func:`asd.features.cancellation.noise_weights`; None: fitted to the clip.

    Returns
    -------
    np.ndarray [shape=(samples,), dtype=float32]
        At ``params.sample_rate``.

    Examples
    --------
    >>> stereo = np.random.default_rng(0).normal(0, 0.1, (48000, 2)).astype(np.float32)
    >>> prepare_waveform(stereo, 48000, InputParams(sample_rate=16000, channel="mean")).shape
    (16000,)
    """
    waveform = one_channel(samples, sample_rate, params.channel, canceller)
    if sample_rate != params.sample_rate:
        import soxr

        waveform = soxr.resample(waveform, sample_rate, params.sample_rate)
    waveform = _to_length(waveform, params)
    if params.high_pass == "auto":
        raise ValueError("high_pass is auto: fit the front end to the machine's training clips first")
    if params.high_pass:
        waveform = high_pass(waveform, params.high_pass, params.sample_rate, params.phase)
    if params.level == "normalise":
        waveform = at_level(waveform)
    return np.ascontiguousarray(waveform, dtype=np.float32)


def at_level(waveform: np.ndarray) -> np.ndarray:
    """Scale a waveform ``(samples,)`` to a root mean square of :data:`LEVEL`; digital silence stays silent."""
    return waveform * gain(waveform)


def gain(waveform: np.ndarray) -> float:
    """Compute the factor that brings a waveform ``(samples, ...)`` to :data:`LEVEL`; 1 for digital silence."""
    rms = float(np.sqrt(np.mean(np.square(waveform, dtype=np.float64))))
    return LEVEL / rms if rms else 1.0


def _to_length(waveform: np.ndarray, params: InputParams) -> np.ndarray:
    """Repeat a shorter clip to ``loop_seconds``; trim or pad with zeros to ``trim_or_pad_seconds``."""
    if len(waveform) < (length := round(params.loop_seconds * params.sample_rate)):
        return np.resize(waveform, length)
    if length := round(params.trim_or_pad_seconds * params.sample_rate):
        return np.pad(waveform[:length], (0, max(0, length - len(waveform))))
    return waveform
