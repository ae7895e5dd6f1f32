"""``python -m asd frequencies FILE``: the characteristic frequencies of one recording."""

import argparse
import json
import math
import re
from pathlib import Path
from typing import Any

from asd.core.errors import UserError
from asd.core.kinematics import CAGE, ELEMENT, INNER, OUTER, Bearing, bearing_orders
from asd.features.bearing_evidence import SLIP, DefectTest, bearing_evidence, verdict
from asd.features.fault_kinds import Candidate
from asd.features.frequencies import FALSE_ALARMS, characteristic_frequencies, views
from asd.features.recordings import read_recording

SHOWN = 12  # orders
GEOMETRY = {"n": "elements", "d": "diameter", "D": "pitch", "phi": "angle"}
ORDERS = (OUTER, INNER, ELEMENT, CAGE)
HEADINGS = ("frequency [Hz]", "kind", "harmonics", "side bands [Hz]", "confidence")
DEFECT_HEADINGS = ("defect", "expected [Hz]", "found [Hz]", "harmonics", "side bands", "p-value", "evidence")
UNITS = {"": 1.0, "hz": 1.0, "rpm": 1 / 60, "r/min": 1 / 60, "1/min": 1 / 60, "min-1": 1 / 60}  # [Hz]
FASTEST = 120.0  # [Hz] beyond which a number without a unit may well be meant in rpm: 7,200 rpm
NONE = "none"  # verdict where no evidence is strong
EXAMPLE = "python -m asd frequencies bearing.wav --speed 1482rpm --geometry n=8,d=7.94,D=39.04,phi=0"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        "Find the harmonic series of a recording - of the squared envelope, and of the sound itself - and tell "
        f"faults from what turns with the shaft. Of recordings of noise {FALSE_ALARMS:.0%} get a frequency by design. "
        "With the speed and a bearing's geometry or orders each of its defect frequencies is tested for itself."
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="audio, or a .mat record as MFPT stores them")
    parser.add_argument("--band", nargs=2, type=float, metavar=("LOW", "HIGH"), help="[Hz] to demodulate")
    parser.add_argument("--speed", metavar="SPEED", help="of the shaft: 24.7, 24.7Hz or 1482rpm")
    bearing = parser.add_mutually_exclusive_group()
    bearing.add_argument(
        "--geometry", metavar="n=8,d=..,D=..,phi=..", help="of a bearing: with --speed, names the fault"
    )
    bearing.add_argument(
        "--orders",
        metavar="BPFO=3.58,BPFI=5.42,..",
        help="of a bearing, in multiples of the shaft, instead of --geometry",
    )
    parser.add_argument("--plot", type=Path, metavar="PNG", help="draw the spectra with the series")
    parser.add_argument("--json", action="store_true", help="print JSON")


def main(args: argparse.Namespace) -> int:
    """Print the frequencies, faults first, and the evidence for each defect of a bearing.

    Raises
    ------
    UserError
        Where the file can't be read or analysed, or an argument makes no sense.
    """
    orders = _orders_of_bearing(args.geometry, args.orders)
    speed = parse_speed(args.speed) if args.speed is not None else None
    if orders and not speed:
        option = "--geometry" if args.geometry else "--orders"
        raise UserError(f"{option} needs --speed: give the shaft's frequency as well, 24.7Hz or 1482rpm")
    waveform, sample_rate = read_recording(args.file)
    band = _checked(args.band, sample_rate) if args.band else None
    candidates = characteristic_frequencies(waveform, sample_rate, band, speed)
    tests = bearing_evidence(waveform, sample_rate, orders, speed, band) if orders and speed else []
    if args.plot:
        from asd.features.plot import plot  # matplotlib takes its time

        plot(args.plot, views(waveform, sample_rate, band), candidates)
    shown = as_json(args.file, candidates, tests, speed)
    print(json.dumps(shown, ensure_ascii=False) if args.json else as_text(candidates, tests, speed))
    return 0


def parse_speed(text: str) -> float:
    """Take the speed of a shaft [Hz]: a number in Hz, or with the unit ``Hz`` or ``rpm``.

    Raises
    ------
    UserError
        Where it is no speed, or so high without a unit that rpm may be meant.
    """
    number, unit = re.fullmatch(r"\s*(.*?)\s*(hz|rpm|r/min|1/min|min-1|)\s*", text, re.IGNORECASE | re.DOTALL).groups()  # type: ignore[union-attr]
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise UserError(f"--speed is {text}: give the shaft's frequency above 0, as 24.7, 24.7Hz or 1482rpm")
    if not unit and value > FASTEST:
        raise UserError(f"--speed is {text} without a unit: give {text}rpm, or {text}Hz if it turns as fast as that")
    return value * UNITS[unit.lower()]


def _orders_of_bearing(geometry: str | None, orders: str | None) -> dict[str, float]:
    """Take a bearing's defect frequencies, in multiples of the shaft, from either option; empty for neither."""
    if geometry:
        return bearing_orders(parse_geometry(geometry))
    return parse_orders(orders) if orders else {}


def parse_orders(text: str) -> dict[str, float]:
    """Take ``BPFO=3.5848,BPFI=5.4152`` apart: defect frequencies in multiples of the shaft.

    Parameters
    ----------
    text : str

    Returns
    -------
    dict of str to float

    Raises
    ------
    UserError
        Where a name is unknown or a number is none.
    """
    parts = [part.partition("=") for part in text.split(",")]
    try:
        orders = {name.strip().upper(): float(value) for name, _, value in parts}
    except ValueError:
        orders = {}
    if not orders or len(orders) < len(parts) or not all(n in ORDERS and 0 < v < 100 for n, v in orders.items()):
        raise UserError(f"--orders is {text!r}: give multiples of the shaft, any of BPFO=..,BPFI=..,BSF=..,FTF=..")
    return orders


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
        bearing_orders(bearing)
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


def as_json(path: Path, candidates: list[Candidate], tests: list[DefectTest], speed: float | None) -> dict[str, Any]:
    """Describe what was found as JSON, faults first; an empty list of candidates where there are none.

    Parameters
    ----------
    path : Path
    candidates : list of Candidate
    tests : list of DefectTest
        Of a bearing, empty where none is given: then there is no verdict either.
    speed : float, optional
        [Hz] of the shaft.

    Returns
    -------
    dict
    """
    shown: dict[str, Any] = {"file": str(path)}
    if speed:
        shown |= {"speed_hz": round(speed, 4)}
    shown["candidates"] = [
        {
            "frequency_hz": round(c.frequency, 3),
            "kind": c.kind,
            "harmonics": len(c.harmonics),
            "orders": list(c.harmonics),
            "side_bands_hz": round(c.side_bands, 3),
            "confidence": round(c.confidence, 4),
            **_name_and_part(c, tests),
        }
        for c in candidates
    ]
    if tests:
        named = verdict(tests)
        shown |= {"bearing": [_test_as_json(test) for test in tests], "verdict": named.part if named else NONE}
    return shown


def _name_and_part(candidate: Candidate, tests: list[DefectTest]) -> dict[str, str]:
    """Name the defect that a candidate is the frequency of, and the part; empty where it is none or unknown."""
    test = nearest(candidate, tests)
    return {"defect": test.name, "part": test.part} if test else {"defect": "", "part": ""}


def _test_as_json(test: DefectTest) -> dict[str, Any]:
    return {
        "defect": test.name,
        "part": test.part,
        "expected_hz": round(test.expected, 3),
        "frequency_hz": round(test.frequency, 3),
        "orders": list(test.harmonics),
        "side_bands": test.modulation,
        "side_bands_hz": round(test.side_bands, 3),
        "p_value": float(f"{test.p_value:.3g}"),
        "evidence": test.evidence,
    }


def as_text(candidates: list[Candidate], tests: list[DefectTest], speed: float | None) -> str:
    """Describe what was found as tables: candidates, the defects of the bearing, and which part has one.

    Parameters
    ----------
    candidates : list of Candidate
    tests : list of DefectTest
        Of a bearing, empty where none is given.
    speed : float, optional
        [Hz] of the shaft.

    Returns
    -------
    str
    """
    blocks = [_candidates_as_text(candidates, tests) if candidates else "no characteristic frequency"]
    if tests and speed:
        rows = [_test_as_row(test) for test in tests]
        blocks.append(f"\nshaft {speed:.2f} Hz ({60 * speed:.0f} rpm)\n{_table(DEFECT_HEADINGS, rows)}\n")
        blocks.append(_verdict_as_text(verdict(tests)))
    return "\n".join(blocks)


def _candidates_as_text(candidates: list[Candidate], tests: list[DefectTest]) -> str:
    headings = (*HEADINGS, "part") if tests else HEADINGS
    rows: list[tuple[str, ...]] = []
    for c in candidates:
        aside = f"{c.side_bands:.2f}" if c.side_bands else "none"
        row: tuple[str, ...] = (f"{c.frequency:.2f}", c.kind, _orders(c.harmonics), aside, f"{c.confidence:.4f}")
        rows.append((*row, _name_and_part(c, tests)["part"]) if tests else row)
    return _table(headings, rows)


def _test_as_row(test: DefectTest) -> tuple[str, ...]:
    found, aside = f"{test.frequency:.2f}", test.modulation or "none"
    p_value = f"{test.p_value:.1e}" if test.p_value < 0.001 else f"{test.p_value:.3f}"
    return test.name, f"{test.expected:.2f}", found, _orders(test.harmonics) or "none", aside, p_value, test.evidence


def _verdict_as_text(test: DefectTest | None) -> str:
    """Write the verdict, as ``BPFO x1-x4, no side bands: outer race``."""
    if test is None:
        return "no strong evidence of a defect of the bearing: none"
    aside = f"side bands {test.side_bands:.2f} Hz" if test.modulation else "no side bands"
    return f"{test.name} {_orders(test.harmonics)}, {aside}: {test.part}"


def _table(headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    widths = [max(len(row[i]) for row in (headings, *rows)) for i in range(len(headings))]
    lines = ("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in (headings, *rows))
    return "\n".join(line.rstrip() for line in lines)


def nearest(candidate: Candidate, tests: list[DefectTest]) -> DefectTest | None:
    """Find the defect whose expected frequency is nearest to a candidate's, within the slip; None for the shaft's.

    Parameters
    ----------
    candidate : Candidate
    tests : list of DefectTest

    Returns
    -------
    DefectTest or None
    """
    if candidate.kind == "speed":
        return None
    near = [test for test in tests if abs(candidate.frequency / test.expected - 1) <= SLIP]
    return min(near, key=lambda test: abs(candidate.frequency / test.expected - 1), default=None)


def _orders(harmonics: tuple[int, ...]) -> str:
    """Write the first orders as ``x1-x4, x6``; empty for none."""
    if not (harmonics := harmonics[:SHOWN]):
        return ""
    breaks = [i for i in range(1, len(harmonics)) if harmonics[i] != harmonics[i - 1] + 1]
    runs = [harmonics[a:b] for a, b in zip([0, *breaks], [*breaks, len(harmonics)], strict=True)]
    return ", ".join(f"x{run[0]}" if len(run) == 1 else f"x{run[0]}-x{run[-1]}" for run in runs)
