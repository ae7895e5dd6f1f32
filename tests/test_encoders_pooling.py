"""Pooling: by hand, and with padding that never counts."""

import numpy as np
import pytest
import torch

from asd.encoders.encoder import Grid
from asd.encoders.encoder_params import PoolingParams
from asd.encoders.pooling import GeM, Mean, RelativeDeviation, create_pooling

KINDS = ["mean", "max", "gem", "relative_deviation", "attentive_statistics"]
CLIPS, TIME, BANDS, DIMS = 3, 7, 2, 5


def grid(time: int = TIME) -> Grid:
    return Grid(torch.randn(CLIPS, time, BANDS, DIMS, generator=torch.Generator().manual_seed(1)))


def pooling(kind: str, per_band: bool = False) -> torch.nn.Module:
    torch.manual_seed(0)
    return create_pooling(PoolingParams(kind=kind, per_band=per_band), DIMS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("per_band", [False, True])
def test_padding_never_counts(kind, per_band):
    pool, full = pooling(kind, per_band), grid()
    rows = torch.tensor([7, 4, 1])
    real = torch.arange(TIME) < rows[:, None]
    spoilt = torch.where(real[:, :, None, None], full.values, torch.nan if kind == "mean" else 1e6)
    pooled = pool(Grid(spoilt, real))
    assert pooled.shape[:2] == (CLIPS, BANDS if per_band else 1)
    for clip, length in enumerate(rows):
        torch.testing.assert_close(pooled[clip], pool(Grid(full.values[clip : clip + 1, :length]))[0])


@pytest.mark.parametrize("kind", KINDS)
def test_a_band_is_pooled_by_itself(kind):
    values = grid().values
    by_band = pooling(kind, per_band=True)(Grid(values))
    for band in range(BANDS):
        alone = pooling(kind)(Grid(values[:, :, band : band + 1]))
        torch.testing.assert_close(by_band[:, band], alone[:, 0])


def test_relative_deviation_by_the_formula():
    x = grid().values[0].numpy().reshape(-1, DIMS).astype(float)
    far = np.linalg.norm(x - x.mean(axis=0), axis=1)
    weights = (1 + far / far.max()) ** 8
    expected = (weights[:, None] * x).sum(axis=0) / weights.sum()
    np.testing.assert_allclose(RelativeDeviation(gamma=8)(grid())[0, 0], expected, rtol=1e-5)


def test_limits_are_the_mean_and_the_maximum():
    mean = Mean()(grid())
    torch.testing.assert_close(RelativeDeviation(gamma=0)(grid()), mean)
    torch.testing.assert_close(GeM(power=1)(grid()), mean)
    positive = Grid(grid().values.abs())
    largest = pooling("max")(positive)
    torch.testing.assert_close(GeM(power=200)(positive), largest, rtol=0.02, atol=0)


def test_gem_of_positive_values_is_the_published_one():
    x = grid().values.abs()
    torch.testing.assert_close(GeM(power=3)(Grid(x))[:, 0], x.pow(3).mean(dim=(1, 2)).pow(1 / 3))


def test_gem_keeps_sign_and_survives_any_scale():
    x = grid().values
    pool = GeM(power=20)
    torch.testing.assert_close(pool(Grid(-x)), -pool(Grid(x)))
    torch.testing.assert_close(pool(Grid(1e10 * x)), 1e10 * pool(Grid(x)), rtol=1e-4, atol=0)


def test_attentive_statistics_with_even_attention_are_mean_and_deviation():
    pool = pooling("attentive_statistics")
    torch.nn.init.zeros_(pool.score[2].weight)
    x = grid().values.flatten(1, 2)
    expected = torch.cat([x.mean(dim=1), x.std(dim=1, correction=0)], dim=1)
    torch.testing.assert_close(pool(grid())[:, 0], expected)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_finite(kind):
    values = grid().values.requires_grad_()
    pooling(kind)(Grid(values)).sum().backward()
    assert values.grad.isfinite().all()


def test_silence_is_pooled_to_numbers():
    for kind in KINDS:
        assert pooling(kind)(Grid(torch.zeros(1, 3, 2, DIMS))).isfinite().all()


def test_an_encoder_without_a_class_token_says_so():
    pool = create_pooling(PoolingParams(kind="cls"), DIMS)
    with pytest.raises(ValueError, match="no class token"):
        pool(grid())
    assert pool(grid()._replace(cls=torch.ones(CLIPS, DIMS))).shape == (CLIPS, 1, DIMS)
