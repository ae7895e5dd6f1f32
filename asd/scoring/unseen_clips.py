"""How far clips that no network was trained on score above those that it was trained on.

A network's training clips lie closer together than other normal clips. One or two clips of a machine that it was not
trained on say little of how much, those of all machines say more; but machines differ, and one that drifts must not
decide for all others. Hence partial pooling: the gap of a new clip of a machine is predicted from the machine's own
unseen clips and those of all machines, each as far as it can be trusted.

References
----------
S. R. Searle, G. Casella, C. E. McCulloch, "Variance components", Wiley 1992, for the one-way random-effects model, its
variances by moments and its predictions. That few clips do not settle the variance within sections is ours.
"""

from typing import NamedTuple

import numpy as np

PRIOR = 2  # degrees of freedom beside those of the variance within sections, of the variance of all gaps

SAME = 1e-12  # of the mean: a deviation up to this is rounding


class Spread(NamedTuple):
    """Gaps of all sections: their mean over sections, and their variances.

    Attributes
    ----------
    mean : float
        Sections weigh more whose own mean is surer.
    error : float
        Variance of the estimate ``mean``.
    within : float
        Variance of the clips of a section.
    between : float
        Variance of what the sections' means would be, had they many clips.
    """

    mean: float
    error: float
    within: float
    between: float


class Gaps:
    """Gaps of unseen clips of several sections to the clips of their section that a network was trained on.

    ``g = log s - m`` is how far the score s of an unseen clip lies above m, the mean logarithm of the scores of its
    section's clips trained on; where a score is not positive, gaps are ``(s - m) / d`` with mean and deviation of the
    scores.

    Parameters
    ----------
    unseen : list of np.ndarray [shape=(clips,)]
        Of each section the scores of normal clips that the network was not trained on; at least one section has some.
    fitted : list of np.ndarray [shape=(clips,)]
        Of each section the scores of those that it was trained on, each by a scorer fitted without it; none is empty.
    """

    def __init__(self, unseen: list[np.ndarray], fitted: list[np.ndarray]) -> None:
        self.fitted, self.logarithmic = fitted, all_positive(*unseen, *fitted)
        self.scales = [location_and_scale(scores, self.logarithmic) for scores in fitted]
        self.groups = [self._gap(scores, number) for number, scores in enumerate(unseen)]
        self.spread = spread_of([group for group in self.groups if len(group)])

    def as_unseen(self, number: int) -> np.ndarray:
        """Score a section's clips that the network was trained on as if it had not been: they keep their order.

        Their gaps get the mean that is predicted for a new clip of the section and, if they differ, at least its
        deviation.

        Parameters
        ----------
        number : int
            Of the section.
        """
        gaps = self._gap(self.fitted[number], number)
        expected, deviation = predict(self.groups[number], self.spread)
        own = float(gaps.std())
        location, scale = self.scales[number]
        values = location + scale * (expected + gaps * (max(deviation, own) / own if own else 1.0))
        return np.exp(values) if self.logarithmic else values

    def _gap(self, scores: np.ndarray, number: int) -> np.ndarray:
        location, scale = self.scales[number]
        return ((np.log(scores) if self.logarithmic else scores) - location) / scale  # type: ignore[no-any-return]


def spread_of(groups: list[np.ndarray]) -> Spread:
    """Estimate mean and variances by moments, with :data:`PRIOR`.

    Parameters
    ----------
    groups : list of np.ndarray [shape=(clips,)]
        None empty. Of a single clip in all nothing is known of how clips vary: variances of 0.
    """
    counts, means = np.array([len(group) for group in groups]), np.array([group.mean() for group in groups])
    values, weights = np.concatenate(groups), np.repeat(1 / counts / len(counts), counts)
    squares = ((values - np.repeat(means, counts)) ** 2).sum()
    total = float(np.cov(values, aweights=weights)) if len(values) > 1 else 0.0
    within = (squares + PRIOR * total) / (counts.sum() - len(counts) + PRIOR)
    between = 0.0
    if len(counts) > 1:
        of_means = (counts * (means - values.mean()) ** 2).sum()
        per_section = counts.sum() - (counts**2).sum() / counts.sum()
        between = max(0.0, (of_means - (len(counts) - 1) * within) / per_section)
    variances = between + within / counts
    sure = 1 / variances if variances.all() else np.ones(len(counts))
    error = 1 / sure.sum() if variances.all() else 0.0
    return Spread(float(np.average(means, weights=sure)), float(error), float(within), float(between))


def predict(own: np.ndarray, spread: Spread) -> tuple[float, float]:
    """Predict a new clip of a section from the section's others and all sections.

    Parameters
    ----------
    own : np.ndarray [shape=(clips,)]
        May be empty.
    spread : Spread

    Returns
    -------
    float
        What is expected: the clips' mean, shrunk towards that of all sections, the more the fewer they are.
    float
        Standard deviation of a new clip about it; 0 where nothing varies.
    """
    variance = spread.between + spread.within / max(len(own), 1)
    trust = spread.between / variance if len(own) and variance else 0.0  # from 0 to 1, in the section's own mean
    expected = spread.mean + trust * (own.mean() - spread.mean) if len(own) else spread.mean
    unsure = (1 - trust) * spread.between + (1 - trust) ** 2 * spread.error  # of what is expected
    return float(expected), float(np.sqrt(spread.within + unsure))


def all_positive(*scores: np.ndarray) -> bool:
    """Test whether scores can be compared by their logarithms, as distances are."""
    return all(bool((group > 0).all()) for group in scores)


def location_and_scale(scores: np.ndarray, logarithmic: bool) -> tuple[float, float]:
    """Describe scores of normal clips, so that those of several networks or machines can be compared.

    Parameters
    ----------
    scores : np.ndarray [shape=(clips,)]
    logarithmic : bool
        See :func:`all_positive`.

    Returns
    -------
    float, float
        The mean of logarithms and 1; else mean and standard deviation (1 where they do not vary).
    """
    if logarithmic:
        return float(np.log(scores).mean()), 1.0
    location, scale = float(scores.mean()), float(scores.std())
    return location, scale if scale > SAME * abs(location) else 1.0
