"""Pooling of a grid of tokens to one embedding per clip, or one per band; padding never counts."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from asd.encoders.encoder_params import PoolingParams

if TYPE_CHECKING:
    from asd.encoders.encoder import Grid

TINY = 1e-12


class Pooling(nn.Module):
    """Pool the tokens of each band over time, or those of all bands together.

    Parameters
    ----------
    per_band : bool
        One embedding a band.
    """

    def __init__(self, per_band: bool = False) -> None:
        super().__init__()
        self.per_band = per_band

    def forward(self, grid: "Grid") -> Tensor:
        """Pool ``(clips, time, bands, dims)`` to ``(clips, bands or 1, ...)``."""
        values, real = grid.values, grid.real
        clips, time, bands, _ = values.shape
        if self.per_band:
            sets, some = values.transpose(1, 2), 1
        else:
            sets, some = values.flatten(1, 2).unsqueeze(1), bands
        if real is None:
            return self.pooled(sets, None)
        counted = real[:, None, :, None].expand(clips, 1, time, some).reshape(clips, 1, time * some, 1)
        return self.pooled(sets, counted)

    def pooled(self, x: Tensor, real: Tensor | None) -> Tensor:
        """Pool sets of tokens.

        Parameters
        ----------
        x : Tensor [shape=(clips, sets, tokens, dims)]
        real : Tensor [shape=(clips, 1, tokens, 1)], bool
            None: all are.

        Returns
        -------
        Tensor [shape=(clips, sets, ...)]
        """
        raise NotImplementedError


class Mean(Pooling):
    """Mean of the tokens."""

    def pooled(self, x: Tensor, real: Tensor | None) -> Tensor:
        """See :meth:`Pooling.pooled`."""
        return _mean(x, real)


class Maximum(Pooling):
    """Largest value of each dimension."""

    def pooled(self, x: Tensor, real: Tensor | None) -> Tensor:
        """See :meth:`Pooling.pooled`."""
        return _hidden(x, real, -torch.inf).amax(dim=2)


class GeM(Pooling):
    """Generalised mean, ``(mean x^p)^(1/p)``, of magnitudes with their signs: p = 1 is the mean.

    Radenović et al., "Fine-tuning CNN image retrieval with no human annotation", TPAMI 2019, for values that are
    never negative; what follows the last layer norm of a transformer has both signs, hence the signed power.
    """

    def __init__(self, per_band: bool = False, power: float = 3.0) -> None:
        super().__init__(per_band)
        self.power = power

    def pooled(self, x: Tensor, real: Tensor | None) -> Tensor:
        """See :meth:`Pooling.pooled`; scaled by the largest magnitude, so that no power overflows."""
        scale = _hidden(x.abs(), real, 0.0).amax(dim=2, keepdim=True).clamp_min(TINY)
        mean = _mean(_signed_power(_hidden(x, real, 0.0) / scale, self.power), real)
        return scale.squeeze(2) * _signed_power(mean, 1 / self.power)


class RelativeDeviation(Pooling):
    """Relative deviation pooling: tokens far from their mean weigh more.

    ``d = |x - mean|``, weights in proportion to ``(1 + d / max d)^gamma``; gamma 0 is the mean. Wilkinghoff, Yadav,
    Tan, "Temporal pooling strategies for training-free anomalous sound detection", arXiv 2603.04605.
    """

    def __init__(self, per_band: bool = False, gamma: float = 8.0) -> None:
        super().__init__(per_band)
        self.gamma = gamma

    def pooled(self, x: Tensor, real: Tensor | None) -> Tensor:
        """See :meth:`Pooling.pooled`."""
        far = (x - _mean(x, real).unsqueeze(2)).norm(dim=3, keepdim=True)
        far = _hidden(far, real, 0.0)
        weights = _hidden((1 + far / far.amax(dim=2, keepdim=True).clamp_min(TINY)) ** self.gamma, real, 0.0)
        return (x * (weights / weights.sum(dim=2, keepdim=True))).sum(dim=2)


class AttentiveStatistics(Pooling):
    """Mean and deviation of tokens weighted by a small trained network, side by side: twice the dimensions.

    Okabe, Koshinaka, Shinoda, "Attentive statistics pooling for deep speaker embedding", Interspeech 2018.
    """

    def __init__(self, dims: int, per_band: bool = False, hidden: int = 128) -> None:
        super().__init__(per_band)
        self.score = nn.Sequential(nn.Linear(dims, hidden), nn.Tanh(), nn.Linear(hidden, 1))

    def pooled(self, x: Tensor, real: Tensor | None) -> Tensor:
        """See :meth:`Pooling.pooled`."""
        weights = _hidden(self.score(x), real, -torch.inf).softmax(dim=2)
        mean = (weights * x).sum(dim=2)
        variance = (weights * (x - mean.unsqueeze(2)).square()).sum(dim=2)
        return torch.cat([mean, variance.clamp_min(TINY).sqrt()], dim=2)


class ClassToken(nn.Module):
    """The class token of encoders that have one."""

    def forward(self, grid: "Grid") -> Tensor:
        """Give ``(clips, 1, dims)``."""
        if grid.cls is None:
            raise ValueError("this encoder has no class token to pool by")
        return grid.cls.unsqueeze(1)


def create_pooling(params: PoolingParams, dims: int) -> nn.Module:
    """Make the pooling of a block of ``encoders:``.

    Parameters
    ----------
    params : PoolingParams
    dims : int
        Size of a token.

    Returns
    -------
    nn.Module
        Takes a grid, gives ``(clips, bands or 1, ...)``.
    """
    band = params.per_band
    makers: dict[str, Callable[[], nn.Module]] = {
        "mean": lambda: Mean(band),
        "max": lambda: Maximum(band),
        "gem": lambda: GeM(band, params.power),
        "relative_deviation": lambda: RelativeDeviation(band, params.gamma),
        "attentive_statistics": lambda: AttentiveStatistics(dims, band),
        "cls": ClassToken,
    }
    return makers[params.kind]()


def _mean(x: Tensor, real: Tensor | None) -> Tensor:
    if real is None:
        return x.mean(dim=2)
    return torch.where(real, x, 0).sum(dim=2) / real.sum(dim=2)


def _hidden(x: Tensor, real: Tensor | None, value: float) -> Tensor:
    """Put a value where tokens are padding."""
    return x if real is None else torch.where(real, x, value)


def _signed_power(x: Tensor, power: float) -> Tensor:
    return x.sign() * x.abs() ** power
