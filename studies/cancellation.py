"""What cancelling with a far microphone does to noise and to the machine: the table of docs/data.md.

    python -m studies.cancellation [--clips 20]

A machine (harmonics of a shaft and broadband noise) and coloured noise of varying level in a room (exponentially
decaying impulse responses, 0.3 s). Weights are fitted to the mixture and applied to its parts.
"""

import argparse
from typing import NamedTuple

import numpy as np
from scipy.signal import fftconvolve, lfilter

from asd.compute import rng
from asd.features import cancellation

RATE = 16000  # [Hz]
SECONDS = 10
DECAY = 0.3  # [s] reverberation time
LEAKAGES = (-40, -30, -20, -15, -10, -6, 0)  # [dB] of the machine at the far microphone, against the near one
SNRS = (-6, 0, 6)  # [dB] machine over noise, at the near microphone


class Part(NamedTuple):
    """One source as two microphones hear it, ``(frames,)`` each."""

    near: np.ndarray
    far: np.ndarray


def pair(seed: int, leakage: float, snr: float) -> tuple[Part, Part]:
    """Simulate a machine and noise at two microphones; the noise is as loud at both."""
    draw = rng("cancellation", seed)
    t = np.arange(SECONDS * RATE) / RATE
    shaft = draw.uniform(25, 60)
    harmonics = [np.sin(2 * np.pi * (shaft * k * t + draw.uniform())) / k for k in range(1, 40)]
    machine = 0.5 * np.sum(harmonics, axis=0) + 0.3 * draw.normal(size=len(t))
    noise = lfilter([1], [1, -0.9], draw.normal(size=len(t))) * (1 + 0.5 * np.sin(2 * np.pi * 0.4 * t))
    of_machine = _heard(machine, draw, 0.7, 0, 0), _heard(machine, draw, 0.05, 60, leakage)
    of_noise = _heard(noise, draw, 0.3, 80, -snr), _heard(noise, draw, 0.8, 0, -snr)
    return Part(*of_machine), Part(*of_noise)


def _heard(source: np.ndarray, draw: np.random.Generator, direct: float, delay: int, level: float) -> np.ndarray:
    """Carry a source through a room: a share of direct sound, a delay [samples], a level [dB] re unit RMS."""
    n = int(DECAY * RATE)
    tail = draw.normal(size=n) * np.exp(-6.9 * np.arange(n) / n)
    response = tail * np.sqrt((1 - direct) / np.sum(tail**2))
    response[delay] += np.sqrt(direct)
    heard = fftconvolve(source, response)[: len(source)]
    return (heard * 10 ** (level / 20) / np.sqrt(np.mean(heard**2))).astype(np.float32)


def reductions(parts: tuple[Part, Part]) -> tuple[float, float]:
    """Give by how many dB noise and machine are lowered at the near microphone."""
    size = 2 * round(cancellation.WINDOW * RATE / 2)
    (near, far), (noise, noise_far) = ([cancellation.spectrum(wave, size) for wave in part] for part in parts)
    weights = cancellation.fitted(near + noise, far + noise_far)
    left = [cancellation.subtracted(*both, weights) for both in ((noise, noise_far), (near, far))]
    return decibels(noise, left[0]), decibels(near, left[1])


def decibels(before: np.ndarray, after: np.ndarray) -> float:
    """Compare energies."""
    return float(10 * np.log10(np.sum(np.abs(before) ** 2) / np.sum(np.abs(after) ** 2)))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=20)
    clips = parser.parse_args().clips
    print("| leakage [dB] | " + " | ".join(f"noise, machine at SNR {snr} dB" for snr in SNRS) + " |")
    print("| ---: |" + " ---: |" * len(SNRS))
    for leakage in LEAKAGES:
        cells = [np.mean([reductions(pair(seed, leakage, snr)) for seed in range(clips)], axis=0) for snr in SNRS]
        print(f"| {leakage} | " + " | ".join(f"{noise:.1f}, {machine:.1f}" for noise, machine in cells) + " |")


if __name__ == "__main__":
    main()
