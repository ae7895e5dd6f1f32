"""Anchors to reality: the organisers' baseline has published scores, and ours should come near them."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).with_name("anchors.yaml")
MODES = ("mse", "mahalanobis")


@cache
def anchors() -> dict[Any, Any]:
    """Read the published figures: by year, then ``dev`` or ``eval``."""
    return dict(yaml.safe_load(FILE.read_text(encoding="utf-8")))


def published(year: int, split: str) -> dict[str, Any]:
    """Choose the published figures of a year's development or evaluation set; nothing where none are known."""
    return dict(anchors().get(year, {}).get(split, {}))


def said(dataset: dict[str, Any], mode: str, metrics: dict[str, Any]) -> str:
    """Say whether the autoencoder's official score on real data is where it was published to be.

    Parameters
    ----------
    dataset : dict
        The section ``dataset`` of params.yaml: ``name`` and, for challenge data, ``split`` and ``machines``.
    mode : str
        One of :data:`MODES`: how the autoencoder scores.
    metrics : dict
        The autoencoder's figures.

    Returns
    -------
    str
        ``2025 dev 56.10, published 56.26: within +-1.2``; empty for simulated and own data, for a choice of machines,
        and where nothing was published.
    """
    name, split = str(dataset["name"]), str(dataset.get("split", "dev"))
    if not name.startswith("dcase") or dataset.get("machines", "all") != "all" or "official" not in metrics:
        return ""
    year, score = int(name.removeprefix("dcase")), metrics["official"]
    known = published(year, split)
    wanted = known.get(mode, known.get("baseline"))
    if wanted is None:
        return ""
    tolerance = anchors()["tolerance"]
    verdict = "within" if abs(score - wanted) <= tolerance else "not within"
    return f"{year} {split} {score:.2f}, published {wanted:.2f}: {verdict} +-{tolerance}"
