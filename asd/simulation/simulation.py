"""One clip: the machine, its way to the microphone, the factory around it, and the truth about all of them."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy.fft import irfft, rfft

from asd.core.artifacts import significant
from asd.core.compute import rng
from asd.simulation.acoustics import gain, response, room
from asd.simulation.machine import Machine, Operation, Sound
from asd.simulation.machines import bearing, fan, gearbox, slider, toy_car, toy_train, valve
from asd.simulation.plan import Order, as_text
from asd.simulation.signals import RATE, white
from asd.simulation.surroundings import HALLS, factory_noise

VERSION = "simulated-2"
MACHINES = {m.MACHINE.name: m.MACHINE for m in (toy_car, toy_train, bearing, fan, gearbox, slider, valve)}
LEVEL = 0.005  # RMS of a healthy machine at the reference distance, full scale 1: faults never clip
DISTANCE = (0.15, 1.2)  # [m] of a machine's microphone, before it is moved
ANGLE = 2.5  # [dB] of the response that depends on where a machine's microphone stands
MOVED = (1.25, 0.7)  # factor of the distance up or down, [dB] of the response: of the installation in one domain
MICROPHONE = 1.2  # [dB] of the response of a microphone
SNR = (1.5, 4.5)  # [dB] of an installation
SNR_SPREAD = 2.5  # [dB] up or down, of a clip
LEVEL_DRIFT = 1.2  # [dB] standard deviation over clips
RESPONSE_DRIFT = 1.8  # [dB] likewise, of a smooth response
SEVERITY = (0.3, 1.0)  # of amplitude
FLOOR = 3e-5  # of a microphone by itself
LEAKAGE = -10.0  # [dB] of the machine at the far microphone, against the near one
FAR = 3.0  # [m] between the microphones
BAND = (200.0, 8000.0)  # [Hz] in which energies are compared


class Stems(NamedTuple):
    """The parts of a recording [shape=(frames, channels)] at the microphones, and the truth about it.

    The facts: frequencies in Hz, means over the clip; ratios in dB of the energies at the first microphone between
    200 and 8000 Hz (machine to surroundings, fault to both; empty where there is none); severity 0 for normal clips.
    """

    healthy: np.ndarray
    fault: np.ndarray
    noise: np.ndarray
    facts: dict[str, Any]


class Parts(NamedTuple):
    """Spectra of the stems at one microphone."""

    healthy: np.ndarray
    fault: np.ndarray
    noise: np.ndarray


class Installation(NamedTuple):
    """Set-up of a machine in one domain, the same in all of the domain's clips.

    Attributes
    ----------
    distance : float
        [m] between machine and microphone.
    response : np.ndarray [shape=(knots,)]
        [dB] of the way that the microphone looks at the machine.
    room : callable
        Gives a generator of the room's tail, the same one each time.
    snr : float
        [dB] about which the clips' signal-to-noise ratios vary.
    """

    distance: float
    response: np.ndarray
    room: Callable[[], np.random.Generator]
    snr: float

    @classmethod
    def of(cls, copy: Callable[[str], np.random.Generator], domain: str) -> "Installation":
        """Set up a machine, then move the microphone as the domain asks; ``copy`` as in :class:`Operation`.

        Parameters
        ----------
        copy : callable
            As in :class:`Operation`.
        domain : str

        Returns
        -------
        Installation
        """
        machine, moved = copy("installation"), copy(f"installation {domain}")
        distance = np.exp(machine.uniform(*np.log(DISTANCE)) + moved.uniform(-1, 1) * np.log(MOVED[0]))
        knots = response(machine, ANGLE) + response(moved, MOVED[1])
        return cls(float(distance), knots, partial(copy, f"room {domain}"), machine.uniform(*SNR))


def simulate(order: Order) -> Stems:
    """Simulate one clip.

    Returns
    -------
    Stems
        Their sum is the recording. No level is set after the fault is added.
    """
    channels, facts = _parts(order)
    frames = round(order.seconds * RATE)
    healthy, added, noise = (np.stack([irfft(s, frames) for s in part], axis=1) for part in zip(*channels, strict=True))
    return Stems(healthy, added, noise, facts)


def record(order: Order) -> tuple[np.ndarray, dict[str, Any]]:
    """Simulate one clip: the recording [shape=(frames, channels), dtype=int16], and the truth about it."""
    channels, facts = _parts(order)
    frames = round(order.seconds * RATE)
    return quantised(np.stack([irfft(p.healthy + p.fault + p.noise, frames) for p in channels], axis=1)), facts


def quantised(samples: np.ndarray) -> np.ndarray:
    """Round to 16 bits."""
    return np.clip(np.round(samples * 32768), -32768, 32767).astype(np.int16)


def _parts(order: Order) -> tuple[list[Parts], dict[str, Any]]:
    """Simulate one clip: spectra at each microphone, and facts."""
    machine, frames = MACHINES[order.machine], round(order.seconds * RATE)
    of_clip, of_machine, of_fault, of_way, of_noise, of_far = rng(*order.key).spawn(6)
    fault, severity = _fault(order, machine, of_clip)
    design, copy = partial(rng, VERSION, order.machine), partial(rng, "simulated", order.seed, order.machine)
    run = Operation(order.setting, fault, severity, frames, of_machine, of_fault, design, copy)
    sound = machine.sound(run)
    installation = Installation.of(copy, order.name.domain)
    near = _near(run, sound, machine.faults[fault].gain if fault else 0.0, installation, of_way)
    near = near._replace(noise=_surroundings(order, run, _energy(near.healthy), installation.snr, of_noise))
    if order.name.kind == "noise":  # the machine stands still
        near = near._replace(healthy=0 * near.healthy)
    channels = [near] if order.channels == 1 else [near, _far(near, frames, of_far)]
    return channels, _facts(order, machine, fault, severity, sound, near)


def _fault(order: Order, machine: Machine, rng: np.random.Generator) -> tuple[str, float]:
    """Sample the fault and its severity; a severity of 0 makes a normal clip."""
    fault = list(machine.faults)[rng.integers(len(machine.faults))]
    severity = rng.uniform(*SEVERITY) * order.severity if order.name.anomaly else 0.0
    return (fault, severity) if severity else ("", 0.0)


def _near(
    run: Operation, sound: Sound, fault_gain: float, installation: Installation, rng: np.random.Generator
) -> Parts:
    """Carry the machine to its microphone; its level is that without the fault.

    The installation is the same in all clips of a domain; level and response drift a little from clip to clip.
    """
    knots = installation.response + run.response(run.named("mic"), MICROPHONE) + response(rng, RESPONSE_DRIFT)
    way = room(installation.room(), run.frames, installation.distance) * gain(run.frames, knots)
    level = LEVEL * 10 ** (LEVEL_DRIFT * rng.standard_normal() / 20)
    way *= np.float32(level / float(np.sqrt(np.mean(sound.healthy.astype(float) ** 2))))
    healthy = way * rfft(sound.healthy)
    amplitude = np.float32(run.severity * fault_gain)
    added = amplitude * way * rfft(sound.fault) if run.severity else np.zeros_like(healthy)
    return Parts(healthy, added, np.zeros_like(healthy))


def _surroundings(order: Order, run: Operation, machine: float, snr: float, rng: np.random.Generator) -> np.ndarray:
    """Sample the factory around a machine of that energy at its microphone, at about that SNR [dB]."""
    floor = np.float32(FLOOR * np.sqrt(run.frames / 2)) * white(rng, run.frames)
    if order.name.kind == "clean":
        return floor
    name = run.attributes.get("noise", "1")
    snr = snr + rng.uniform(-SNR_SPREAD, SNR_SPREAD)
    noise = factory_noise(rng, run.frames, HALLS[name], run.copy(f"hall {name}"))
    noise *= gain(run.frames, run.response(run.named("mic"), MICROPHONE))
    noise *= np.float32(np.sqrt(machine / _energy(noise)) * 10 ** (-snr / 20))
    return noise + floor


def _far(near: Parts, frames: int, rng: np.random.Generator) -> Parts:
    """Carry the same to a second microphone: the machine by :data:`LEAKAGE`, the surroundings as loud as before."""
    leak, path = room(rng, frames, FAR), room(rng, frames, FAR)
    leak *= np.float32(10 ** (LEAKAGE / 20) * _ratio(near.healthy, leak * near.healthy))
    path *= np.float32(_ratio(near.noise, path * near.noise))
    return Parts(leak * near.healthy, leak * near.fault, path * near.noise)


def _energy(spectrum: np.ndarray) -> float:
    """Energy in :data:`BAND`, in any unit."""
    low, high = (round(hz / RATE * 2 * (len(spectrum) - 1)) for hz in BAND)
    part = spectrum[low : high + 1]
    return float(np.sum(part.real**2, dtype=float) + np.sum(part.imag**2, dtype=float))


def _ratio(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.sqrt(_energy(one) / max(_energy(other), 1e-30)))


def _facts(order: Order, machine: Machine, fault: str, severity: float, sound: Sound, near: Parts) -> dict[str, Any]:
    still = order.name.kind == "noise"
    frequencies = {} if still else {name: significant(hz, 6) for name, hz in sound.frequencies.items()}
    return {
        "file": order.file,
        "machine": order.machine,
        "seconds": order.seconds,
        "attributes": "" if still else as_text(order.setting, ";", "="),
        "speed_hz": next(iter(frequencies.values()), ""),
        "frequencies_hz": as_text(frequencies, ";", "="),
        "snr_db": _decibel(near.healthy, near.noise) if order.name.kind == "machine" else "",
        "fault": fault,
        "fault_kind": machine.faults[fault].kind if fault else "",
        "severity": significant(severity),
        "fault_frequency": machine.faults[fault].frequency if fault else "",
        "fault_hz": frequencies.get(machine.faults[fault].frequency, "") if fault else "",
        "fault_db": _decibel(near.fault, near.healthy + near.noise) if fault else "",
    }


def _decibel(one: np.ndarray, other: np.ndarray) -> float:
    return significant(20 * np.log10(max(_ratio(one, other), 1e-9)))
