"""The difference between two systems or revisions, with its interval over test clips and training seeds."""

from typing import NamedTuple

import numpy as np

from asd.evaluation.bootstrap import bias_corrected_interval

ENOUGH = 3  # training seeds from which their standard deviation is taken
MARGIN = 0.01  # as scores, 0 to 1: what another training seed moves a score by; smaller differences are noise


class SeedError(NamedTuple):
    """Standard error of a difference due to the training seeds.

    Attributes
    ----------
    std : float
        Standard error, in units of scores from 0 to 1.
    freedom : float
        Degrees of freedom of its estimate; infinite where it is not estimated.
    basis : str
        Where it comes from; empty where it is unknown.
    """

    std: float
    freedom: float
    basis: str


class Difference(NamedTuple):
    """A difference of scores from 0 to 1 with its interval, and where its seed error comes from."""

    value: float
    low: float
    high: float
    basis: str

    @property
    def verdict(self) -> str:
        """Judge: ``real``, ``noise`` (nothing, or shown to be below :data:`MARGIN`) or ``not resolved``."""
        if self.low == self.high == 0:
            return "noise"
        if not self.basis:
            return "not resolved"
        if not self.low <= 0 <= self.high:
            return "real"
        return "noise" if self.low > -MARGIN and self.high < MARGIN else "not resolved"


def seed_error(
    ours: np.ndarray, theirs: np.ndarray, stored: float | None = None, same_models: bool = False
) -> SeedError:
    """Estimate how far training seeds move the difference of two mean scores.

    Both sides' seeds are independent samples (Welch's error) unless both score the same trained models, seed by seed.

    Parameters
    ----------
    ours, theirs : np.ndarray [shape=(seeds,)]
        Scores by training seed, 0 to 1.
    stored : float, optional
        A known standard deviation of a score over training seeds, 0 to 1, for want of seeds here.
    same_models : bool
        Whether row by row both scored with the same trained model: then only the difference of each counts.

    References
    ----------
    B. L. Welch, "The generalization of 'Student's' problem", Biometrika 34, 1947.
    """
    counts = len(ours), len(theirs)
    if same_models:
        std = float(np.std(ours - theirs, ddof=1)) / counts[0] ** 0.5 if counts[0] > 1 else 0.0
        return SeedError(std, counts[0] - 1 or np.inf, f"the same trained models ({counts[0]})")
    if min(counts) >= ENOUGH:
        parts = np.array([np.var(side, ddof=1) / len(side) for side in (ours, theirs)])
        total = parts.sum()
        freedom = total**2 / (parts**2 / (np.array(counts) - 1)).sum() if total else np.inf
        return SeedError(float(total**0.5), float(freedom), f"{counts[0]} and {counts[1]} training seeds")
    if stored is not None:
        std = stored * (1 / counts[0] + 1 / counts[1]) ** 0.5
        return SeedError(std, np.inf, f"stored seed_sd {100 * stored:.2f}")
    return SeedError(0.0, np.inf, "")


def difference(value: float, resampled: np.ndarray, seeds: SeedError, confidence: float = 0.95) -> Difference:
    """Combine the uncertainty of the choice of test clips with that of the training seeds.

    The arms of the bias-corrected interval of the clips and that of the seeds add up in squares; the sum is widened by
    Student's quantile over the normal one, at Satterthwaite's degrees of freedom. Resampling seeds instead
    would give too narrow an interval: three of them have two degrees of freedom.

    Parameters
    ----------
    value : float
        The difference, of scores from 0 to 1.
    resampled : np.ndarray [shape=(resamples,)]
        The same on resampled clips, paired.
    seeds : SeedError
    confidence : float

    References
    ----------
    F. E. Satterthwaite, "An approximate distribution of estimates of variance components", Biometrics Bulletin 2, 1946.
    """
    from scipy.special import ndtri, stdtrit

    low, high = bias_corrected_interval(value, resampled, confidence)
    if not seeds.std:
        return Difference(value, low, high, seeds.basis)
    level = (1 + confidence) / 2
    normal = ndtri(level)
    clips = (high - low) / (2 * normal)
    freedom = seeds.freedom * (1 + (clips / seeds.std) ** 2) ** 2
    widened = stdtrit(min(freedom, 1e9), level) / normal
    down, up = (widened * np.hypot(max(arm, 0.0), normal * seeds.std) for arm in (value - low, high - value))
    return Difference(value, float(value - down), float(value + up), seeds.basis)
