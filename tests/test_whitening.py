"""Whitening against the definition, with fewer and more clips than dimensions."""

import numpy as np
import pytest
from pydantic import ValidationError

from asd.scoring.registry import ScoreParams, create_scorer
from asd.scoring.scorers.density import LocalDensity
from asd.scoring.wrappers import SHRINKAGE, Whitened

BLOCK = {"scorer": "local_density", "metric": "euclidean", "whiten": True}


def whitened():
    return Whitened(LocalDensity(metric="euclidean"))


def clips(count, dims, seed=0):
    rng = np.random.default_rng(seed)
    domain = np.repeat(["source", "target"], [count - 3, 3])
    mixing = rng.normal(size=(dims, dims))
    x = rng.normal(size=(count, dims)) @ mixing + 100 * (domain == "target")[:, None]
    return x, domain, rng.normal(size=(7, dims)) @ mixing


def by_definition(x, domain):
    """Covariance about the means of domains, shrunk, its inverse root by eigenvectors."""
    centred = np.concatenate([x[domain == d] - x[domain == d].mean(axis=0) for d in ("source", "target")])
    covariance = centred.T @ centred / len(x)
    dims = len(covariance)
    shrunk = (1 - SHRINKAGE) * covariance + SHRINKAGE * np.trace(covariance) / dims * np.eye(dims)
    values, vectors = np.linalg.eigh(shrunk)
    return vectors @ np.diag(values**-0.5) @ vectors.T


@pytest.mark.parametrize(("count", "dims"), [(40, 5), (12, 30)])
def test_scores_are_those_of_embeddings_whitened_by_the_definition(count, dims):
    x, domain, others = clips(count, dims)
    root = by_definition(x, domain)
    expected = LocalDensity(metric="euclidean").fit(x @ root, domain).anomaly_score(others @ root)
    np.testing.assert_allclose(whitened().fit(x, domain).anomaly_score(others), expected, rtol=1e-5)


def test_any_invertible_mixing_of_many_clips_is_undone_but_for_the_shrinkage(monkeypatch):
    monkeypatch.setattr("asd.scoring.wrappers.SHRINKAGE", 1e-9)
    x, domain, others = clips(60, 4)
    mixing = np.random.default_rng(3).normal(size=(4, 4))
    expected = whitened().fit(x, domain).anomaly_score(others)
    np.testing.assert_allclose(
        whitened().fit(x @ mixing, domain).anomaly_score(others @ mixing),
        expected,
        rtol=1e-4,
    )


def test_one_clip_and_clips_all_alike_stay_as_they_are():
    _, _, others = clips(5, 3)
    for count in (1, 4):
        same, domain = np.ones((count, 3)), np.full(count, "source")
        expected = LocalDensity(metric="euclidean").fit(same, domain).anomaly_score(others)
        np.testing.assert_allclose(whitened().fit(same, domain).anomaly_score(others), expected)


def test_it_is_an_option_of_every_scorer_of_embeddings():
    assert isinstance(create_scorer(ScoreParams.model_validate(BLOCK).root), Whitened)
    with pytest.raises(ValidationError):
        ScoreParams.model_validate({"scorer": "value", "whiten": True})
