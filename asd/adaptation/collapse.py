"""How embeddings are spread, and whether they collapsed while a network learnt without labels.

One number is not enough: in a real collapse the effective rank, which knows no scale, rises.
"""

from dataclasses import asdict, dataclass

import numpy as np

SPREAD, ANGLE, RANK = 0.2, 0.2, 0.1  # least shares of what it was at the start


@dataclass(frozen=True)
class Spread:
    """How a set of embeddings fills its space."""

    spread: float
    """Root mean square over dimensions of the standard deviation over clips; not normalised."""
    mean_cosine: float
    """Of all pairs of clips."""
    effective_rank: float
    """Exponential of the entropy of the shares of the singular values of the centred embeddings (Roy and Vetterli,
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
    shares = singular / singular.sum()
    shares = shares[shares > 0]
    return Spread(scale, cosine, float(np.exp(-(shares * np.log(shares)).sum())))


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
