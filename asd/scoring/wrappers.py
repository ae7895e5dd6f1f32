"""Scorers around scorers, options of every block: embeddings whitened, a scorer a band, quantiles of the domains."""

from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from sklearn.base import clone

from asd.scoring.covariance import Covariance, principal_axes
from asd.scoring.distances import reduced
from asd.scoring.neighbours import nearest_others
from asd.scoring.quantiles import DomainQuantiles
from asd.scoring.scorer import Scorer, left_out

LEFT_OUT = 10  # blocks of normal clips whose scores calibrate: of ten target clips each is left out by itself
SHRINKAGE = 0.1  # towards the same variance in all directions
NOTHING = 1e-12  # of the mean square: less variance is rounding


@dataclass(eq=False, repr=False)
class PerBand(Scorer):
    """Fit a scorer to every band by itself and average the bands' scores, all with the same weight.

    ``A(x) = (1 / B) sum_f A_f(x[f])``. With :class:`~asd.scoring.scorers.knn.KNN`, both domains in one memory bank, it
    is BEAM; with :class:`~asd.scoring.scorers.density.VarMin` every band has an alpha of its own. The nearest normal
    clip is that of the band with the largest score.

    Parameters
    ----------
    scorer : Scorer
        Cloned for each band.

    Attributes
    ----------
    n_bands_ : int
        1 of embeddings ``(clips, dims)``.
    scorers_ : list of Scorer

    References
    ----------
    BEAM, arXiv 2603.13749: one memory bank a band of the token grid.
    """

    scorer: Scorer

    def fit(self, X: Any, domain: Any = None) -> Self:
        """Fit on normal clips ``(clips, bands, dims)``; see :meth:`Scorer.fit`."""
        self._validated(X, reset=True)  # before anything is fitted
        self.n_bands_ = _bands(X)
        return super().fit(X, domain)

    def cross_val_anomaly_score(self, X: np.ndarray, domain: np.ndarray, block: np.ndarray) -> np.ndarray:
        """Score normal clips, band by band; see :meth:`Scorer.cross_val_anomaly_score`."""
        bands = _split(X, _bands(X))
        return np.mean([clone(self.scorer).cross_val_anomaly_score(band, domain, block) for band in bands], axis=0)

    def _fit(self, x: np.ndarray, domain: np.ndarray) -> None:
        self.scorers_ = [clone(self.scorer).fit(band, domain) for band in _split(x, self.n_bands_)]

    def _each(self, x: np.ndarray) -> list[tuple[Scorer, np.ndarray]]:
        return list(zip(self.scorers_, _split(x, self.n_bands_), strict=True))

    def _anomaly_score(self, x: np.ndarray) -> np.ndarray:
        return np.mean([scorer.anomaly_score(band) for scorer, band in self._each(x)], axis=0)

    def _nearest(self, x: np.ndarray) -> np.ndarray:
        scores = np.stack([scorer.anomaly_score(band) for scorer, band in self._each(x)])  # (bands, clips)
        rows = np.stack([scorer.nearest(band) for scorer, band in self._each(x)])
        return np.take_along_axis(rows, scores.argmax(axis=0)[None], axis=0)[0]


def _bands(embeddings: Any) -> int:
    shape = np.shape(embeddings)
    return int(np.prod(shape[1:-1]))


def _split(x: np.ndarray, bands: int) -> list[np.ndarray]:
    """Take clips apart: one ``(clips, dims)`` a band."""
    apart = x.reshape(len(x), bands, x[0].size // bands)
    return [apart[:, band] for band in range(bands)]


@dataclass(eq=False, repr=False)
class Whitened(Scorer):
    """Score embeddings that are whitened by the normal clips' covariance within their domains.

    ``z = S^(-1/2) (x - m)``, S the covariance of normal clips about the mean of their own domain, all domains pooled,
    ``0.9 S + 0.1 tr(S) / n I`` of n dimensions in its place, m the mean of all. Changes from clip to clip by distance,
    load or surroundings count less, and the step from one domain to the other, of which one knows ten clips, is in no
    covariance. Where normal clips do not vary, embeddings stay as they are. The scorer should measure Euclidean
    distances: cosines of whitened embeddings are angles about the mean.

    Parameters
    ----------
    scorer : Scorer
        Cloned and fitted to the whitened embeddings.

    Attributes
    ----------
    mean_ : np.ndarray [shape=(features,)]
    covariance_ : Covariance
    scorer_ : Scorer

    References
    ----------
    A. Hatch, S. Kajarekar, A. Stolcke, "Within-class covariance normalization for SVM-based speaker recognition",
    Interspeech 2006, with a machine's domains as classes; K. Lee et al., "A simple unified framework for detecting
    out-of-distribution samples and adversarial attacks", NeurIPS 2018, pools covariances likewise.
    """

    scorer: Scorer

    def _fit(self, x: np.ndarray, domain: np.ndarray) -> None:
        x = x.astype(np.float64)
        self.mean_ = x.mean(axis=0)
        self.covariance_ = within_domains(x, domain)
        self.scorer_ = clone(self.scorer).fit(self._whitened(x), domain)

    def _anomaly_score(self, x: np.ndarray) -> np.ndarray:
        return self.scorer_.anomaly_score(self._whitened(x))

    def _nearest(self, x: np.ndarray) -> np.ndarray:
        return self.scorer_.nearest(self._whitened(x))

    def _whitened(self, x: np.ndarray) -> np.ndarray:
        whitened = self.covariance_.whiten(x - self.mean_)
        return whitened.astype(np.float32)  # a product of one row is rounded unlike one of many: equal clips stay equal


def within_domains(x: np.ndarray, domain: np.ndarray) -> Covariance:
    """Compute the shrunk covariance of clips about the means of their domains; the identity where they do not vary.

    Parameters
    ----------
    x : np.ndarray [shape=(clips, dims)]
    domain : np.ndarray [shape=(clips,)]
    """
    centred = x.copy()
    for name in np.unique(domain):
        centred[domain == name] -= x[domain == name].mean(axis=0)
    variances, axes = principal_axes(centred)
    mean = variances.sum() / x.shape[1]
    if mean <= NOTHING * np.square(x).mean():
        return Covariance(axes, np.zeros(len(variances)), 1.0)
    return Covariance(axes, (1 - SHRINKAGE) * variances, float(SHRINKAGE * mean))


@dataclass(eq=False, repr=False)
class DomainCalibrated(Scorer):
    """Give, for a score, the share of the normal clips of the same domain that score lower (quantile calibration).

    ``A(x) = sum_d w_d(x) q_d(s(x))``, s the score of the scorer inside, q_d the map of
    :class:`asd.scoring.quantiles.DomainQuantiles` by scores of normal clips, each of which was left out. The domain of
    a clip is not known: w_d is 1 for the domain of its nearest normal clip (``hard``), or ``softmax(-D_d(x) / t)`` over
    the cosine distances D_d to the nearest clip of each domain, t the median of such distances between normal clips
    (``soft``). So one threshold lets as many normal clips of either domain pass. With one domain the order of clips is
    that of s; one normal clip can't be left out, and the score is s.

    Parameters
    ----------
    scorer : Scorer
        Cloned.
    assignment : str
        ``soft`` or ``hard``.
    pooling : float
        m: how many clips of the pooled domains a domain's own are weighed against. Few target clips (ten) resolve no
        quantile beyond 1 / 11; m draws their map towards that of all clips, at the price of the domains' balance.

    Attributes
    ----------
    scorer_ : Scorer
    quantiles_ : DomainQuantiles or None
        Any domain but ``target`` counts as source; None of one normal clip.
    banks_ : list of np.ndarray [shape=(normal clips, features)]
        Of the domains that there are.
    distance_ : float
        t.

    References
    ----------
    DACo, arXiv 2607.04526, with all of 51 configurations on nearest neighbours or local densities. Its maps are linear
    towards 0 below the smallest score, its left-out scores those of the memory bank without the clip alone; here ten
    blocks are left out, which any scorer can.
    """

    scorer: Scorer
    assignment: Literal["soft", "hard"] = "soft"
    pooling: float = 0.0

    def fit(self, X: Any, domain: Any = None) -> Self:
        """Fit on normal clips ``(clips, ...)``, whose shape the scorer inside sees; see :meth:`Scorer.fit`."""
        self._validated(X, reset=True)  # before anything is fitted
        self.shape_ = np.shape(X)[1:]
        return super().fit(X, domain)

    def _fit(self, x: np.ndarray, domain: np.ndarray) -> None:
        target = domain == "target"
        self.scorer_ = clone(self.scorer).fit(self._shaped(x), domain)
        self.quantiles_ = None
        if len(x) > 1:
            scores = left_out(self.scorer, self._shaped(x), domain, LEFT_OUT)
            self.quantiles_ = DomainQuantiles.of(scores, target, self.pooling)
            self.distance_ = float(np.median(nearest_others(x, 1, "cosine")[0])) or 1.0
            self.banks_ = [x[own] for own in (~target, target) if own.any()]

    def _anomaly_score(self, x: np.ndarray) -> np.ndarray:
        scores = self.scorer_.anomaly_score(self._shaped(x))
        if self.quantiles_ is None:
            return scores
        return np.sum(self._weights(x) * self.quantiles_(scores), axis=0)

    def _weights(self, x: np.ndarray) -> np.ndarray:
        """Weigh the domains for each clip: ``(2, clips)``."""
        if len(self.banks_) == 1:
            return np.full((2, len(x)), 0.5)  # both maps are the same
        far = np.stack([reduced(x, bank, "cosine", lambda block: block.min(axis=1)) for bank in self.banks_])
        source = far[0] <= far[1]
        if self.assignment == "soft":
            source = 1 / (1 + np.exp(np.clip((far[0] - far[1]) / self.distance_, -700, 700)))
        return np.stack([source, 1.0 - source])

    def _nearest(self, x: np.ndarray) -> np.ndarray:
        return self.scorer_.nearest(self._shaped(x))

    def _shaped(self, x: np.ndarray) -> np.ndarray:
        return x.reshape(len(x), *self.shape_)
