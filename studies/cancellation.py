"""Reduction of noise and machine by cancelling with a far microphone: the table of docs/data.md.

    python -m studies.cancellation [--seeds 1000] [--clips 3]

Two-channel clips of the simulated machines, at a stated SNR and leakage of the machine into the far microphone.
Weights are fitted to the clip itself, or to noise alone from the same positions (in the first half of the clip; the
second is measured), and applied to its parts.
"""

from typing import NamedTuple

import numpy as np

from asd.datasets.dataset_params import SimulatedParams
from asd.features.cancellation import fitted, spectrum, subtracted, window_size
from asd.simulation.plan import Cell, Order, orders
from asd.simulation.signals import RATE
from asd.simulation.simulation import LEAKAGE, MACHINES, simulate
from studies.shared import chosen, factory_options, study_parser

LEAKAGES = (-40, -30, -20, -15, -10, -6, 0)  # [dB] of the machine at the far microphone, against the near one
SNRS = (-6, 0, 6)  # [dB] machine over noise, at the near microphone


class Parts(NamedTuple):
    """Signals of the machine and of the noise at two microphones, ``(frames, 2)`` each."""

    machine: np.ndarray
    noise: np.ndarray


def parts(order: Order, leakage: float, snr: float) -> Parts:
    """Simulate a clip, its machine at the far microphone and its noise at both set to other levels [dB]."""
    stems = simulate(order)
    machine = stems.healthy + stems.fault
    machine[:, 1] *= 10 ** ((leakage - LEAKAGE) / 20)
    return Parts(machine, stems.noise * 10 ** ((stems.facts["snr_db"] - snr) / 20))


def clips(machine: str, seed: int, count: int) -> list[Order]:
    """Order the first normal test clips of a machine, two channels each."""
    params = SimulatedParams(size="default", seed=seed, channels=2)
    return list(orders(MACHINES[machine], params, Cell("test", "source", 0), count))


def reductions(recorded: Parts, by_noise: bool = False) -> tuple[float, float]:
    """Compute by how many dB noise and machine are lowered at the near microphone."""
    size = window_size(RATE)
    machine, noise = (tuple(spectrum(part[:, side], size) for side in (0, 1)) for part in recorded)
    half = noise[0].shape[1] // 2
    if by_noise:
        weights = fitted([(noise[0][:, :half], noise[1][:, :half])])
        machine, noise = (tuple(side[:, half:] for side in part) for part in (machine, noise))
    else:
        weights = fitted([(machine[0] + noise[0], machine[1] + noise[1])])
    lowered = [decibels(part[0], subtracted(*part, weights)) for part in (noise, machine)]
    return lowered[0], lowered[1]


def decibels(before: np.ndarray, after: np.ndarray) -> float:
    """Compare energies [dB]."""
    return float(10 * np.log10(np.sum(np.abs(before) ** 2) / np.sum(np.abs(after) ** 2)))


def main() -> None:
    """Print a table for each way to fit."""
    made = factory_options(study_parser(__doc__), [1000])
    made.add_argument("--clips", type=int, default=3, help="of each machine and seed")
    args = made.parse_args()
    wanted = [order for m in chosen(args.machines) for seed in args.seeds for order in clips(m, seed, args.clips)]
    for by_noise in (False, True):
        name = "noise alone" if by_noise else "the clip"
        print(f"\nfitted to {name}; {len(wanted)} clips a cell: noise, machine [dB]\n")
        print("| leakage [dB] | " + " | ".join(f"SNR {snr} dB" for snr in SNRS) + " |")
        print("| ---: |" + " ---: |" * len(SNRS))
        for leakage in LEAKAGES:
            cells = [np.mean([reductions(parts(o, leakage, snr), by_noise) for o in wanted], axis=0) for snr in SNRS]
            print(f"| {leakage} | " + " | ".join(f"{noise:.1f}, {machine:.1f}" for noise, machine in cells) + " |")


if __name__ == "__main__":
    main()
