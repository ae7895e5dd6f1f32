"""Single clips of the simulated factory: what can be heard in them, their envelopes, pictures of them."""

import argparse
from collections.abc import Callable, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from PIL import Image
from scipy.fft import ifft, irfft, rfft
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from asd.core.clips import parse_attributes
from asd.core.compute import ComputeParams, parallel
from asd.core.section import load
from asd.datasets.dataset_params import SimulatedParams
from asd.features.front_end import FrontEnd, FrontEndParams
from asd.features.front_ends.texture import BANKS
from asd.simulation.plan import TESTS, Cell, Order, orders
from asd.simulation.signals import RATE
from asd.simulation.simulation import MACHINES, Stems, quantised, simulate
from studies.shared import PARAMS, chosen, table, verdict

BANDS = ((200, 1000), (1000, 2000), (2000, 4000), (4000, 7600))  # [Hz] of envelopes
HARMONICS = np.arange(1, 13)
WINDOW, CELL = 1024, 4  # [samples], [bins] of 15.6 Hz
BLOCK = 16  # [samples] over which an envelope is averaged
LAGS = np.unique(np.geomspace(3, 200, 24).astype(int))  # [blocks, 1 ms each] of its autocorrelation
QUANTILES = (0.02, 0.1, 0.5, 0.9, 0.98, 0.998)
MELS = 32
FLOORS = {"source": 0.90, "target": 0.85}  # AUC of the supervised classifier
SEVERITIES = {"faint": (0.0, 0.5), "middle": (0.5, 0.75), "plain": (0.75, 1.0)}
ENVELOPE = (2000, 7000)  # [Hz] band of the bearing's envelope
LINES = (3.0, 250.0)  # [Hz] range of its spectrum that is searched
TOLERANCE = 0.01  # relative distance of a line from its frequency
RIGHT = 95.0  # [%] of clips whose strongest line must be the fault's
COLOURS = 64  # of a picture: a third of the bytes
SHOWN = {  # a transient and a stationary fault
    "ToyCar": ("chipped_tooth", "dry_gears"),
    "ToyTrain": ("flat_wheel", "axle_squeal"),
    "bearing": ("outer_race", "misalignment"),
    "fan": ("bent_blade", "slit"),
    "gearbox": ("chipped_tooth", "misaligned_shafts"),
    "slider": ("dry_carriage", "worn_pulley"),
    "valve": ("worn_spring", "loose_coil"),
}
HIGHEST = {"ToyCar": 60, "ToyTrain": 60, "bearing": 150, "fan": 80, "gearbox": 60, "slider": 100, "valve": 60}  # [Hz]


def recording(stems: Stems) -> np.ndarray:
    """Give the first channel as a file would hold it, full scale 1."""
    return quantised(stems.healthy + stems.fault + stems.noise)[:, 0].astype(np.float32) / 32768


def squared_envelope(samples: np.ndarray, low: float, high: float) -> np.ndarray:
    """Compute the squared envelope of a band by its one-sided spectrum."""
    spectrum = np.zeros(len(samples), dtype=np.complex64)
    band = slice(*(round(hz / RATE * len(samples)) for hz in (low, high)))
    spectrum[band] = 2 * rfft(samples)[band]
    analytic = ifft(spectrum)
    return analytic.real**2 + analytic.imag**2


def clip_features(order: Order) -> tuple[np.ndarray, dict[str, Any]]:
    """Compute the features of a clip for a classifier that knows the machine's characteristic frequencies.

    Returns
    -------
    np.ndarray [shape=(features,)]
        Of the log-mel spectrogram: mean, deviation, skewness and high and low percentiles over time in every band, and
        the variogram; mean and median power in cells of 62.5 Hz; of the envelope in :data:`BANDS`: kurtosis, crest,
        and how far its spectrum stands out at multiples of every frequency; the same of the spectrum of the sound.
    dict
        The clip's facts.
    """
    stems = simulate(order)
    samples = recording(stems)
    hz = [float(pair.split("=")[1]) for pair in stems.facts["frequencies_hz"].split(";")]
    envelopes = [envelope_statistics(samples, *band, hz) for band in BANDS]
    parts = [
        mel_statistics(samples),
        variograms(samples),
        power_spectrum(samples),
        *envelopes,
        spectral_lines(samples, hz),
    ]
    return np.concatenate(parts), stems.facts


def mel_statistics(samples: np.ndarray) -> np.ndarray:
    """Describe the log-mel spectrogram, neighbouring bands averaged."""
    rows = _front_end("log_mel").compute(samples)
    rows = rows.reshape(len(rows), MELS, -1).mean(axis=2)
    low, middle, high = np.percentile(rows, [5, 50, 95], axis=0)
    mean, deviation = rows.mean(axis=0), rows.std(axis=0)
    skewness = (((rows - mean) / deviation) ** 3).mean(axis=0)
    return np.concatenate([mean - mean.mean(), deviation, high - middle, middle - low, skewness])


def variograms(samples: np.ndarray) -> np.ndarray:
    """Compute the log mean squared difference of frames of 4 ms at lags of 4 to 256 ms, in 32 mel bands."""
    return _front_end("texture").compute(samples)[BANKS.index("variogram")]


def power_spectrum(samples: np.ndarray) -> np.ndarray:
    """Compute the logarithms of mean and median power over time in cells of 62.5 Hz, each less its mean."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[:: WINDOW // 2] * np.hanning(WINDOW)
    power = np.abs(rfft(frames, axis=1)[:, :-1]) ** 2
    cells = [np.log(p + 1e-12).reshape(-1, CELL).mean(axis=1) for p in (power.mean(axis=0), np.median(power, axis=0))]
    return np.concatenate([each - each.mean() for each in cells])


def spectral_lines(samples: np.ndarray, frequencies: list[float]) -> np.ndarray:
    """Compute how far the sound's spectrum stands out at multiples of frequencies [Hz] (natural logarithm of power)."""
    power = np.abs(rfft(samples * np.hanning(len(samples)))) ** 2
    bins = [k * f * len(samples) / RATE for f in frequencies for k in HARMONICS]
    return np.array([_prominence(power, at, max(0.006 * at, 2), max(0.08 * at, 60), np.mean) for at in bins])


@cache
def _front_end(name: str) -> FrontEndParams:
    """Read a front end's block of the shipped params once: a clip takes a fifth longer otherwise."""
    return load(FrontEnd, "features", name, path=PARAMS).root


def _prominence(
    spectrum: np.ndarray, position: float, width: float, around: float, summary: Callable[[np.ndarray], float]
) -> float:
    """Compare a spectrum near a position with the median of its surroundings; 0 beyond the spectrum.

    Parameters
    ----------
    spectrum : np.ndarray [shape=(bins,)]
    position, width, around : float
        [bins] Centre, and how far line and surroundings reach to either side.
    summary : callable
        Of the values near the position: mean or maximum.
    """
    if position + width >= len(spectrum):
        return 0.0
    near, far = (spectrum[max(0, round(position - w)) : round(position + w) + 1] for w in (width, around))
    return float(np.log(summary(near) / np.median(far)))


def envelope_statistics(samples: np.ndarray, low: float, high: float, frequencies: list[float]) -> np.ndarray:
    """Describe the squared envelope of a band, averaged over milliseconds."""
    fine = squared_envelope(samples, low, high)
    envelope = fine[: len(fine) // BLOCK * BLOCK].reshape(-1, BLOCK).mean(axis=1) / fine.mean()
    varying = envelope - envelope.mean()
    spectrum = np.abs(rfft(varying * np.hanning(len(varying)), 2 * len(varying)))
    autocorrelation = irfft(np.abs(rfft(varying, 2 * len(varying))) ** 2)
    step = RATE / BLOCK / 2 / len(varying)
    lines = [
        _prominence(spectrum, hz / step, max(0.01 * hz / step, 1.5), max(0.15 * hz / step, 40), np.max)
        for hz in (k * f for f in frequencies for k in HARMONICS)
    ]
    values = [np.log(np.mean(envelope**2)), *np.log(np.quantile(envelope, QUANTILES) + 1e-3)]
    return np.concatenate([values, autocorrelation[LAGS] / autocorrelation[0], lines])


def ceiling(args: argparse.Namespace) -> None:
    """Check that a supervised classifier hears the faults, the plainer the better.

    A classifier for each machine, trained on other labelled clips of the same installations: the mean of the
    probabilities of extremely randomised trees and linear discriminant analysis, both of the faults by name; on
    statistics of the log-mel spectrogram, the spectrum and envelopes, with the lines at the machine's characteristic
    frequencies, whose speed it is given.
    """
    rows = {}
    for seed in args.seeds:
        for machine in chosen(args.machines):
            tested, facts = cell_features(machine, seed, args.clips)
            x, labelled = cell_features(machine, seed, args.train, skip=args.clips)
            name = f"{seed} {machine}"
            rows[name] = aucs(facts, probabilities(x, labelled, tested))
            print(f"{name}: " + ", ".join(f"{k} {v:.3f}" for k, v in rows[name].items()), flush=True)
    found = pd.DataFrame(rows).T
    found.loc["mean"] = found.mean()
    print(table(found.rename_axis("clips"), digits=3), end="\n\n")
    mean = found.loc["mean"]
    growth = {f"{b} over {a}": (mean[b] - mean[a], 0.0, 1.0) for a, b in (("faint", "middle"), ("middle", "plain"))}
    verdict({domain: (mean[domain], floor, 1.0) for domain, floor in FLOORS.items()} | growth)


def cell_features(machine: str, seed: int, clips: int, skip: int = 0) -> tuple[np.ndarray, pd.DataFrame]:
    """Compute features of test clips of every cell after the first ``skip``, and their facts, domain and anomaly."""
    params = SimulatedParams(size="default", seed=seed)
    cells = [Cell("test", domain, anomaly) for domain, anomaly in TESTS]
    wanted = [
        order for cell in cells for order in islice(orders(MACHINES[machine], params, cell, skip + clips), skip, None)
    ]
    features, facts = zip(*parallel(clip_features, wanted, ComputeParams()), strict=True)
    named = pd.DataFrame([(order.name.domain, order.name.anomaly) for order in wanted], columns=["domain", "anomaly"])
    return np.stack(features), pd.concat([pd.DataFrame(facts), named], axis=1)


def probabilities(x: np.ndarray, facts: pd.DataFrame, tested: np.ndarray) -> np.ndarray:
    """Train on labelled clips; predict the probability of an anomaly for others."""
    faults = facts["fault"].to_numpy()  # empty: normal
    trees = ExtraTreesClassifier(400, min_samples_leaf=2, max_features=0.15, n_jobs=2, random_state=0).fit(x, faults)
    linear = make_pipeline(StandardScaler(), LinearDiscriminantAnalysis("lsqr", shrinkage="auto")).fit(x, faults)
    by_name = [1 - model.predict_proba(tested)[:, 0] for model in (trees, linear)]  # "" is the first class
    return np.mean(by_name, axis=0)


def aucs(facts: pd.DataFrame, probability: np.ndarray) -> dict[str, float]:
    """Compute the AUC within each domain, and of anomalies of each severity against all normal clips."""
    anomalous = facts["anomaly"] == 1
    found = {}
    for domain in FLOORS:
        mask = facts["domain"] == domain
        found[domain] = float(roc_auc_score(anomalous[mask], probability[mask]))
    for name, (low, high) in SEVERITIES.items():
        mask = ~anomalous | ((facts["severity"] > low) & (facts["severity"] <= high))
        found[name] = float(roc_auc_score(anomalous[mask], probability[mask]))
    return found


def envelope(args: argparse.Namespace) -> None:
    """Check that the strongest line of a faulty bearing is its fault's.

    Bearing clips with a spall (the transient faults) without the factory around them, of random severities: the largest
    peak of the squared envelope spectrum of 2-7 kHz, from half the cage's frequency up to 250 Hz, orders of the shaft
    left out, must be the fault's frequency or a harmonic of it within 1 %.
    """
    wanted: list[Order] = []
    for seed in args.seeds:
        params = SimulatedParams(size="default", seed=seed)
        for domain in ("source", "target"):
            wanted += orders(MACHINES["bearing"], params, Cell("test", domain, 1), args.clips)
    found = pd.DataFrame(filter(None, parallel(strongest, wanted, ComputeParams())))
    faults = found.groupby("fault").agg(clips=("right", "size"), right=("right", lambda r: 100 * r.mean()))
    print(table(faults), end="\n\n")
    verdict({"own fault's frequency or a harmonic [%]": (100 * found["right"].mean(), RIGHT, 100.0)})


def strongest(order: Order) -> dict[str, object] | None:
    """Find the largest peak of one clean clip, in multiples of its fault's frequency; None where there is no spall."""
    stems = simulate(order)
    if stems.facts["fault_kind"] != "transient":
        return None
    hz, spectrum = envelope_spectrum((stems.healthy + stems.fault)[:, 0], *ENVELOPE)
    speed, fault = stems.facts["speed_hz"], stems.facts["fault_hz"]
    shaft = np.abs(hz / speed - np.round(hz / speed)) * speed < np.maximum(0.005 * hz, 8 * hz[1])
    usable = (hz > LINES[0]) & (hz < LINES[1]) & ~shaft
    multiple = hz[np.argmax(np.where(usable, spectrum, 0))] / fault
    nearest = max(1, round(multiple))
    return {"fault": stems.facts["fault"], "multiple": nearest, "right": abs(multiple / nearest - 1) <= TOLERANCE}


def envelope_spectrum(samples: np.ndarray, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Compute the spectrum of the squared envelope of a band, relative to its mean, and its frequencies [Hz]."""
    envelope = squared_envelope(samples, low, high)
    window, padded = np.hanning(len(envelope)), 4 * len(envelope)
    spectrum = 2 * np.abs(np.fft.rfft((envelope / envelope.mean() - 1) * window, padded)) / window.sum()
    return np.fft.rfftfreq(padded, 1 / RATE), spectrum


def pictures(args: argparse.Namespace) -> None:
    """Draw one picture a machine: a normal clip, a transient and a stationary fault, envelopes.

    Test clips of the source with severity 1, and the first of them without its fault; the squared envelope spectrum of
    the normal clip and of the transient fault without the factory around them, with the machine's true frequencies.
    """
    matplotlib.use("agg")
    for machine in chosen(args.machines):
        draw(machine, args.seeds[0], args.folder / f"{machine}.png")
        print(f"{args.folder / machine}.png: {(args.folder / f'{machine}.png').stat().st_size // 1000} kB", flush=True)


def examples(machine: str, seed: int) -> list[Stems]:
    """Simulate the first clip with each shown fault at severity 1, behind the first of them without its fault."""
    params = SimulatedParams(size="default", seed=seed)
    first: list[Order] = []
    for fault in SHOWN[machine]:
        listed = orders(MACHINES[machine], params, Cell("test", "source", 1), 200)
        order, facts = next((o, facts) for o in listed if (facts := simulate(o).facts)["fault"] == fault)
        first.append(order._replace(severity=1 / facts["severity"]))
    return [simulate(order) for order in (first[0]._replace(severity=0.0), *first)]


def draw(machine: str, seed: int, file: Path) -> None:
    """Draw one machine's picture."""
    stems = examples(machine, seed)
    figure, axes = plt.subplots(1, 4, figsize=(13, 3), width_ratios=(1, 1, 1, 1.3), layout="constrained")
    titles = ["normal", *(stem.facts["fault"].replace("_", " ") for stem in stems[1:])]
    _spectrograms(axes[:3], stems, titles)
    _envelopes(axes[3], stems[:2], titles[:2], HIGHEST[machine])
    figure.suptitle(f"{machine}: {stems[1].facts['attributes']}, SNR {stems[1].facts['snr_db']:.1f} dB", fontsize=9)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.set_dpi(80)
    figure.canvas.draw()
    image = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())).convert("RGB")  # type: ignore[attr-defined]
    image.quantize(COLOURS).save(file, optimize=True)
    plt.close(figure)


def _spectrograms(axes: Sequence[Any], stems: Sequence[Stems], titles: Sequence[str]) -> None:
    params = load(FrontEnd, "features", "log_mel", path=PARAMS).root
    rows = [params.compute(recording(stem)) for stem in stems]
    low, high = np.percentile(rows[0], [2, 99.8])
    for axis, image, title in zip(axes, rows, titles, strict=True):
        extent = (0, len(image) * 512 / RATE, 0, image.shape[1])
        axis.imshow(image.T, origin="lower", aspect="auto", vmin=low, vmax=high, extent=extent, cmap="magma")
        axis.set(title=title, xlabel="time [s]", ylabel="mel band")


def _envelopes(axis: Any, stems: Sequence[Stems], titles: Sequence[str], highest: float) -> None:
    for stem, title, colour in zip(stems[::-1], titles[::-1], ("C3", "0.3"), strict=True):
        hz, lines = envelope_spectrum((stem.healthy + stem.fault)[:, 0], 2000, 7000)
        shown = (hz > 0.3) & (hz < highest)
        axis.plot(hz[shown], lines[shown], color=colour, linewidth=0.8, label=title)
    true = {name: float(hz) for name, hz in parse_attributes(stems[1].facts["frequencies_hz"]).items()}
    for row, (name, hz) in enumerate(sorted(true.items(), key=lambda item: item[1])):
        if hz < highest:
            axis.axvline(hz, color="C0", linestyle=":", linewidth=0.8)
            axis.text(hz, 0.98 - 0.12 * (row % 3), name, fontsize=7, transform=axis.get_xaxis_transform())
    axis.set(title="squared envelope, 2-7 kHz, clean", xlabel="frequency [Hz]", ylabel="fraction of the mean")
    axis.legend(loc="center right", fontsize=7)
