"""What is noted of an adaptation in metrics/adapt/<encoder>.json."""

import sys
from typing import Any

import numpy as np
import pandas as pd
import torch

from asd.adaptation.collapse import alignment, signs_of_collapse, spread_of, uniformity
from asd.adaptation.loop import Step
from asd.adaptation.probes import probe, statistics
from asd.base.artifacts import significant
from asd.encoders.batches import apply, by_length, stack
from asd.encoders.encoder import Encoder
from asd.features.store import FeatureStore

LAST = 0.05  # share of the steps whose mean loss is noted
POINTS = 200  # of a curve
FEW = 256  # clips, evenly spread, whose halves are compared


@torch.inference_mode()
def halves(encoder: Encoder, store: FeatureStore, clips: pd.DataFrame, device: torch.device) -> list[np.ndarray]:
    """Embed the first and the second half of clips, two views of the same thing: each ``(clips, dims)``."""
    found: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    encoder.to(device)
    for batch in by_length(store, list(clips["clip_id"]), 32):
        x = stack(store, batch).to(device)
        half = max(1, x.shape[1] // 2)
        for views, part in zip(found, (x[:, :half], x[:, -half:]), strict=True):
            views.append(encoder(part).flatten(1).float().cpu().numpy())
    encoder.to("cpu")
    return [np.concatenate(views) for views in found]


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
        deviation of every band over time (``log_mel``), where attributes are given.
    """
    found = {name: embed(encoder, store, clips, device) for name, encoder in encoders.items()}
    spreads = {name: spread_of(found[name]) for name in ("start", "adapted")}
    filled: dict[str, Any] = {}
    some = clips.iloc[np.unique(np.linspace(0, len(clips) - 1, FEW).astype(int))]
    for name, spread in spreads.items():
        aligned = alignment(*halves(encoders[name], store, some, device))
        filled[name] = spread.as_metrics() | {"alignment": aligned, "uniformity": uniformity(found[name])}
    signs = signs_of_collapse(spreads["start"], spreads["adapted"])
    if signs:
        print(f"asd: the adapted encoder has collapsed, by {' and '.join(signs)}", file=sys.stderr)
    probes = {name: probe(x, clips) for name, x in (found | {"log_mel": statistics(store, clips)}).items()}
    return {
        "embeddings": filled,
        "collapse": {"collapsed": bool(signs)} | {name: name in signs for name in spreads["start"].as_metrics()},
        "probes": {name: asked for name, asked in probes.items() if asked},
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
