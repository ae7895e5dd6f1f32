"""Real bearings with known faults, and noise without any: the first candidate, and the part that is named.

    python -m studies.bearings cwru FOLDER
    python -m studies.bearings mfpt FOLDER
    python -m studies.bearings noise [--clips 1000]
    python -m studies.bearings strangers FOLDER ... [--bearings 20]

``cwru``: records of the Case Western Reserve University Bearing Data Center as ``RPM_fault_size_rate.npz``, key ``DE``.
``mfpt``: those of the MFPT fault data sets as they are published. A record's first candidate, found without a speed,
is right within 2 % of the fault's frequency; the part is named with the speed and the bearing's orders.
"""

import argparse
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.io import loadmat

from asd.core.kinematics import CAGE, ELEMENT, INNER, OUTER, Bearing, bearing_orders
from asd.features.bearing_evidence import PARTS, bearing_evidence, verdict
from asd.features.frequencies import characteristic_frequencies
from asd.features.recordings import read_recording
from studies.shared import Commands, table

SKF_6205 = {OUTER: 3.5848, INNER: 5.4152, ELEMENT: 4.7135 / 2, CAGE: 0.39828}  # Case Western's table
FAULTS = {"IR": INNER, "OR": OUTER, "B": ELEMENT}
RIGHT = 0.02  # relative distance of the first candidate
NOMINAL = 25.0  # [Hz] speed of the MFPT records
NONE = "none"
CLIPS = ((12000, 5), (48828, 3), (97656, 3), (16000, 10), (16000, 4), (25600, 2))  # rates [Hz] and lengths [s]
SLOPES = {"white": 0.0, "pink": 0.5, "brown": 1.0, "blue": -0.5}  # of the magnitude, in powers of 1 / frequency
SPEEDS = (10.0, 60.0)  # [Hz]


class Record(NamedTuple):
    """A recording of a bearing with a known fault."""

    name: str
    waveform: np.ndarray
    rate: int
    speed: float
    """[Hz] nominal."""
    orders: dict[str, float]
    defect: str


def case_western(folder: Path) -> Iterator[Record]:
    """Read the drive end's records of Case Western that are named ``RPM_fault_size_rate.npz``."""
    for path in sorted(folder.glob("*.npz")):
        if match := re.match(r"(\d+)_(IR|OR|B)\D.*_DE(\d+)\.npz", path.name):
            waveform = np.ravel(np.load(path)["DE"])
            yield Record(path.stem, waveform, 1000 * int(match[3]), int(match[1]) / 60, SKF_6205, FAULTS[match[2]])


def mfpt_records(folder: Path) -> Iterator[Record]:
    """Read the records of MFPT whose names tell the race, with the frequencies that are stored in each."""
    for path in sorted(folder.glob("*RaceFault*.mat")):
        waveform, rate = read_recording(path)
        stored = loadmat(path)
        orders = {name: stored[name].item() / NOMINAL for name in (OUTER, INNER, ELEMENT, CAGE)}
        defect = INNER if path.name.startswith("Inner") else OUTER
        yield Record(path.stem, waveform, rate, NOMINAL, orders, defect)


def judged(record: Record) -> dict[str, Any]:
    """Search a record without its speed, and test its bearing's defects with it."""
    found = characteristic_frequencies(record.waveform, record.rate)
    expected = record.orders[record.defect] * record.speed
    first = found[0].frequency if found else 0.0
    named = verdict(bearing_evidence(record.waveform, record.rate, record.orders, record.speed))
    return {
        "record": record.name,
        "fault [Hz]": expected,
        "first candidate [Hz]": first,
        "right": abs(first / expected - 1) <= RIGHT,
        "fault": PARTS[record.defect],
        "named": named.part if named else NONE,
        "p": f"{named.p_value:.1e}" if named else "",
    }


def _report(records: Iterator[Record]) -> None:
    rows = pd.DataFrame([judged(record) for record in records])
    print(table(rows.set_index("record")))
    named, silent = rows["named"] == rows["fault"], rows["named"] == NONE
    print(f"\nfirst candidate right: {rows['right'].sum()} of {len(rows)}")
    print(f"named right: {named.sum()}, none: {silent.sum()}, wrong: {(~named & ~silent).sum()} of {len(rows)}")


def cwru(args: argparse.Namespace) -> None:
    """Judge records of Case Western's test rig: SKF 6205, inner- or outer-race faults."""
    _report(case_western(args.folder))


def mfpt(args: argparse.Namespace) -> None:
    """Judge the MFPT records, whose shaft turns 1.4 % slower than the 25 Hz that are stored."""
    _report(mfpt_records(args.folder))


def noise(args: argparse.Namespace) -> None:
    """Count what is claimed of noise: white, pink, brown, blue and with resonances, of several rates and lengths."""
    claims: Counter[str] = Counter()
    for number in range(args.clips):
        rng = np.random.default_rng([28, number])
        rate, seconds = CLIPS[number % len(CLIPS)]
        waveform = _noise(rng, rate, rate * seconds, number // len(CLIPS) % (len(SLOPES) + 1))
        tests = bearing_evidence(waveform, rate, SKF_6205, rng.uniform(*SPEEDS))
        claims["a frequency"] += bool(characteristic_frequencies(waveform, rate))
        claims["any evidence of a defect"] += any(test.evidence != "none" for test in tests)
        claims["a part named"] += verdict(tests) is not None
    for claim, count in claims.items():
        print(f"{claim}: {count} of {args.clips}")


def _noise(rng: np.random.Generator, rate: int, samples: int, kind: int) -> np.ndarray:
    """Make noise of one of the slopes, or, behind these, with three resonances."""
    frequency = np.maximum(np.fft.rfftfreq(samples, 1 / rate), 20)
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    if kind < len(SLOPES):
        spectrum *= frequency ** -list(SLOPES.values())[kind]
    else:
        for centre in rng.uniform(100, 0.4 * rate, 3):
            spectrum *= 1 + 10 / np.sqrt(1 + ((frequency - centre) / (centre / 40)) ** 2)
    waveform = np.fft.irfft(spectrum, samples)
    return (0.1 * waveform / waveform.std()).astype(np.float32)


def strangers(args: argparse.Namespace) -> None:
    """Count how often a bearing that is not in the machine is accused: random ones, real recordings."""
    claims: Counter[str] = Counter()
    paths = sorted(path for folder in args.folders for path in folder.rglob("*.wav"))
    for number, path in enumerate(paths):
        rng = np.random.default_rng([29, number])
        waveform, rate = read_recording(path)
        for _ in range(args.bearings):
            bearing = Bearing(int(rng.integers(7, 14)), rng.uniform(0.15, 0.3), 1.0)
            named = verdict(bearing_evidence(waveform, rate, bearing_orders(bearing), rng.uniform(*SPEEDS)))
            claims[named.part if named else NONE] += 1
    print(table(pd.DataFrame({"bearings": claims}).rename_axis("named")))


def main() -> None:
    """Run the study that the command line names."""
    commands = Commands(__doc__)
    for study in (cwru, mfpt):
        commands.add(study.__name__, study).add_argument("folder", type=Path)
    commands.add("noise", noise).add_argument("--clips", type=int, default=1000)
    made = commands.add("strangers", strangers)
    made.add_argument("folders", type=Path, nargs="+", help="of WAV files of machines without bad bearings")
    made.add_argument("--bearings", type=int, default=20, help="for each recording")
    commands.run()


if __name__ == "__main__":
    main()
