"""One scorer a frequency band."""

from dataclasses import dataclass, field, replace

import numpy as np

from asd.scoring.knn import KNN
from asd.scoring.scorer import Scorer


@dataclass
class PerBand(Scorer):
    """Fit a scorer to every band by itself and average the bands' scores, all the same weight.

    ``A(x) = (1 / B) sum_f A_f(x[f])``. With :class:`asd.scoring.knn.KNN`, both domains together, it is BEAM; with
    :class:`asd.scoring.var_min.VarMin` every band has an alpha of its own. Embeddings without bands are one band.

    Parameters
    ----------
    scorer : Scorer
        What is fitted to the bands.

    References
    ----------
    BEAM, arXiv 2603.13749: one memory a band of the token grid.
    """

    scorer: Scorer = field(default_factory=lambda: KNN(domains="together"))

    def fit(self, embeddings: np.ndarray, domain: np.ndarray) -> "PerBand":
        """See :meth:`Scorer.fit`; ``(clips, bands, dims)``."""
        self.scorers_ = [replace(self.scorer).fit(band, domain) for band in bands(embeddings)]
        return self

    def score(self, embeddings: np.ndarray) -> np.ndarray:
        """See :meth:`Scorer.score`; ``(clips, bands, dims)``."""
        found = [scorer.score(band) for scorer, band in zip(self.scorers_, bands(embeddings), strict=True)]
        return np.mean(found, axis=0)

    def score_left_out(self, embeddings: np.ndarray, domain: np.ndarray, block: np.ndarray) -> np.ndarray:
        """See :meth:`Scorer.score_left_out`; ``(clips, bands, dims)``."""
        found = [replace(self.scorer).score_left_out(band, domain, block) for band in bands(embeddings)]
        return np.mean(found, axis=0)


def bands(embeddings: np.ndarray) -> list[np.ndarray]:
    """Take ``(clips, bands, dims)`` or ``(clips, dims)`` apart: one ``(clips, dims)`` a band."""
    x = np.asarray(embeddings)
    return [x] if x.ndim == 2 else [x[:, band] for band in range(x.shape[1])]
