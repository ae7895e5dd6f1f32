"""Every scorer against a few lines that follow its formula, and one contract for all of them."""

import warnings
from itertools import permutations

import numpy as np
import pytest
from extending import CODE
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import LocalOutlierFactor as SklearnLOF
from sklearn.utils.estimator_checks import parametrize_with_checks

from asd.core.errors import UserError
from asd.core.section import checked
from asd.scoring import distances as measuring
from asd.scoring import neighbours, scorers
from asd.scoring.candidates import CANDIDATES, FURTHER
from asd.scoring.distances import distances, measured_once
from asd.scoring.neighbours import nearest_others
from asd.scoring.registry import SCORERS, ScoreParams, create_scorer
from asd.scoring.scorer import Scorer, blocks, different
from asd.scoring.scorers.density import DomainDensity, LocalDensity, VarMin
from asd.scoring.scorers.gmm import GMM
from asd.scoring.scorers.kmeans import KMeans
from asd.scoring.scorers.knn import KNN
from asd.scoring.scorers.mahalanobis import Mahalanobis
from asd.scoring.scorers.outlier_factor import LocalOutlierFactor
from asd.scoring.scorers.smote import SmoteKNN, synthetic
from asd.scoring.wrappers import PerBand, Whitened

METRICS = ("cosine", "euclidean")
CLOSE = {"rtol": 1e-6, "atol": 1e-12}
VARIANTS = CANDIDATES["embeddings"]
ALL = VARIANTS | FURTHER | {name: {"scorer": name} for name in SCORERS}  # a new one is among them by itself


def scorer(name, seed=0):
    return create_scorer(checked(ScoreParams, ALL[name]).root, seed)


def clips(count=40, targets=6, dims=5, seed=0, bands=()):
    rng = np.random.default_rng(seed)
    domain = np.repeat(["source", "target"], [count - targets, targets])
    x = rng.normal(size=(count, *bands, dims)) + 2 * (domain == "target").reshape(-1, *(1 for _ in bands), 1)
    return x.astype(np.float32), domain, rng.normal(size=(9, *bands, dims)).astype(np.float32)


def distance(a, b, metric):
    a, b = a.astype(float), b.astype(float)
    return 1 - a @ b / (np.linalg.norm(a) * np.linalg.norm(b)) if metric == "cosine" else np.linalg.norm(a - b)


def others(i, memory, k, metric):
    """Distances of a clip of the memory to its k nearest others, and which they are."""
    found = sorted((distance(memory[i], memory[j], metric), j) for j in range(len(memory)) if j != i)[:k]
    return [d for d, _ in found], [j for _, j in found]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("per_domain", [True, False])
@pytest.mark.parametrize("k", [1, 3, 30])
def test_knn(metric, per_domain, k):
    memory, domain, x = clips()
    sets = [memory[domain == d] for d in ("source", "target")] if per_domain else [memory]
    expected = [min(np.mean(sorted(distance(a, b, metric) for b in s)[:k]) for s in sets) for a in x]
    np.testing.assert_allclose(KNN(k, metric, per_domain).fit(memory, domain).anomaly_score(x), expected, **CLOSE)


@pytest.mark.parametrize("metric", METRICS)
def test_smote_is_knn_with_points_between_target_clips(metric):
    memory, domain, x = clips(count=60, targets=4)
    target = memory[domain == "target"]
    made, first = synthetic(target, 12, 2, random_state=7)  # 0.3 of 56 source clips are 16, 4 are there
    for new in made.astype(float):
        pairs = list(permutations(target.astype(float), 2))
        shares = [(new - a) @ (b - a) / ((b - a) @ (b - a)) for a, b in pairs]
        off = [np.linalg.norm(a + s * (b - a) - new) for s, (a, b) in zip(shares, pairs, strict=True) if 0 <= s <= 1]
        assert min(off) < 1e-5
    assert (np.bincount(first) == 3).all()
    enlarged, its_domain = np.concatenate([memory, made]), np.append(domain, ["target"] * 12)
    expected = KNN(2, metric).fit(enlarged, its_domain).anomaly_score(x)
    found = SmoteKNN(0.3, 2, 2, metric, random_state=7).fit(memory, domain).anomaly_score(x)
    np.testing.assert_allclose(found, expected, **CLOSE)


@pytest.mark.parametrize("metric", METRICS)
def test_kmeans(metric):
    from sklearn.cluster import KMeans as SklearnKMeans

    memory, domain, x = clips(count=60)
    unit = (lambda a: a / np.linalg.norm(a, axis=1, keepdims=True)) if metric == "cosine" else (lambda a: a)
    m = unit(memory.astype(float))
    fitted = SklearnKMeans(4, n_init=3, random_state=5).fit(m[domain == "source"])
    points = [*fitted.cluster_centers_, *m[domain == "target"]]
    far = (lambda a, b: 1 - a @ b) if metric == "cosine" else (lambda a, b: np.linalg.norm(a - b))
    expected = [min(far(a, p) for p in points) for a in unit(x.astype(float))]
    np.testing.assert_allclose(KMeans(4, metric, 5).fit(memory, domain).anomaly_score(x), expected, **CLOSE)


@pytest.mark.parametrize("dims", [4, 60])  # fewer and more than clips
def test_mahalanobis(dims):
    memory, domain, x = clips(dims=dims)
    squares = []
    for name in ("source", "target"):
        own = memory[domain == name].astype(float)
        covariance = np.cov(own.T, bias=True)
        shrunk = 0.8 * covariance + 0.2 * np.trace(covariance) / dims * np.eye(dims)
        squares.append([(a - own.mean(0)) @ np.linalg.inv(shrunk) @ (a - own.mean(0)) for a in x.astype(float)])
    found = Mahalanobis(0.2).fit(memory, domain).anomaly_score(x)
    np.testing.assert_allclose(found, np.sqrt(np.min(squares, axis=0)), **CLOSE)


@pytest.mark.parametrize("metric", METRICS)
def test_local_outlier_factor(metric):
    memory, domain, x = clips()
    reach = [others(i, memory, 5, metric)[0][-1] for i in range(len(memory))]

    def density(found):
        return 1 / np.mean([max(d, reach[j]) for d, j in found])

    lrd = [density(zip(*others(i, memory, 5, metric), strict=True)) for i in range(len(memory))]
    expected = []
    for a in x:
        found = sorted((distance(a, b, metric), j) for j, b in enumerate(memory))[:5]
        expected.append(np.mean([lrd[j] for _, j in found]) / density(found))
    fitted = LocalOutlierFactor(5, metric).fit(memory, domain)
    np.testing.assert_allclose(fitted.anomaly_score(x), expected, **CLOSE)
    theirs = SklearnLOF(n_neighbors=5, metric=metric, novelty=True, algorithm="brute").fit(memory.astype(float))
    np.testing.assert_allclose(fitted.anomaly_score(x), -theirs.score_samples(x.astype(float)), rtol=1e-6)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("form", ["ratio", "difference", "log"])
def test_local_density(metric, form):
    memory, domain, x = clips()
    b = [np.mean(others(i, memory, 4, metric)[0]) for i in range(len(memory))]
    formula = {"ratio": lambda d, s: d / s, "difference": lambda d, s: d - s, "log": lambda d, s: np.log(d) - np.log(s)}
    expected = [min(formula[form](distance(a, y, metric), s) for y, s in zip(memory, b, strict=True)) for a in x]
    np.testing.assert_allclose(LocalDensity(4, form, metric).fit(memory, domain).anomaly_score(x), expected, **CLOSE)


@pytest.mark.parametrize("metric", METRICS)
def test_domain_density(metric):
    memory, domain, x = clips(count=50, targets=12)
    expected = np.full(len(x), np.inf)
    for name, k in (("source", 16), ("target", 9)):
        own = memory[domain == name]
        spread = [sum(others(i, own, k, metric)[0]) for i in range(len(own))]
        ratios = [min(distance(a, y, metric) / s for y, s in zip(own, spread, strict=True)) for a in x]
        expected = np.minimum(expected, ratios)
    np.testing.assert_allclose(DomainDensity(metric=metric).fit(memory, domain).anomaly_score(x), expected, **CLOSE)


@pytest.mark.parametrize("metric", METRICS)
def test_var_min(metric):
    memory, domain, x = clips()
    b = np.array([np.mean(others(i, memory, 4, metric)[0]) for i in range(len(memory))])
    d = np.array([others(i, memory, 1, metric)[0][0] for i in range(len(memory))])
    matched = np.array([b[others(i, memory, 1, metric)[1][0]] for i in range(len(memory))])
    alpha = np.cov(d, matched)[0, 1] / np.var(matched, ddof=1)
    expected = [min(distance(a, y, metric) - alpha * s for y, s in zip(memory, b, strict=True)) for a in x]
    fitted = VarMin(4, metric).fit(memory, domain)
    np.testing.assert_allclose(fitted.anomaly_score(x), expected, **CLOSE)
    shares = alpha + np.linspace(-1, 1, 21)
    assert np.argmin([np.var(d - share * matched) for share in shares]) == 10, "alpha leaves the least variance"


def test_beam_with_var_min():
    """The stack of arXiv 2608.00447: half the cosine distance, one memory a band, alpha a band, mean over bands."""
    memory, domain, x = clips(bands=(3,))
    expected = np.zeros(len(x))
    for f in range(3):
        far = 0.5 * distances(x[:, f], memory[:, f], "cosine")
        own = 0.5 * distances(memory[:, f], memory[:, f], "cosine")
        np.fill_diagonal(own, np.inf)
        b = np.sort(own, axis=1)[:, :4].mean(axis=1)
        alpha = np.cov(own.min(axis=1), b[own.argmin(axis=1)])[0, 1] / np.var(b[own.argmin(axis=1)], ddof=1)
        expected += (far - alpha * b).min(axis=1) / 3
    np.testing.assert_allclose(scorer("var_min_bands").fit(memory, domain).anomaly_score(x), 2 * expected, **CLOSE)
    beam = np.mean([distances(x[:, f], memory[:, f], "cosine").min(axis=1) for f in range(3)], axis=0)
    np.testing.assert_allclose(PerBand(KNN(per_domain=False)).fit(memory, domain).anomaly_score(x), beam, **CLOSE)


def test_gmm():
    memory, domain, x = clips(count=80)
    z = (memory.astype(float) - memory.astype(float).mean(0)) / memory.astype(float).std(0)
    mixture = GaussianMixture(3, covariance_type="diag", reg_covar=0.01, random_state=4).fit(z)
    expected = []
    for a in (x.astype(float) - memory.astype(float).mean(0)) / memory.astype(float).std(0):
        parts = [
            w * np.prod(np.exp(-((a - m) ** 2) / (2 * v)) / np.sqrt(2 * np.pi * v))
            for w, m, v in zip(mixture.weights_, mixture.means_, mixture.covariances_, strict=True)
        ]
        expected.append(-np.log(sum(parts)) / len(a))
    np.testing.assert_allclose(GMM(3, 4).fit(memory, domain).anomaly_score(x), expected, **CLOSE)


def test_a_scorer_is_one_file(tmp_path, monkeypatch):
    (tmp_path / "distance_to_mean.py").write_text(CODE["asd/scoring/scorers/distance_to_mean.py"])
    monkeypatch.setattr(scorers, "__path__", [*scorers.__path__, str(tmp_path)])
    monkeypatch.setattr(SCORERS, "_known", dict(SCORERS))
    monkeypatch.setattr(SCORERS, "_complete", False)
    memory, domain, x = clips()
    params = checked(ScoreParams, {"scorer": "distance_to_mean", "power": 2}).root
    expected = ((x - memory.mean(axis=0)) ** 2).sum(axis=1)
    np.testing.assert_allclose(create_scorer(params).fit(memory, domain).anomaly_score(x), expected, rtol=1e-5)
    with pytest.raises(UserError, match="power is 0"):
        checked(ScoreParams, {"scorer": "distance_to_mean", "power": 0})


@pytest.mark.parametrize("name", SCORERS)
def test_defaults_of_params_are_those_of_the_scorer(name):
    made = create_scorer(checked(ScoreParams, {"scorer": name}).root)
    assert made.get_params() == type(made)().get_params()


EXPECTED = {"check_fit_score_takes_y": "in the place of y there is domain, whose names are not predicted"}
ESTIMATORS = [block.estimator() for block in SCORERS.values()]
NESTED = [PerBand(KNN()), Whitened(LocalDensity(metric="euclidean"))]


@parametrize_with_checks([*ESTIMATORS, *NESTED], expected_failed_checks=lambda estimator: EXPECTED)
def test_scikit_learn_s_own_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("name", ALL)
def test_before_it_is_fitted_a_scorer_says_so(name):
    memory, *_ = clips(bands=(3,))
    for method in ("anomaly_score", "score_samples", "nearest"):
        with pytest.raises(NotFittedError):
            getattr(scorer(name), method)(memory)


@pytest.mark.parametrize("name", ALL)
def test_score_samples_is_the_negative_and_features_are_counted(name):
    memory, domain, x = clips(bands=(3,))
    fitted = scorer(name).fit(memory, domain)
    np.testing.assert_array_equal(fitted.score_samples(x), -fitted.anomaly_score(x))
    assert fitted.n_features_in_ == 15


@pytest.mark.parametrize("name", [name for name in ALL if "bands" not in name])
def test_the_nearest_clip_made_the_score(name):
    memory, domain, x = clips()
    fitted = scorer(name).fit(memory, domain)
    rows = fitted.nearest(x)
    if type(fitted)._nearest is Scorer._nearest:
        assert set(rows) == {-1}
        return
    assert fitted.nearest(x[:0]).shape == (0,)
    assert set(rows) <= set(range(len(memory)))
    if name in ("knn_cosine", "knn_euclidean", "smote", "local_outlier_factor", "density_log", "domain_density"):
        np.testing.assert_array_equal(fitted.nearest(memory), np.arange(len(memory)), err_msg="itself")
    if name in ("knn_cosine", "knn_euclidean"):
        far = distances(x, memory, scorer(name).metric)
        np.testing.assert_allclose(far[np.arange(len(x)), rows], fitted.anomaly_score(x), **CLOSE)


def test_the_nearest_clip_is_by_the_distance_of_the_score():
    memory, domain, x = clips()
    far, spread = distances(x, memory, "cosine"), LocalDensity().fit(memory, domain).spread_
    np.testing.assert_array_equal(LocalDensity().fit(memory, domain).nearest(x), (far / spread).argmin(axis=1))
    fitted = Mahalanobis(0.2).fit(memory, domain)
    squares = []
    for row in range(len(memory)):  # the distance between two clips, under the covariance of the second's domain
        covariance = fitted.covariances_[int(domain[row] == "target")]
        squares.append(covariance.squared_length(x.astype(float) - memory[row].astype(float)))
    chosen = fitted._squares(x).argmin(axis=0)
    apart = np.where((domain == "target")[:, None] == (chosen == 1), np.stack(squares), np.inf)
    np.testing.assert_array_equal(fitted.nearest(x), apart.argmin(axis=0))


def test_of_bands_the_clip_of_the_highest_score_is_the_nearest():
    memory, domain, x = clips(bands=(3,))
    far = np.stack([distances(x[:, f], memory[:, f], "cosine") for f in range(3)])
    band = far.min(axis=2).argmax(axis=0)
    expected = far.argmin(axis=2)[band, np.arange(len(x))]
    np.testing.assert_array_equal(PerBand(KNN()).fit(memory, domain).nearest(x), expected)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("bands", [(), (3,)])
@pytest.mark.parametrize(
    "seeds", [range(15), pytest.param(range(15, 101), marks=pytest.mark.minutes)], ids=["15", "100"]
)
def test_one_by_one_is_all_at_once(name, bands, seeds):
    for seed in seeds:
        memory, domain, x = clips(seed=seed, bands=bands)
        fitted = scorer(name, seed).fit(memory + 20, domain)
        x = np.concatenate([x, memory[:2]]) + 20  # also clips that were fitted on
        one_by_one = [fitted.anomaly_score(a[None])[0] for a in x]
        np.testing.assert_allclose(fitted.anomaly_score(x), one_by_one, **CLOSE, err_msg=f"seed {seed}")


@pytest.mark.parametrize("name", ALL)
def test_the_contract(name):
    memory, domain, x = clips(bands=(3,))
    kept = memory.copy()
    fitted = scorer(name)
    assert fitted.fit(memory, domain) is fitted
    scores = fitted.anomaly_score(x)
    assert scores.shape == (len(x),)
    assert scores.dtype == np.float64
    np.testing.assert_array_equal(fitted.anomaly_score(x), scores)
    np.testing.assert_array_equal(clone(fitted).fit(memory, domain).anomaly_score(x), scores)
    assert fitted.anomaly_score(x[:0]).shape == (0,)
    left_out = fitted.cross_val_anomaly_score(memory, domain, blocks(domain, np.arange(len(memory)) // 2))
    assert left_out.shape == (len(memory),)
    assert np.isfinite(left_out).all()
    np.testing.assert_array_equal(memory, kept)


@pytest.mark.parametrize("name", [name for name in ALL if name != "value"])
def test_what_is_far_away_scores_higher(name):
    memory, domain, _ = clips(bands=(3,))
    memory += 10 * np.eye(5, dtype=np.float32)[0]  # cosine: one direction
    far = -30 * np.ones((1, 3, 5), dtype=np.float32)
    fitted = scorer(name).fit(memory, domain)
    assert fitted.anomaly_score(far)[0] > fitted.anomaly_score(memory).max()


@pytest.mark.parametrize("name", [name for name in ALL if name != "value"])
@pytest.mark.parametrize("order", [np.s_[::-1], np.r_[20:40, 0:20]])
def test_the_order_of_the_memory_is_nothing(name, order):
    memory, domain, x = clips()
    if name in ("smote", "kmeans", "gmm", "fused", *FURTHER):
        pytest.skip("draws, starts, or leaves blocks out in the memory's order")
    found = scorer(name).fit(memory[order], domain[order]).anomaly_score(x)
    np.testing.assert_allclose(found, scorer(name).fit(memory, domain).anomaly_score(x), **CLOSE)


DEGENERATE = {
    "one clip": lambda m, d: (m[:1], d[:1]),
    "two clips": lambda m, d: (m[[0, -1]], d[[0, -1]]),
    "all the same": lambda m, d: (np.repeat(m[:1], 12, axis=0), d[-12:]),
    "duplicates": lambda m, d: (np.repeat(m[-8:], 6, axis=0), np.repeat(d[-8:], 6)),
    "source alone": lambda m, d: (m[d == "source"], d[d == "source"]),
    "target alone": lambda m, d: (m[d == "target"], d[d == "target"]),
    "one target clip": lambda m, d: (m[:-5], d[:-5]),
    "another domain": lambda m, d: (m, np.full(len(m), "unknown")),
    "fewer clips than neighbours": lambda m, d: (m[-4:], d[-4:]),
    "zeros": lambda m, d: (np.concatenate([0 * m[:5], m[5:]]), d),
    "nothing but zeros": lambda m, d: (0 * m, d),
    "tiny": lambda m, d: (m * np.float32(1e-15), d),
    "large": lambda m, d: (m * np.float32(1e15), d),
}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("case", DEGENERATE)
def test_degenerate_memories_give_finite_scores(name, case):
    memory, domain, x = clips(bands=(3,))
    memory, domain = DEGENERATE[case](memory, domain)
    x = np.concatenate([x, memory[:2], 0 * x[:1]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = scorer(name).fit(memory, domain)
        scores = fitted.anomaly_score(x)
        assert np.isfinite(scores).all()
        np.testing.assert_allclose(scores, [fitted.anomaly_score(a[None])[0] for a in x], **CLOSE)
        if len(memory) > 1:
            block = blocks(domain, np.arange(len(memory)))
            assert np.isfinite(scorer(name).cross_val_anomaly_score(memory, domain, block)).all()


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_refused(name, bad):
    memory, domain, _ = clips(bands=(3,))
    wrong = memory.copy()
    wrong[3, 1, 2] = bad
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        scorer(name).fit(wrong, domain)
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        scorer(name).fit(memory, domain).anomaly_score(wrong)


@pytest.mark.parametrize("name", ALL)
def test_no_clip_and_no_domain_are_refused(name):
    memory, domain, _ = clips(bands=(3,))
    for m, d in ((memory[:0], domain[:0]), (memory, domain[1:])):
        with pytest.raises(ValueError, match=r"minimum of 1|one domain each"):
            scorer(name).fit(m, d)


@pytest.mark.parametrize("metric", METRICS)
def test_what_scores_say_in_degenerate_memories(metric):
    memory, domain, x = clips()
    one = [distance(a, memory[0], metric) for a in x]
    for alone in (KNN(metric=metric), LocalDensity(metric=metric), DomainDensity(metric=metric), VarMin(metric=metric)):
        np.testing.assert_allclose(alone.fit(memory[:1], domain[:1]).anomaly_score(x), one, rtol=1e-6)
    same = np.repeat(memory[:1], 8, axis=0)
    for equal in (KNN(metric=metric), LocalDensity(metric=metric), VarMin(metric=metric)):
        np.testing.assert_allclose(equal.fit(same, domain[:8]).anomaly_score(x), one, rtol=1e-6)
    assert KNN(metric=metric).fit(memory, domain).anomaly_score(memory).max() == 0, "a clip that was fitted on"


def test_a_clip_of_zeros_has_no_direction():
    memory, domain, x = clips()
    memory[3] = 0
    assert KNN().fit(memory, domain).anomaly_score(0 * x[:1])[0] == 1
    assert set(distances(memory, memory, "cosine")[3]) == {1}


def test_var_min_without_variance_is_the_distance():
    ring = np.array([[np.cos(a), np.sin(a)] for a in np.arange(8) * np.pi / 4])  # all spreads are equal
    fitted = VarMin(2, "euclidean").fit(ring, np.full(8, "source"))
    assert fitted.alpha_ == 0
    np.testing.assert_allclose(fitted.anomaly_score(3 * ring), 2, rtol=1e-9)


@pytest.mark.parametrize("name", [name for name in ALL if name != "value"])
def test_left_out_is_a_memory_without_the_block(name):
    memory, domain, _ = clips(bands=(3,))
    block = blocks(domain, np.arange(len(memory)))
    scores = scorer(name).cross_val_anomaly_score(memory, domain, block)
    for number in range(5):
        out = block == number
        alone = scorer(name).fit(memory[~out], domain[~out]).anomaly_score(memory[out])
        np.testing.assert_array_equal(scores[out], alone)


@given(recordings=st.integers(2, 60), clips_each=st.integers(1, 3), targets=st.integers(0, 20), seed=st.integers(0, 9))
def test_blocks_are_consecutive_even_and_keep_recordings_whole(recordings, clips_each, targets, seed):
    position = np.repeat(np.arange(recordings), clips_each)
    domain = np.where(position < targets, "target", "source")
    order = np.random.default_rng(seed).permutation(len(position))
    block = np.empty(len(position), dtype=int)
    block[order] = blocks(domain[order], position[order])
    assert len(set(block)) >= 2
    for name in set(domain):
        own = domain == name
        parts = [np.unique(position[own & (block == number)]) for number in dict.fromkeys(block[own])]
        assert (np.concatenate(parts) == np.unique(position[own])).all(), "consecutive, no recording in two"
        assert len(parts) == min(5, len(np.unique(position[own])))
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("metric", METRICS)
@given(seed=st.integers(0, 100), offset=st.sampled_from([0.0, 10.0, 1e4]), scale=st.sampled_from([1e-6, 1.0, 1e6]))
def test_distances_are_as_exact_as_differences(metric, seed, offset, scale):
    rng = np.random.default_rng(seed)
    x = scale * (rng.normal(size=(5, 7)) + offset)
    y = np.concatenate([x[:2], x[2:3] * (1 + 1e-7), scale * (rng.normal(size=(4, 7)) + offset)])
    if metric == "euclidean":
        expected = np.linalg.norm(x[:, None] - y[None], axis=2)
    else:
        u, v = (a / np.linalg.norm(a, axis=1, keepdims=True) for a in (x, y))
        expected = ((u[:, None] - v[None]) ** 2).sum(axis=2) / 2
    np.testing.assert_allclose(distances(x, y, metric), expected, rtol=1e-6, atol=1e-15 * (scale * offset + 1))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("offset", [0.0, 100.0])  # far from the origin single precision can't tell clips apart
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nearest_clips_are_those_by_all_distances(metric, offset, dtype):
    rng = np.random.default_rng(0)
    x, y = ((rng.normal(size=(count, 24)) + offset).astype(dtype) for count in (30, 400))
    y[7], y[9], x[3] = y[5], 3 * y[5], y[5]  # duplicates, one direction, one clip among the others
    far = distances(x, y, metric)
    order = np.argsort(far, axis=1, kind="stable")
    for count in (1, 4, 400):
        found, row = neighbours.nearest(x, y, count, metric)
        np.testing.assert_allclose(found, np.take_along_axis(far, order[:, :count], axis=1), rtol=1e-9, atol=1e-15)
        np.testing.assert_allclose(np.take_along_axis(far, row, axis=1), found, rtol=1e-9, atol=1e-15)
    others, row = nearest_others(y, 1, metric)
    assert (row[:, 0] != np.arange(len(y))).all()
    assert row[5, 0] == 7
    assert others[5, 0] == 0


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_clips_too_faint_or_loud_for_single_precision(size):
    x, y = (size * np.random.default_rng(seed).normal(size=(20, 8)) for seed in (0, 1))
    found, _ = neighbours.nearest(x, y, 1, "euclidean")
    np.testing.assert_allclose(found[:, 0], distances(x, y, "euclidean").min(axis=1), rtol=1e-9)


def test_scorers_of_the_same_clips_share_what_they_measure(monkeypatch):
    memory, domain, asked = clips(bands=(2,))
    alone = {name: scorer(name).fit(memory, domain).anomaly_score(asked) for name in VARIANTS}
    measured = []
    real = measuring._distances
    monkeypatch.setattr(measuring, "_distances", lambda x, y, metric: measured.append(metric) or real(x, y, metric))
    find = neighbours._nearest
    monkeypatch.setattr(neighbours, "_nearest", lambda *args, **how: measured.append(args[2:]) or find(*args, **how))
    for name in VARIANTS:
        scorer(name).fit(memory, domain).anomaly_score(asked)
    apart, measured[:] = len(measured), []
    with measured_once():
        for name in VARIANTS:
            np.testing.assert_array_equal(
                scorer(name).fit(memory, domain).anomaly_score(asked), alone[name], err_msg=name
            )
    assert len(measured) < 0.8 * apart
    distances(memory[:, 0], memory[:, 0], "cosine")[0, 0] = 1  # again one's own


def test_what_was_measured_is_kept_for_a_while_and_nobody_may_change_it(monkeypatch):
    monkeypatch.setattr(measuring, "KEPT", 200)
    x = np.random.default_rng(0).normal(size=(40, 10, 3))
    with measured_once():
        kept = distances(x[0], x[0], "euclidean")
        assert distances(x[0], x[0], "euclidean") is kept
        with pytest.raises(ValueError, match="read-only"):
            kept[0, 0] = 1
        assert nearest_others(x[0], 2, "euclidean")[0].shape == (10, 2)
        assert (np.diag(kept) == 0).all()
        for one in x:
            np.testing.assert_allclose(distances(one, one, "euclidean"), np.linalg.norm(one[:, None] - one, axis=2))
        assert sum(own.size for kept in measuring._kept.get().values() for own in kept) <= 200
        assert distances(x[0], x[0], "euclidean") is not kept


@given(st.lists(st.lists(st.sampled_from([0.0, -0.0, 1.0, 2.0]), min_size=2, max_size=2), min_size=1, max_size=9))
def test_different_clips_are_counted(rows):
    assert different(np.array(rows)) == len(np.unique(np.array(rows), axis=0))
