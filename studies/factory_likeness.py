"""Spread of normal sounds and order of simple references, on simulated machines beside real ones."""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import kurtosis, spearmanr
from sklearn.metrics import roc_auc_score

from asd.core.compute import ComputeParams, parallel
from asd.datasets.audio import read
from asd.features.prepare import prepare_waveform
from stages import download
from studies.factory_clips import power_spectrum
from studies.real import read_manifests
from studies.real_scores import COARSE, FINE, mahalanobis, variogram_of
from studies.shared import scratch_project, silent, simulated_params, table

SPREAD = ("level", "band means", "band means less level", "within a clip")
FEW = 9  # normal clips of a machine of which the spread says something
OCTAVES = 125 * 2.0 ** np.arange(7)  # [Hz]
KEYS = ["machine", "section"]
REFERENCES = (
    "mean log-mel",
    "deviation over time",
    "variogram",
    "mean + variogram",
    "spectrum, 62.5 Hz",
    "kurtosis by octave",
)


def clip_features(path: str) -> dict[str, np.ndarray]:
    """Compute the features of all references from one file, and the moments that :func:`spread` takes."""
    samples = prepare_waveform(*read(path), COARSE).astype(np.float32)
    coarse, fine = COARSE.compute(samples).astype(float), FINE.compute(samples).astype(float)
    mean, deviation, variogram = coarse.mean(axis=0), coarse.std(axis=0), variogram_of(fine)
    return {
        "level": 10 * np.log10(np.mean(samples.astype(float) ** 2, keepdims=True) + 1e-12),
        "mean": mean,
        "mean log-mel": mean,
        "deviation over time": deviation,
        "variogram": variogram,
        "mean + variogram": np.concatenate([mean, variogram]),
        "spectrum, 62.5 Hz": power_spectrum(samples),
        "kurtosis by octave": np.log(3 + kurtosis(_octaves(samples), axis=1)),
    }


def _octaves(samples: np.ndarray) -> np.ndarray:
    """Split a waveform into octave bands from 125 Hz on."""
    spectrum, hz = np.fft.rfft(samples), np.fft.rfftfreq(len(samples), 1 / COARSE.sample_rate)
    parts = [spectrum * ((hz >= low) & (hz < 2 * low)) for low in OCTAVES[:-1]]
    bands: np.ndarray = np.fft.irfft(np.stack(parts), len(samples))
    return bands


def file_features(paths: pd.Series) -> dict[str, np.ndarray]:
    """Compute features of files: (clips, dimensions) by name."""
    rows = list(parallel(clip_features, paths, ComputeParams()))
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def spread(x: dict[str, np.ndarray]) -> tuple[float, ...]:
    """Compute :data:`SPREAD` of a machine's normal clips."""
    means = x["mean"]
    over_clips = [np.median(values.std(axis=0)) for values in (x["level"], means, means - x["level"])]
    return (*map(float, over_clips), float(np.median(x["deviation over time"])))


def aucs(x: dict[str, np.ndarray], train: np.ndarray, normal: np.ndarray, faulty: np.ndarray) -> dict[str, float]:
    """Compute each reference's AUC in percent; the last three are boolean, (clips,)."""
    found = {}
    for name in REFERENCES:
        scores = mahalanobis(x[name][train], x[name][normal | faulty])
        found[name] = 100 * float(roc_auc_score(faulty[normal | faulty], scores))
    return found


def of_real(manifests: list[Path]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compute spread and AUCs, a row a machine and section."""
    clips = read_manifests(manifests)
    clips = clips[clips["kind"].isin(["", "machine"]) & clips["split"].isin(["train", "test"])].reset_index(drop=True)
    x = file_features(clips["file"])
    spreads, orders = {}, {}
    for (machine, section), rows in clips.groupby(KEYS).indices.items():
        listed, part = clips.iloc[rows], {name: values[rows] for name, values in x.items()}
        normal, faulty, train = listed["anomaly"] == "0", listed["anomaly"] == "1", listed["split"] == "train"
        if normal.sum() >= FEW:
            spreads[f"{machine} {section}"] = spread({k: v[normal.to_numpy()] for k, v in part.items()})
        if faulty.any() and (normal & ~train).any():
            marks = (mark.to_numpy() for mark in (train, normal & ~train, faulty))
            orders[f"{machine} {section}"] = aucs(part, *marks)
    return _frame(spreads), pd.DataFrame(orders).T


def of_factory(seed: int, machines: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compute, in a simulated factory's source domain, spread by machine, AUCs by machine, fault and kind."""
    with scratch_project(simulated_params(seed, machines)) as folder:
        with silent():
            download.main()
        clips = pd.read_csv(folder / "data/truth/simulated.csv", keep_default_na=False)
        clips = clips[clips["file"].str.contains("_source_") & ~clips["file"].str.contains("/supplemental/")]
        x = file_features(pd.Series([str(folder / "data/raw" / file) for file in clips["file"]]))
    spreads, orders = {}, {}
    train, fault = clips["file"].str.contains("/train/").to_numpy(), clips["fault"].to_numpy()
    for machine in clips["machine"].unique():
        mask = (clips["machine"] == machine).to_numpy()
        spreads[machine] = spread({name: values[mask & train] for name, values in x.items()})
        for name, kind in dict(zip(fault[mask], clips["fault_kind"][mask], strict=True)).items():
            if name:
                test = mask & ~train & (fault == "")
                orders[machine, name, kind] = aucs(x, mask & train, test, mask & (fault == name))
    return _frame(spreads), pd.DataFrame(orders).T


def _frame(spreads: dict[str, tuple[float, ...]]) -> pd.DataFrame:
    return pd.DataFrame.from_dict(spreads, orient="index", columns=list(SPREAD))


def correlations(simulated: pd.DataFrame, real: pd.DataFrame) -> pd.DataFrame:
    """Correlate the order of references: a row a simulated fault, a column a real machine."""
    rho = [[spearmanr(one, other).statistic for _, other in real.iterrows()] for _, one in simulated.iterrows()]
    return pd.DataFrame(rho, index=simulated.index, columns=real.index)


def likeness(args: argparse.Namespace) -> None:
    """Compare simulated with real machines: spread of normal sounds, and which references find which fault.

    Spread: standard deviations over a machine's normal clips (dB; log-mel of 64 bands, 1024 / 512) of the overall
    level, of band means, of band means less the clip's level, and within a clip over time, medians over bands.
    Simulated: training clips of the source. Order: the AUC of simple references (squared Mahalanobis distances to
    normal training clips, as in studies.real) for every fault of every simulated machine within the source, means over
    seeds, and for every real machine; Spearman's correlation over the references says which fault ranks them as which
    real machine does. With six references a correlation below 0.89 may be chance, and the largest of many is large by
    chance: read the means.
    """
    real_spread, real = of_real(args.real)
    spreads, orders = zip(*(of_factory(seed, args.machines) for seed in args.seeds), strict=True)
    simulated_spread = pd.concat(spreads).groupby(level=0, sort=False).mean()
    print(table(pd.concat([simulated_spread, real_spread]).rename_axis("machine"), digits=2), end="\n\n")
    simulated = pd.concat(orders).groupby(level=[0, 1, 2], sort=False).mean()
    rho = correlations(simulated, real)
    named = simulated.assign(**{"most like": rho.idxmax(axis=1), "rho": rho.max(axis=1), "mean rho": rho.mean(axis=1)})
    named.index = pd.Index(
        [f"{machine} {fault} ({kind})" for machine, fault, kind in named.index], name="simulated fault"
    )
    print(table(named), end="\n\n")
    nearest = [f"{rho[name].idxmax()[0]} {rho[name].idxmax()[1]}" for name in real.index]
    print(table(real.assign(**{"most like": nearest, "rho": rho.max(), "mean rho": rho.mean()}).rename_axis("real")))
    print()
    means = pd.concat([simulated.groupby(level=2).mean(), simulated.mean().to_frame("simulated").T])
    print(table(pd.concat([means, real.mean().to_frame("real").T]).rename_axis("mean AUC")), end="\n\n")
    overall = spearmanr(simulated.mean(), real.mean()).statistic
    print(f"order of the references by mean AUC, simulated and real: rho {overall:.2f}")
