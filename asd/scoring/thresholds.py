"""Thresholds and p-values from normal clips' scores, and whether the stated rate of false alarms is guaranteed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from asd.scoring.params import ThresholdParams

DOMAINS = ("source", "target")


@dataclass(frozen=True)
class Calibration:
    """Scores of the normal clips of one machine's section, by which thresholds are set.

    Attributes
    ----------
    scores : np.ndarray [shape=(clips,)]
        Each by a scorer fitted without it and, where a network has unseen clips, as if it had not been trained on it.
    domain : np.ndarray [shape=(clips,)]
        Any but ``target`` counts as source.
    block : np.ndarray [shape=(clips,)]
        Which consecutive part of the recordings each is of, see :func:`asd.scoring.scorer.blocks`.
    held_out : bool
        Whether neither the system nor the scorer was fitted on them.
    """

    scores: np.ndarray
    domain: np.ndarray
    block: np.ndarray
    held_out: bool

    def of(self, domain: str) -> np.ndarray:
        """Give the scores of a domain."""
        return self.scores[(self.domain == "target") == (domain == "target")]

    def enough(self, quantile: float) -> Iterator[str]:
        """Name the domains with as many clips as a false-alarm rate of ``1 - quantile`` takes."""
        return (name for name in DOMAINS if len(self.of(name)) >= needed(quantile))

    def guaranteed(self, params: ThresholdParams) -> dict[str, bool]:
        """Say for each domain with clips whether at most ``1 - quantile`` of its normal clips pass the threshold.

        That holds for the conformal threshold alone, of clips held out, where a domain has enough of them: on average
        over calibrations, for normal clips that are exchangeable with those. Nothing is guaranteed by scores of clips
        that the system was trained on, of a quantile of them, or of a distribution fitted to them.
        """
        sure = params.threshold == "conformal" and self.held_out
        enough = set(self.enough(params.quantile))
        return {name: sure and name in enough for name in DOMAINS if len(self.of(name))}


def needed(quantile: float) -> int:
    """Count the calibration clips below which no threshold holds a false-alarm rate alpha: ``1 / alpha - 1``."""
    return int(np.ceil(np.round(1 / (1 - quantile) - 1, 9)))


def threshold(calibration: Calibration, params: ThresholdParams) -> float:
    """Set the threshold of a section by the method that params name."""
    return METHODS[params.threshold](calibration, params.quantile)


def p_values(scores: np.ndarray, calibration: np.ndarray) -> np.ndarray:
    """Compute conformal p-values: the share of normal clips, the clip itself among them, that score as high.

    ``p(x) = (1 + #{i : s_i >= s(x)}) / (n + 1)``; of a normal clip exchangeable with the n calibration clips it is at
    most alpha with a probability of at most alpha. Without calibration clips 1.

    Parameters
    ----------
    scores : np.ndarray [shape=(clips,)]
    calibration : np.ndarray [shape=(n,)]

    References
    ----------
    V. Vovk, A. Gammerman, G. Shafer, "Algorithmic learning in a random world", 2005; for outliers S. Bates, E. Candes,
    L. Lei, Y. Romano, M. Sesia, "Testing for outliers with conformal p-values", Annals of Statistics 51, 2023.
    """
    below = np.searchsorted(np.sort(calibration), scores, side="left")
    return (1 + len(calibration) - below) / (len(calibration) + 1)


def _quantile(calibration: Calibration, quantile: float) -> float:
    """Take a quantile of all scores, domains pooled."""
    return float(np.quantile(calibration.scores, quantile))


def _worst_block(calibration: Calibration, quantile: float) -> float:
    """Take the largest of the blocks' quantiles; of few clips in all at least what a normal distribution expects.

    Recordings drift: a block is scored by other blocks as later recordings are by all of them, and the worst one shows
    how far that may go. A block's quantile is its ``ceil((n + 1) quantile)``-th smallest score, or its largest. Where
    all clips together are fewer than :func:`needed`, the largest of all is passed too often (by one in n + 1); then the
    threshold is at least the prediction bound ``mean + t(quantile, n - 1) sd sqrt(1 + 1 / n)``.
    """
    of_blocks = [calibration.scores[calibration.block == block] for block in np.unique(calibration.block)]
    worst = max(_conformal_of(scores, quantile) for scores in of_blocks)
    if 1 < len(calibration.scores) < needed(quantile):
        return max(worst, _prediction_bound(calibration.scores, quantile))
    return worst


def _prediction_bound(scores: np.ndarray, quantile: float) -> float:
    from scipy.stats import t

    count = len(scores)
    return float(scores.mean() + t.ppf(quantile, count - 1) * scores.std(ddof=1) * np.sqrt(1 + 1 / count))


def _gamma(calibration: Calibration, quantile: float) -> float:
    """Take the quantile of a gamma distribution fitted to all scores, as the organisers' baseline does.

    Shape, location and scale by maximum likelihood; scores that are all equal, or too few to fit, have their quantile.
    """
    from scipy.stats import gamma

    scores = calibration.scores
    spread = float(scores.std())
    if len(scores) < 3 or spread <= 1e-12 * abs(scores.mean()):
        return _quantile(calibration, quantile)
    centred = (scores - scores.mean()) / spread
    limit = float(gamma.ppf(quantile, *gamma.fit(centred)))
    return scores.mean() + spread * limit if np.isfinite(limit) else _quantile(calibration, quantile)


def _conformal(calibration: Calibration, quantile: float) -> float:
    """Take the largest of the domains' split-conformal thresholds, for a test clip's domain is unknown.

    A domain's is its ``ceil((n + 1) (1 - alpha))``-th smallest score: at most alpha of its normal clips pass it.
    Domains with too few clips do not count; where all have too few it is the largest score, and nothing is guaranteed.
    J. Lei, M. G'Sell, A. Rinaldo, R. J. Tibshirani, L. Wasserman, "Distribution-free predictive inference for
    regression", JASA 113, 2018.
    """
    of_domains = [_conformal_of(calibration.of(name), quantile) for name in calibration.enough(quantile)]
    return max(of_domains) if of_domains else float(calibration.scores.max())


def _conformal_of(scores: np.ndarray, quantile: float) -> float:
    rank = int(np.ceil(np.round((len(scores) + 1) * quantile, 9)))
    return float(np.sort(scores)[min(rank, len(scores)) - 1])


METHODS: dict[str, Callable[[Calibration, float], float]] = {
    "worst_block": _worst_block,
    "quantile": _quantile,
    "gamma": _gamma,
    "conformal": _conformal,
}
