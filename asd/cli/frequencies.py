"""``python -m asd frequencies FILE``: the characteristic frequencies of one recording."""

import argparse
import json
import re
from pathlib import Path

import numpy as np

from asd.core.errors import UserError
from asd.core.kinematics import CAGE, ELEMENT, INNER, OUTER, Bearing, bearing_frequencies
from asd.features.fault_kinds import Candidate
from asd.features.frequencies import FALSE_ALARMS, characteristic_frequencies, views
from asd.features.recordings import read_recording

SHOWN = 12  # orders
SLIP = 0.025  # largest relative distance of a line from the kinematic frequency
PARTS = {OUTER: "outer race", INNER: "inner race", ELEMENT: "rolling element", f"2 {ELEMENT}": "rolling element"}
PARTS[CAGE] = "cage"
GEOMETRY = {"n": "elements", "d": "diameter", "D": "pitch", "phi": "angle"}
HEADINGS = ("frequency [Hz]", "kind", "harmonics", "side bands [Hz]", "confidence")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        "Find the harmonic series of a recording - of the squared envelope, and of the sound itself - and tell "
        f"faults from what turns with the shaft. Of recordings of noise {FALSE_ALARMS:.0%} get a frequency by design."
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="audio, or a .mat record as MFPT stores them")
    parser.add_argument("--band", nargs=2, type=float, metavar=("LOW", "HIGH"), help="[Hz] to demodulate")
    parser.add_argument("--speed", type=float, metavar="HZ", help="[Hz] of the shaft")
    parser.add_argument(
        "--geometry", metavar="n=8,d=..,D=..,phi=..", help="of a bearing: with --speed, names the fault"
    )
    parser.add_argument("--plot", type=Path, metavar="PNG", help="draw the spectra with the series")
    parser.add_argument("--json", action="store_true", help="print JSON")


def main(args: argparse.Namespace) -> int:
    """Print the frequencies, faults first.

    Raises
    ------
    UserError
        Where the file can't be read or analysed, or an argument makes no sense.
    """
    bearing = parse_geometry(args.geometry) if args.geometry else None
    if args.speed is not None and not 0 < args.speed < np.inf:
        raise UserError(f"--speed is {args.speed:g}: give the shaft's frequency in Hz, above 0")
    if bearing and not args.speed:
        raise UserError("--geometry needs --speed: give the shaft's frequency in Hz as well")
    waveform, sample_rate = read_recording(args.file)
    band = _checked(args.band, sample_rate) if args.band else None
    candidates = characteristic_frequencies(waveform, sample_rate, band, args.speed)
    defects = bearing_frequencies(bearing, args.speed) if bearing else {}
    if args.plot:
        from asd.features.plot import plot  # matplotlib takes its time

        plot(args.plot, views(waveform, sample_rate, band), candidates)
    print(json.dumps(as_json(args.file, candidates), ensure_ascii=False) if args.json else as_text(candidates, defects))
    return 0


def parse_geometry(text: str) -> Bearing:
    """Take ``n=8,d=0.235,D=1.245,phi=0`` apart: elements, their diameter, pitch diameter, contact angle [degree].

    Raises
    ------
    UserError
        Where a part is missing or unknown, or no such bearing can be.
    """
    parts = dict(re.findall(r"([^=,\s]+)\s*=\s*([^=,\s]+)", text))
    try:
        bearing = Bearing(**{GEOMETRY[name]: float(value) for name, value in parts.items()})  # type: ignore[arg-type]
        bearing_frequencies(bearing, 1.0)
        if bearing.elements != int(bearing.elements):
            raise ValueError
    except (KeyError, TypeError, ValueError, OverflowError):
        raise UserError(
            f"--geometry is {text!r}: give n=<elements>,d=<their diameter>,D=<pitch diameter>,phi=<degrees>"
        ) from None
    return bearing


def _checked(band: list[float], sample_rate: int) -> tuple[float, float]:
    low, high = band
    if not 0 <= low < high <= sample_rate / 2:
        raise UserError(
            f"--band is {low:g} {high:g}: give LOW < HIGH within 0 and half the rate ({sample_rate / 2:g} Hz)"
        )
    return low, high


def as_json(path: Path, candidates: list[Candidate]) -> dict:
    """Describe the candidates as JSON, faults first; an empty list where there are none."""
    return {
        "file": str(path),
        "candidates": [
            {
                "frequency_hz": round(c.frequency, 3),
                "kind": c.kind,
                "harmonics": len(c.harmonics),
                "confidence": round(c.confidence, 4),
            }
            for c in candidates
        ],
    }


def as_text(candidates: list[Candidate], defects: dict[str, float]) -> str:
    """Describe the candidates as a table, and the faults by name where the bearing's frequencies are known."""
    if not candidates:
        return "no characteristic frequency"
    rows = [HEADINGS]
    for c in candidates:
        aside = f"{c.side_bands:.2f}" if c.side_bands else "none"
        rows.append((f"{c.frequency:.2f}", c.kind, _orders(c.harmonics), aside, f"{c.confidence:.4f}"))
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADINGS))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join([*lines, *filter(None, (name_fault(c, defects) for c in candidates))])


def name_fault(candidate: Candidate, defects: dict[str, float]) -> str:
    """Name a bearing's fault: ``BPFO x1-x4, no side bands: outer race``; empty where the frequency is none of it."""
    if candidate.kind == "speed" or not defects:
        return ""
    expected = {**defects, f"2 {ELEMENT}": 2 * defects[ELEMENT]}
    name, frequency = min(expected.items(), key=lambda item: abs(candidate.frequency / item[1] - 1))
    if abs(candidate.frequency / frequency - 1) > SLIP:
        return ""
    aside = f"side bands {candidate.side_bands:.2f} Hz" if candidate.side_bands else "no side bands"
    return f"{name} {_orders(candidate.harmonics)}, {aside}: {PARTS[name]}"


def _orders(harmonics: tuple[int, ...]) -> str:
    """Write the first orders as ``x1-x4, x6``."""
    harmonics = harmonics[:SHOWN]
    breaks = [i for i in range(1, len(harmonics)) if harmonics[i] != harmonics[i - 1] + 1]
    runs = [harmonics[a:b] for a, b in zip([0, *breaks], [*breaks, len(harmonics)], strict=True)]
    return ", ".join(f"x{run[0]}" if len(run) == 1 else f"x{run[0]}-x{run[-1]}" for run in runs)
