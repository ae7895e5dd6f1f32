"""Measures of an adaptation, in metrics/adapt/<encoder>.json: losses, how embeddings are spread, probes of attributes.

One number is not enough to see a collapse, in which a network learns to embed all clips alike: in a real one the
effective rank, which knows no scale, rises.
"""

import sys
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from asd.adaptation.loop import Step
from asd.core.artifacts import significant
from asd.core.compute import rng
from asd.encoders.embedding import apply, by_length, stack
from asd.encoders.encoder import Encoder
from asd.features.store import FeatureStore

LAST = 0.05  # fraction of the steps whose mean loss is noted
POINTS = 200  # of a curve
FEW = 256  # clips, evenly spread, whose halves are compared
MOST = 1000  # clips a machine that are probed
SPREAD, ANGLE, RANK = 0.2, 0.2, 0.1  # least fractions of the value at the start


@torch.inference_mode()
def embed_halves(encoder: Encoder, store: FeatureStore, clips: pd.DataFrame, device: torch.device) -> list[np.ndarray]:
    """Embed the first and the second half of clips, two views of the same thing: each ``(clips, dims)``."""
    halves: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    encoder.to(device)
    for batch in by_length(store, list(clips["clip_id"]), 32):
        x = stack(store, batch).to(device)
        half = max(1, x.shape[1] // 2)
        for views, part in zip(halves, (x[:, :half], x[:, -half:]), strict=True):
            views.append(encoder(part).flatten(1).float().cpu().numpy())
    encoder.to("cpu")
    return [np.concatenate(views) for views in halves]


def embed(encoder: Encoder, store: FeatureStore, clips: pd.DataFrame, device: torch.device) -> np.ndarray:
    """Embed clips, all bands side by side: ``(clips, dims)``."""
    embeddings = apply(encoder.to(device), [store], list(clips["clip_id"]), device)
    encoder.to("cpu")
    return embeddings.reshape(len(clips), -1)


def compare(
    encoders: dict[str, Encoder], store: FeatureStore, clips: pd.DataFrame, device: torch.device
) -> dict[str, Any]:
    """Measure encoders, of which one is called ``start`` and one ``adapted``, on the same clips.

    Returns
    -------
    dict
        ``embeddings``: :class:`Spread`, uniformity and, of :data:`FEW` clips, alignment of halves of ``start`` and
        ``adapted``. ``collapse``: which signs there are. ``probes``: all encoders and the mean and
        standard deviation of every band over time (``log_mel``), where attributes are given.
    """
    embeddings = {name: embed(encoder, store, clips, device) for name, encoder in encoders.items()}
    spreads = {name: spread_of(embeddings[name]) for name in ("start", "adapted")}
    measured: dict[str, Any] = {}
    some = clips.iloc[np.unique(np.linspace(0, len(clips) - 1, FEW).astype(int))]
    for name, spread in spreads.items():
        aligned = alignment(*embed_halves(encoders[name], store, some, device))
        measured[name] = spread.as_metrics() | {"alignment": aligned, "uniformity": uniformity(embeddings[name])}
    signs = signs_of_collapse(spreads["start"], spreads["adapted"])
    if signs:
        print(f"asd: the adapted encoder has collapsed, by {' and '.join(signs)}", file=sys.stderr)
    probes = {name: probe(x, clips) for name, x in (embeddings | {"log_mel": statistics(store, clips)}).items()}
    return {
        "embeddings": measured,
        "collapse": {"collapsed": bool(signs)} | {name: name in signs for name in spreads["start"].as_metrics()},
        "probes": {name: values for name, values in probes.items() if values},
    }


def losses(history: list[Step]) -> dict[str, Any]:
    """Average the last steps; the spread of the raw targets also at the start."""
    last = np.mean(history[-max(1, round(LAST * len(history))) :], axis=0)
    return {
        "losses": {"frame": float(last[0]), "utterance": float(last[1])},
        "targets": {"start": {"spread": history[0].target_spread}, "adapted": {"spread": float(last[2])}},
    }


def curve(history: list[Step]) -> pd.DataFrame:
    """Tabulate the losses for a plot: means over equal stretches, at most :data:`POINTS` rows, four digits."""
    table = pd.DataFrame(history, columns=list(Step._fields))
    stretch = max(1, -(-len(table) // POINTS))
    means = table.groupby(table.index // stretch).mean().map(significant)
    return means.assign(step=(means.index + 1) * stretch)[["step", *Step._fields]]


@dataclass(frozen=True)
class Spread:
    """How a set of embeddings fills its space."""

    spread: float
    """Root mean square over dimensions of the standard deviation over clips; not normalised."""
    mean_cosine: float
    """Of all pairs of clips."""
    effective_rank: float
    """Exponential of the entropy of the fractions of the singular values of the centred embeddings (Roy and Vetterli,
    "The effective rank", EUSIPCO 2007)."""

    def as_metrics(self) -> dict[str, float]:
        """Give plain values."""
        return asdict(self)


def spread_of(embeddings: np.ndarray) -> Spread:
    """Measure embeddings ``(clips, dims)``, of at least two clips."""
    x = embeddings.astype(np.float64)
    centred = x - x.mean(axis=0)
    scale = float(np.sqrt(centred.var(axis=0).mean()))
    unit = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    n = len(x)
    cosine = (float(np.square(unit.sum(axis=0)).sum()) - float(np.square(unit).sum())) / (n * (n - 1))
    singular = np.linalg.svd(centred, compute_uv=False)
    if singular.sum() <= 1e-9 * max(1.0, float(np.abs(x).max())):
        return Spread(scale, cosine, 1.0)
    fractions = singular / singular.sum()
    fractions = fractions[fractions > 0]
    return Spread(scale, cosine, float(np.exp(-(fractions * np.log(fractions)).sum())))


def signs_of_collapse(start: Spread, now: Spread) -> list[str]:
    """Compare with the start and name every sign of a collapse; none in a healthy run.

    Parameters
    ----------
    start, now : Spread
        Of the same clips, before and after.

    Returns
    -------
    list of str
        ``spread``: the clips lie less than a fifth as far apart as they did. ``mean_cosine``: so does their mean
        pairwise angle, in ``1 - cosine``. ``effective_rank``: they fill less than a tenth of the dimensions that they
        did, or a single one (dimensional collapse).
    """
    signs = {
        "spread": now.spread < SPREAD * start.spread,
        "mean_cosine": 1 - now.mean_cosine < ANGLE * (1 - start.mean_cosine),
        "effective_rank": now.effective_rank < max(2.0, RANK * start.effective_rank),
    }
    return [name for name, fires in signs.items() if fires]


def alignment(embeddings: np.ndarray, others: np.ndarray) -> float:
    """Give the mean squared distance of two views of the same clips on the unit sphere, each ``(clips, dims)``.

    T. Wang, P. Isola, "Understanding contrastive representation learning through alignment and uniformity on the
    hypersphere", ICML 2020.
    """
    a, b = (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12) for x in (embeddings, others))
    return float(np.square(a - b).sum(axis=1).mean())


def uniformity(embeddings: np.ndarray) -> float:
    """Give the logarithm of the mean of ``exp(-2 distance^2)`` of all pairs on the unit sphere; see :func:`alignment`.

    0 where all are equal; the lower, the more evenly they fill the sphere.
    """
    x = embeddings.astype(np.float64)
    x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    squared = np.clip(2 - 2 * (x @ x.T)[np.triu_indices(len(x), 1)], 0, None)
    return float(np.log(np.exp(-2 * squared).mean()))


def sample(clips: pd.DataFrame) -> pd.DataFrame:
    """Take at most :data:`MOST` random clips of each machine, in their order."""
    chosen = [
        rows.iloc[np.sort(rng("probes", str(machine)).permutation(len(rows))[:MOST])]
        for machine, rows in clips.groupby("machine")
    ]
    return pd.concat(chosen).sort_values("clip_id").reset_index(drop=True)


def probe(embeddings: np.ndarray, clips: pd.DataFrame, column: str = "attributes") -> dict[str, Any]:
    """Measure what each machine's embeddings, scaled to length 1, tell of its attributes; no training sees them.

    ``accuracy``: does the nearest other clip have the same attributes? ``ami``: how well do Ward clusters, as many as
    there are attribute values, agree with them (adjusted mutual information, 0 for random clusters)?

    Parameters
    ----------
    embeddings : np.ndarray [shape=(clips, dims)]
    clips : pd.DataFrame
        ``machine`` and the attributes in ``column``, row by row; machines with less than two values are left out.

    Returns
    -------
    dict
        Means over machines, and the same by machine under ``machines``, between 0 and 1 each; empty where no machine
        is left.
    """
    machines = {}
    for machine, rows in clips.reset_index(drop=True).groupby("machine"):
        known = rows[rows[column] != ""]
        if len(known[column].unique()) > 1:
            machines[str(machine)] = _probed(embeddings[known.index], known[column].to_numpy())
    means = {key: float(np.mean([m[key] for m in machines.values()])) for key in ("accuracy", "ami") if machines}
    return means | ({"machines": machines} if machines else {})


def _probed(embeddings: np.ndarray, values: np.ndarray) -> dict[str, float]:
    from scipy.cluster.hierarchy import fcluster, linkage  # encoders that are not adapted start a second sooner
    from sklearn.metrics import adjusted_mutual_info_score

    x = embeddings.astype(np.float64)
    unit = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    near = unit @ unit.T
    np.fill_diagonal(near, -np.inf)
    clusters = fcluster(linkage(unit, "ward"), len(np.unique(values)), "maxclust")
    return {
        "accuracy": float((values[near.argmax(axis=1)] == values).mean()),
        "ami": float(adjusted_mutual_info_score(values, clusters)),
    }


def statistics(store: FeatureStore, clips: pd.DataFrame) -> np.ndarray:
    """Describe clips by mean and standard deviation over time of every band of their features, ``(clips, 2 bands)``."""
    rows = (store[clip] for clip in clips["clip_id"])
    return np.stack([np.concatenate([x.mean(axis=0), x.std(axis=0)]) for x in rows])
