"""Fitted scorers as modules of torch: memory banks, centres and covariances are constants, in double precision."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from asd.core.errors import UserError
from asd.scoring.scorer import Scorer
from asd.scoring.scorers.density import LEAST, DomainDensity, LocalDensity, VarMin
from asd.scoring.scorers.kmeans import KMeans
from asd.scoring.scorers.knn import KNN
from asd.scoring.scorers.mahalanobis import Mahalanobis, RobustMahalanobis, ShrunkMahalanobis
from asd.scoring.scorers.value import VALUES, Value
from asd.scoring.wrappers import PerBand, Whitened

TINY = 1e-300  # length of a clip without a direction


class Scoring(nn.Module):
    """A function of constants and a clip ``(1, features)``: its score ``(1,)``.

    Parameters
    ----------
    formula : callable
        ``formula(x, *constants)``.
    constants : sequence of np.ndarray
    """

    def __init__(self, formula: Callable[..., Tensor], constants: Sequence[np.ndarray | float] = ()) -> None:
        super().__init__()
        self.formula, self.count = formula, len(constants)
        for number, value in enumerate(constants):
            self.register_buffer(f"c{number}", torch.as_tensor(np.array(value, dtype=np.float64)))

    def forward(self, x: Tensor) -> Tensor:
        """Score a clip."""
        return self.formula(x.double().flatten(1), *(self.get_buffer(f"c{number}") for number in range(self.count)))


class Bands(nn.Module):
    """The mean score of bands ``(1, bands, dims)``, each by a module of its own."""

    def __init__(self, scorer: PerBand) -> None:
        super().__init__()
        self.each = nn.ModuleList(scorer_module(one) for one in scorer.scorers_)

    def forward(self, x: Tensor) -> Tensor:
        """Score a clip."""
        apart = x.reshape(len(x), len(self.each), -1)
        return torch.stack([score(apart[:, band]) for band, score in enumerate(self.each)]).mean(dim=0)


def scorer_module(scorer: Scorer) -> nn.Module:
    """Express a fitted scorer as a module, of a clip ``(1, ...)``.

    Raises
    ------
    UserError
        Where there is no such form of it.
    """
    made = MODULES.get(type(scorer))
    if made is None:
        known = ", ".join(sorted(kind.__name__ for kind in MODULES))
        raise UserError(f"{type(scorer).__name__} can't be written as ONNX: choose a scorer among {known}")
    return made(scorer)


def distances(x: Tensor, y: Tensor, metric: str) -> Tensor:
    """Measure a clip ``(1, dims)`` against others ``(clips, dims)``; see :func:`asd.scoring.distances.distances`."""
    if metric == "cosine":
        x, y = (some / some.norm(dim=1, keepdim=True).clamp_min(TINY) for some in (x, y))
        return 1 - x @ y.T
    return (x - y).square().sum(dim=1).sqrt().unsqueeze(0)


def _knn(scorer: KNN) -> nn.Module:
    single = scorer.n_neighbors == 1 or len(scorer.in_domain_) == 1
    banks = [scorer.memory_bank_] if single else [scorer.memory_bank_[bank] for bank in scorer.in_domain_]

    def formula(x: Tensor, *banks: Tensor) -> Tensor:
        far = [distances(x, bank, scorer.metric) for bank in banks]
        nearest = [each.topk(min(scorer.n_neighbors, each.shape[1]), largest=False).values for each in far]
        return torch.stack([each.mean(dim=1) for each in nearest]).amin(dim=0)

    return Scoring(formula, banks)


def _memory_bank(scorer: Any) -> nn.Module:
    logarithm = getattr(scorer, "form", "") == "log"

    def formula(x: Tensor, bank: Tensor, spread: Tensor) -> Tensor:
        with_tensors = copy.copy(scorer)
        with_tensors.spread_ = spread
        scores = with_tensors._by_clip(distances(x, bank, scorer.metric)).amin(dim=1)
        return scores.clamp_min(LEAST).log() if logarithm else scores

    return Scoring(formula, [scorer.memory_bank_, scorer.spread_])


def _kmeans(scorer: KMeans) -> nn.Module:
    def formula(x: Tensor, points: Tensor) -> Tensor:
        if scorer.metric == "euclidean":
            return distances(x, points, "euclidean").amin(dim=1)
        return (1 - x / x.norm(dim=1, keepdim=True).clamp_min(TINY) @ points.T).amin(dim=1)

    return Scoring(formula, [scorer.points_])


def _selective(scorer: Any) -> nn.Module:
    squared = isinstance(scorer, ShrunkMahalanobis)
    constants = [scorer.scales_]
    for centre, covariance in zip(scorer.centres_, scorer.covariances_, strict=True):
        constants += [centre, *covariance]

    def formula(x: Tensor, scales: Tensor, *domains: Tensor) -> Tensor:
        squares = []
        for centre, axes, variances, floor in zip(*(domains[start::4] for start in range(4)), strict=True):
            centred = (x - centre) / scales
            along = (centred @ axes).square()
            beside = (centred.square().sum(dim=1) - along.sum(dim=1)).clamp_min(0)
            squares.append((along / (variances + floor)).sum(dim=1) + beside / floor)
        nearer = torch.stack(squares).amin(dim=0)
        return nearer if squared else nearer.sqrt()

    return Scoring(formula, constants)


def _whitened(scorer: Whitened) -> nn.Module:
    inner, (axes, variances, floor) = scorer_module(scorer.scorer_), scorer.covariance_

    class Behind(Scoring):
        def __init__(self) -> None:
            super().__init__(_whiten, [scorer.mean_, axes, variances, floor])
            self.inner = inner

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(super().forward(x).float())

    return Behind()


def _whiten(x: Tensor, mean: Tensor, axes: Tensor, variances: Tensor, floor: Tensor) -> Tensor:
    centred, rest = x - mean, floor.rsqrt()
    return (centred @ axes * ((variances + floor).rsqrt() - rest)) @ axes.T + centred * rest


MODULES: dict[type[Scorer], Callable[[Any], nn.Module]] = {
    KNN: _knn,
    **dict.fromkeys((LocalDensity, DomainDensity, VarMin), _memory_bank),
    KMeans: _kmeans,
    **dict.fromkeys((Mahalanobis, RobustMahalanobis, ShrunkMahalanobis), _selective),
    Value: lambda scorer: Scoring(lambda x: x[:, VALUES.index(scorer.value)]),
    PerBand: Bands,
    Whitened: _whitened,
}
