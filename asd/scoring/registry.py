"""Name of a scorer -> scorer."""

from importlib import import_module

from asd.scoring.bands import PerBand
from asd.scoring.params import ScorerBlock
from asd.scoring.scorer import Scorer
from asd.scoring.whitening import Whitened

SCORERS = {
    "knn": "asd.scoring.knn:KNN",
    "smote": "asd.scoring.smote:SmoteKNN",
    "kmeans": "asd.scoring.kmeans:KMeans",
    "mahalanobis": "asd.scoring.mahalanobis:Mahalanobis",
    "robust_mahalanobis": "asd.scoring.robust_mahalanobis:RobustMahalanobis",
    "shrunk_mahalanobis": "asd.scoring.shrunk_mahalanobis:ShrunkMahalanobis",
    "local_outlier_factor": "asd.scoring.outlier_factor:LocalOutlierFactor",
    "local_density": "asd.scoring.density:LocalDensity",
    "domain_density": "asd.scoring.density:DomainDensity",
    "var_min": "asd.scoring.var_min:VarMin",
    "gmm": "asd.scoring.gmm:GMM",
    "value": "asd.scoring.value:Value",
}


def create_scorer(params: ScorerBlock, seed: int = 0) -> Scorer:
    """Make a scorer from its block of params.yaml; ``seed`` is that of scorers that draw."""
    module, name = SCORERS[params.scorer].split(":")
    made = getattr(import_module(module), name)(**params.options())
    if hasattr(made, "random_state"):
        made.random_state = seed
    made = Whitened(made) if params.whiten else made
    return PerBand(made) if params.per_band else made
