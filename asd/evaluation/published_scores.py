"""Published scores of the organisers' baseline and of each year's winner, beside which ours can be put."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).with_name("published_scores.yaml")
MODES = ("mse", "mahalanobis")


@cache
def _content() -> dict[Any, Any]:
    return dict(yaml.safe_load(FILE.read_text(encoding="utf-8")))


def published_scores(year: int, split: str) -> dict[str, Any]:
    """Read the published scores of a year's ``dev`` or ``eval`` set, in percent; nothing where none are known.

    Parameters
    ----------
    year : int
    split : str
        ``dev`` or ``eval``.

    Returns
    -------
    dict
        ``mse``, ``mahalanobis``, ``baseline``, ``winner`` as far as known, ``machines``, and ``systems``: by name, a
        further system's ``score`` and the ``source`` that states it.
    """
    return dict(_content().get(year, {}).get(split, {}))


def compare_with_published(dataset: dict[str, Any], mode: str, metrics: dict[str, Any]) -> str:
    """Say whether the autoencoder's official score on the challenge's data is near the published one.

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
    known = published_scores(year, split)
    published = known.get(mode, known.get("baseline"))
    if published is None:
        return ""
    tolerance = _content()["tolerance"]
    verdict = "within" if abs(score - published) <= tolerance else "not within"
    return f"{year} {split} {score:.2f}, published {published:.2f}: {verdict} +-{tolerance}"
