"""Clips to hear and to see: a compressed file, a log-mel picture and an envelope spectrum each."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
from matplotlib.image import imsave
from matplotlib.ticker import MaxNLocator

from asd.datasets.audio import heard, opened
from asd.features.envelope import periodic_hann, periodogram, squared_envelope
from asd.features.frequencies import HIGH_EDGE, LOW_EDGE, characteristic_frequencies
from asd.features.mel import mel_blocks, mel_filter_bank, mel_power

SECONDS = 10.0  # of a clip that are played and shown, the first
MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)  # [Hz] that the format has
COMPRESSION = 0.3  # of 0 to 1: 37 kbit/s at 16 kHz, spectra of fans within 2 dB up to 7.5 kHz
PEAK = 0.9  # of full scale, of the loudest clip of a machine's section
WINDOW = 0.064  # [s] of a spectrum
COLUMNS, MELS = 256, 96  # of a picture at most
FLOOR = 1e-12  # power of silence
SHOWN = 0.02, 0.998  # quantiles of the levels of a section where the colours end
FASTEST, POINTS = 500.0, 240  # [Hz] up to which an envelope spectrum is shown, by so many points at most
MARKED = 3  # characteristic frequencies, the leading ones

Ticks = list[tuple[float, str]]  # place [%] and text


@dataclass(frozen=True)
class Shown:
    """A clip as the page shows it; ``audio`` and ``picture`` are files beside the page."""

    audio: str
    picture: str
    times: Ticks
    """[s]"""
    frequencies: Ticks
    """[kHz] of the mel bands."""
    envelope: str
    """Path in a box of 240 x 100."""
    envelope_frequencies: Ticks
    """[Hz]"""
    levels: Ticks
    """[dB] over the median of the envelope spectrum."""
    marked: list[tuple[float, str]]
    """Place [%] and text of the characteristic frequencies in the envelope."""
    cut: bool
    """Whether the recording is longer."""


class Sound(NamedTuple):
    """The measured begin of a recording.

    Attributes
    ----------
    waveform : np.ndarray [shape=(samples,), dtype=float32]
        Full scale 1.
    sample_rate : int
        [Hz]
    mel : np.ndarray [shape=(mels, columns)]
        [dB]
    envelope : np.ndarray [shape=(cells,)]
        [dB] over its median, 0 Hz to the highest frequency shown.
    found : list of (float, str)
        Characteristic frequencies [Hz] and their kinds.
    cut : bool
        Whether the recording is longer.
    """

    waveform: np.ndarray
    sample_rate: int
    mel: np.ndarray
    envelope: np.ndarray
    found: list[tuple[float, str]]
    cut: bool


def write_sounds(folder: Path, paths: dict[str, Path]) -> dict[str, Shown]:
    """Write the sounds and pictures of the clips of one machine's section, all at one gain and on one scale.

    Parameters
    ----------
    folder : Path
        ``clips`` beside the page; it is there.
    paths : dict of Path
        The recordings by clip id.

    Returns
    -------
    dict of Shown
        By clip id.

    Raises
    ------
    RecordingError
        Where a recording is missing or can't be decoded.
    """
    sounds = {clip: measured(path) for clip, path in paths.items()}
    if not sounds:
        return {}
    gain = PEAK / max(max(np.abs(sound.waveform).max() for sound in sounds.values()), FLOOR)
    colours = np.quantile(np.concatenate([sound.mel.ravel() for sound in sounds.values()]), SHOWN)
    top = max(10.0, *(float(sound.envelope.max()) for sound in sounds.values()))
    return {clip: _written(folder, clip, sound, gain, colours, top) for clip, sound in sounds.items()}


def measured(path: Path) -> Sound:
    """Decode the begin of a recording, its first channel that is not dead, and compute its two pictures."""
    with opened(path) as file:
        rate = file.samplerate
        samples = file.read(round(SECONDS * rate), dtype="float32", always_2d=True)
        cut = file.frames > len(samples)
    waveform = heard(np.nan_to_num(samples)) if len(samples) else np.zeros(1, np.float32)
    band, highest = (min(LOW_EDGE, rate / 20), HIGH_EDGE * rate / 2), min(FASTEST, rate / 16)
    power = periodogram(squared_envelope(waveform, rate, *band), rate, highest)
    level = 10 * np.log10(np.maximum(power, FLOOR * max(power.max(), FLOOR)))
    enough = len(power) > 2 * POINTS  # cells for a noise floor: a second
    candidates = characteristic_frequencies(waveform, rate, band, thorough=False) if enough else []
    found = [(c.frequency, str(c.kind)) for c in candidates if c.frequency < highest][:MARKED]
    return Sound(waveform, rate, log_mel(waveform, rate), level - np.median(level), found, cut)


def log_mel(waveform: np.ndarray, sample_rate: int) -> np.ndarray:
    """Compute the level of mel bands up to half the rate.

    Parameters
    ----------
    waveform : np.ndarray [shape=(samples,)]
    sample_rate : int
        [Hz]

    Returns
    -------
    np.ndarray [shape=(mels, columns)]
        [dB]; low bands first, :data:`COLUMNS` at most.
    """
    n_fft = _n_fft(sample_rate)
    padded = np.pad(waveform, (0, max(0, n_fft - len(waveform))))
    hop = max(n_fft // 4, -(-(len(padded) - n_fft + 1) // COLUMNS))
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop]
    blocks = mel_blocks(sample_rate, n_fft, min(MELS, n_fft // 4), 0.0, sample_rate / 2, "slaney")
    power = mel_power(frames, lambda some: some * periodic_hann(n_fft), n_fft, blocks, COLUMNS)
    return 10 * np.log10(np.maximum(power.T, FLOOR))


def _n_fft(sample_rate: int) -> int:
    return max(16, int(2 ** round(np.log2(WINDOW * sample_rate))))


def _written(folder: Path, clip: str, sound: Sound, gain: float, colours: np.ndarray, top: float) -> Shown:
    write_mp3(folder / f"{clip}.mp3", sound.waveform * np.float32(gain), sound.sample_rate)
    low, high = colours
    scale: dict[str, Any] = {"vmin": low, "vmax": max(high, low + 1), "cmap": "magma", "origin": "lower"}
    imsave(folder / f"{clip}.webp", sound.mel, **scale, pil_kwargs={"quality": 75})
    highest = (len(sound.envelope) - 1) * sound.sample_rate / len(sound.waveform)
    return Shown(
        audio=f"{folder.name}/{clip}.mp3",
        picture=f"{folder.name}/{clip}.webp",
        times=ticks(0, len(sound.waveform) / sound.sample_rate),
        frequencies=mel_ticks(sound.sample_rate),
        envelope=envelope_path(sound.envelope, top),
        envelope_frequencies=ticks(0, highest),
        levels=ticks(0, top, 4),
        marked=[(round(100 * hz / highest, 1), f"{hz:.4g} Hz ({kind})") for hz, kind in sound.found],
        cut=sound.cut,
    )


def write_mp3(path: Path, waveform: np.ndarray, sample_rate: int) -> None:
    """Write a sound as MP3, which every browser plays; resampled where the format lacks the rate.

    Parameters
    ----------
    path : Path
    waveform : np.ndarray [shape=(samples,)]
        Full scale 1.
    sample_rate : int
        [Hz]
    """
    rate = min((rate for rate in MP3_RATES if rate >= sample_rate), default=MP3_RATES[-1])
    if rate != sample_rate:
        import soxr

        waveform = soxr.resample(waveform, sample_rate, rate)
    how = {"bitrate_mode": "VARIABLE", "compression_level": COMPRESSION}
    soundfile.write(path, waveform, rate, format="MP3", subtype="MPEG_LAYER_III", **how)


def envelope_path(level: np.ndarray, top: float) -> str:
    """Draw an envelope spectrum as the path of an SVG element.

    Parameters
    ----------
    level : np.ndarray [shape=(cells,)]
        [dB] over its median.
    top : float
        [dB] at the box's upper edge.

    Returns
    -------
    str
        In a box of 240 x 100, from 0 dB up; where cells are more than points, their maxima.
    """
    starts = np.unique(np.linspace(0, len(level), min(POINTS, len(level)), endpoint=False).astype(int))
    highest = np.clip(np.maximum.reduceat(level, starts), 0, top)
    x, y = np.linspace(0, POINTS, len(starts)), 100 * (1 - highest / top)
    return "M" + "L".join(f"{a:.0f} {b:.0f}" for a, b in zip(x, y, strict=True))


def ticks(low: float, high: float, count: int = 5) -> Ticks:
    """Place round numbers on an axis: ``(0, 2)`` -> 0 % "0", 25 % "0.5" ..."""
    values = MaxNLocator(count, steps=[1, 2, 5, 10]).tick_values(low, high)
    return placed(values, lambda value: (value - low) / (high - low), "{:g}".format)


@lru_cache
def mel_ticks(sample_rate: int) -> Ticks:
    """Place octaves on the axis of mel bands [kHz]."""
    n_fft = _n_fft(sample_rate)
    bank = mel_filter_bank(sample_rate, n_fft, min(MELS, n_fft // 4), 0, sample_rate / 2)
    centres = bank.argmax(axis=1) * sample_rate / n_fft
    octaves = [f for f in (62.5 * 2**i for i in range(1, 12)) if centres[len(centres) // 8] < f <= sample_rate / 2]
    rows = np.arange(len(centres)) + 0.5
    return placed(octaves, lambda f: np.interp(f, centres, rows) / len(rows), lambda f: f"{f / 1000:g}")


def placed(values: Iterable[float], share: Callable[[float], float], text: Callable[[float], str]) -> Ticks:
    """Put ticks at their share of an axis, those that are on it."""
    marks = ((round(100 * float(share(value)), 1), text(round(float(value), 9))) for value in values)
    return [(place, name) for place, name in marks if 0 <= place <= 100]
