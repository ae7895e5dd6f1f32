"""Is the strongest line of a faulty bearing its fault's? See docs/simulated_factory.md.

    python -m studies.factory_envelope [--seeds 1000] [--clips 200]

Bearing clips with a spall (the transient faults) without the factory around them, of drawn severities: the largest peak
of the squared envelope spectrum of 2-7 kHz, from half the cage's frequency up to 250 Hz, orders of the shaft left out,
must be the fault's frequency or a harmonic of it within 1 %.
"""

import numpy as np
import pandas as pd

from asd.base.compute import ComputeParams, parallel
from asd.datasets.params import SimulatedParams
from asd.datasets.simulated.plan import Cell, Order, orders
from asd.datasets.simulated.signals import RATE
from asd.datasets.simulated.simulation import MACHINES, simulate
from studies.factory import parser, table, verdict
from studies.factory_statistics import squared_envelope

BAND = (2000, 7000)  # [Hz]
RANGE = (3.0, 250.0)  # [Hz] of lines
TOLERANCE = 0.01
SHARE = 95.0


def strongest(order: Order) -> dict[str, object] | None:
    """Find the largest peak of one clean clip, in multiples of its fault's frequency; None where there is no spall."""
    stems = simulate(order)
    if stems.facts["fault_kind"] != "transient":
        return None
    hz, spectrum = envelope_spectrum((stems.healthy + stems.fault)[:, 0], *BAND)
    speed, fault = stems.facts["speed_hz"], stems.facts["fault_hz"]
    shaft = np.abs(hz / speed - np.round(hz / speed)) * speed < np.maximum(0.005 * hz, 8 * hz[1])
    usable = (hz > RANGE[0]) & (hz < RANGE[1]) & ~shaft
    multiple = hz[np.argmax(np.where(usable, spectrum, 0))] / fault
    nearest = max(1, round(multiple))
    return {"fault": stems.facts["fault"], "multiple": nearest, "right": abs(multiple / nearest - 1) <= TOLERANCE}


def envelope_spectrum(samples: np.ndarray, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Compute the spectrum of the squared envelope of a band, relative to its mean, and its frequencies [Hz]."""
    envelope = squared_envelope(samples, low, high)
    window, padded = np.hanning(len(envelope)), 4 * len(envelope)
    spectrum = 2 * np.abs(np.fft.rfft((envelope / envelope.mean() - 1) * window, padded)) / window.sum()
    return np.fft.rfftfreq(padded, 1 / RATE), spectrum


def main() -> None:
    """Print the share of clips by fault and the verdict."""
    made = parser(__doc__, seeds=[1000])
    made.add_argument("--clips", type=int, default=200, help="of each domain, of which about half have a spall")
    args = made.parse_args()
    wanted: list[Order] = []
    for seed in args.seeds:
        params = SimulatedParams(size="default", seed=seed)
        for domain in ("source", "target"):
            wanted += orders(MACHINES["bearing"], params, Cell("test", domain, 1), args.clips)
    found = pd.DataFrame(filter(None, parallel(strongest, wanted, ComputeParams())))
    faults = found.groupby("fault").agg(clips=("right", "size"), right=("right", lambda r: 100 * r.mean()))
    print(table(faults), end="\n\n")
    verdict({"own fault's frequency or a harmonic [%]": (100 * found["right"].mean(), SHARE, 100.0)})


if __name__ == "__main__":
    main()
