"""Scorers around several, or around one with quantiles of its domains' scores: against loops, and what they are for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from test_scorers import CLOSE, clips, distance, others

from asd.core.errors import UserError
from asd.core.section import checked
from asd.scoring.quantiles import QuantileMap
from asd.scoring.registry import ScoreParams, create_scorer
from asd.scoring.scorer import blocks
from asd.scoring.scorers.density import LocalDensity
from asd.scoring.scorers.fused import Fused
from asd.scoring.scorers.knn import KNN
from asd.scoring.scorers.mahalanobis import Mahalanobis
from asd.scoring.wrappers import DomainCalibrated, PerBand


@pytest.mark.parametrize("combine", ["min", "mean"])
def test_fused(combine):
    """Loops over the back ends: z by scores of left-out clips, then the smallest or the mean."""
    memory, domain, x = clips()
    back_ends = {"knn_euclidean": KNN(metric="euclidean"), "mahalanobis": Mahalanobis(), "density_log": None}
    back_ends["density_log"] = LocalDensity(form="log")
    each, nearest = [], []
    for own in back_ends.values():
        usual = np.empty(len(memory))
        for number in range(5):  # 34 and 6 clips in the order of their rows
            out = np.concatenate([np.arange(34) * 5 // 34, np.arange(6) * 5 // 6]) == number
            usual[out] = clone(own).fit(memory[~out], domain[~out]).anomaly_score(memory[out])
        own.fit(memory, domain)
        each.append((own.anomaly_score(x) - np.mean(usual)) / np.std(usual))
        nearest.append(own.nearest(x))
    fused = Fused(tuple(back_ends), combine).fit(memory, domain)
    np.testing.assert_allclose(fused.anomaly_score(x), getattr(np, combine)(each, axis=0), **CLOSE)
    counts = np.argmin(each, axis=0) if combine == "min" else np.argmax(each, axis=0)
    np.testing.assert_array_equal(fused.nearest(x), [nearest[b][i] for i, b in enumerate(counts)])


@pytest.mark.parametrize("wrong", [["knn_cosine"], ["knn_cosine", "knn_cosine"], ["knn_cosine", "fused_min"], "all"])
def test_back_ends_are_two_or_more_candidates(wrong):
    with pytest.raises(UserError, match=r"back_ends.*a list of two or more out of knn_cosine"):
        create_scorer("fused", back_ends=wrong)


@pytest.mark.parametrize("assignment", ["soft", "hard"])
@pytest.mark.parametrize("pooling", [0.0, 7.0])
def test_calibrated_by_domain(assignment, pooling):
    """The same by loops: ten blocks left out, shares of each domain and of all, weights by the nearest clips."""
    memory, domain, x = clips(count=60, targets=8)
    memory[:52] += 3 * np.eye(5, dtype=np.float32)[0]  # the domains' directions differ
    x[4:] += 3 * np.eye(5, dtype=np.float32)[0]
    target = domain == "target"
    usual = np.empty(60)
    made = blocks(domain, np.arange(60), 10)
    for number in range(10):
        out = made == number
        usual[out] = KNN().fit(memory[~out], domain[~out]).anomaly_score(memory[out])
    scores = KNN().fit(memory, domain).anomaly_score(x)
    t = np.median([others(i, memory, 1, "cosine")[0][0] for i in range(60)])
    expected = []
    for a, score in zip(x, scores, strict=True):
        far = [min(distance(a, b, "cosine") for b in memory[own]) for own in (~target, target)]
        weights = np.exp(-np.array(far) / t) if assignment == "soft" else np.array(far) == min(far)
        shares = [share(score, usual[own]) for own in (~target, target)]
        pooled = [(n * q + pooling * share(score, usual)) / (n + pooling) for n, q in zip((52, 8), shares, strict=True)]
        expected.append(np.sum(weights / np.sum(weights) * pooled))
    fitted = DomainCalibrated(KNN(), assignment, pooling).fit(memory, domain)
    np.testing.assert_allclose(fitted.anomaly_score(x), expected, **CLOSE)
    np.testing.assert_array_equal(fitted.nearest(x), KNN().fit(memory, domain).nearest(x))


def share(score, usual):
    """Plotting positions i / (n + 1), of equal scores their middle, linear in between, u / (1 + u) beyond."""
    known, n = sorted(usual), len(usual)
    if score > known[-1]:
        u = (score - known[-1]) / (known[-1] - np.median(known))
        return n / (n + 1) + u / (1 + u) / (n + 1)
    if score < known[0]:
        return 1 / (n + 1) / (1 + (known[0] - score) / (np.median(known) - known[0]))
    positions = {one: np.mean([i + 1 for i in range(n) if known[i] == one]) / (n + 1) for one in known}
    return np.interp(score, list(positions), list(positions.values()))


def test_calibration_lets_as_many_of_either_domain_pass():
    """Few target clips lie far apart: at one threshold most of them pass, calibrated no more than of the source."""
    rng = np.random.default_rng(0)
    spread = {"source": 0.02, "target": 0.3}
    centre = {"source": np.eye(8)[0], "target": np.eye(8)[1]}

    def drawn(domain, count):
        return centre[domain] + spread[domain] * rng.normal(size=(count, 8))

    memory = np.concatenate([drawn("source", 200), drawn("target", 20)])
    domain = np.repeat(["source", "target"], [200, 20])
    passed = {}
    for name, own in {
        "plain": KNN(),
        "calibrated": DomainCalibrated(KNN()),
        "pooled": DomainCalibrated(KNN(), "soft", 1e6),
    }.items():
        own.fit(memory, domain)
        limit = np.quantile(own.anomaly_score(drawn("source", 400)), 0.8)
        passed[name] = np.mean(own.anomaly_score(drawn("target", 400)) > limit)
    assert passed["plain"] > 0.95
    assert passed["calibrated"] < 0.4
    assert passed["pooled"] > 0.95


@given(st.lists(st.sampled_from([-1.5, 0.0, 0.1, 3.0, 1e5]), min_size=1, max_size=12), st.integers(0, 99))
def test_quantile_maps_keep_the_order(reference, seed):
    asked = np.sort(np.random.default_rng(seed).normal(size=50)) * 10.0 ** (seed % 5)
    shares = QuantileMap.of(np.array(reference))(asked)
    assert (np.diff(shares) >= 0).all()
    assert (np.diff(shares)[np.diff(asked) > 1e-6] > 0).all()
    assert 0 < shares[0] < shares[-1] < 1


def test_one_domain_keeps_the_order_of_scores():
    memory, _, x = clips(count=60)
    plain, made = KNN().fit(memory), DomainCalibrated(KNN(), pooling=5).fit(memory)
    np.testing.assert_array_equal(np.argsort(plain.anomaly_score(x)), np.argsort(made.anomaly_score(x)))
    np.testing.assert_array_equal(made.fit(memory[:1]).anomaly_score(x), plain.fit(memory[:1]).anomaly_score(x))


def test_calibration_is_that_of_the_mean_over_bands():
    memory, domain, _ = clips(bands=(3,))
    made = create_scorer("var_min", per_band=True, domain_quantiles="hard", pooling=2.0)
    assert (type(made), type(made.scorer), made.pooling) == (DomainCalibrated, PerBand, 2.0)
    bands = made.fit(memory, domain).scorer_
    assert bands.n_bands_ == 3


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"scorer": "value", "domain_quantiles": "soft"}, "domain_quantiles is for embeddings, value scores values"),
        ({"scorer": "knn", "pooling": 3.0}, "pooling is that of domain_quantiles"),
        ({"scorer": "knn", "domain_quantiles": "soft", "pooling": -1.0}, "pooling is -1.0"),
        ({"scorer": "knn", "domain_quantiles": "soft", "pooling": float("inf")}, "pooling is inf"),
    ],
)
def test_calibrations_that_say_nothing_are_refused(how, says):
    with pytest.raises(UserError, match=says):
        checked(ScoreParams, how)
