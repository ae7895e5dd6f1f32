"""Statistics of a clip against their definitions, and the robust distance against a few lines that follow its words."""

import numpy as np
import pytest
import scipy.stats
from sklearn import covariance

from asd.features.front_ends.statistics import StatisticsParams, statistics
from asd.scoring.covariance import ledoit_wolf_shrinkage, principal_axes
from asd.scoring.scorers.mahalanobis import RobustMahalanobis, ShrunkMahalanobis

RATE, SAMPLES = 16000, 5 * 16000
PARAMS = StatisticsParams(kind="statistics", sample_rate=RATE)
SHAPE, BANDS, ENVELOPE, SOUND = np.split(np.arange(30), [4, 20, 25])


def noise(seed=0):
    return np.random.default_rng(seed).standard_normal(SAMPLES)


def described(waveform):
    return statistics(waveform.astype(np.float32))[0].astype(float)


def test_the_shape_of_the_distribution():
    x = (noise() ** 3).astype(np.float32).astype(float)
    x -= x.mean()
    level, crest, skewness, kurtosis = described(x)[SHAPE]
    assert level == pytest.approx(20 * np.log10(x.std()), abs=1e-3)
    assert crest == pytest.approx(20 * np.log10(np.abs(x).max() / x.std()), abs=1e-3)
    assert skewness == pytest.approx(scipy.stats.skew(x), abs=1e-4)
    assert kurtosis == pytest.approx(np.log(scipy.stats.kurtosis(x, fisher=False)), abs=1e-4)


def test_a_tone_fills_its_band():
    bands = described(np.sin(2 * np.pi * 1000 * np.arange(SAMPLES) / RATE))[BANDS]
    edges = np.geomspace(50, 8000, 17)
    assert int(bands.argmax()) == np.searchsorted(edges, 1000) - 1
    assert bands.max() == pytest.approx(0, abs=0.01)
    assert np.sort(bands)[-2] < -20


def test_impacts_are_a_comb_of_the_envelope_and_tones_one_of_the_sound():
    time = np.arange(SAMPLES) / RATE
    impacts = noise() * (0.2 + (time * 23 % 1 < 0.1))
    tones = 0.02 * noise(1) + sum(np.sin(2 * np.pi * 120 * k * time) / k for k in range(1, 6))
    plain = described(noise(2))
    assert described(impacts)[ENVELOPE[0]] > plain[ENVELOPE[0]] + 2
    assert described(impacts)[SOUND[0]] < plain[SOUND[0]] + 0.5
    assert described(tones)[SOUND[0]] > plain[SOUND[0]] + 2


def test_modulated_tones_have_side_bands():
    time = np.arange(SAMPLES) / RATE
    tones = sum(np.sin(2 * np.pi * 120 * k * time) for k in range(1, 6))
    without = 0.02 * noise() + tones
    with_bands = 0.02 * noise() + tones * (1 + 0.5 * np.sin(2 * np.pi * 17 * time))
    assert described(with_bands)[SOUND[1]] > described(without)[SOUND[1]] + 2


@pytest.mark.parametrize("samples", [1, 400, SAMPLES])
def test_silence_is_finite(samples):
    found = statistics(np.zeros(samples, np.float32))
    assert found.shape == (1, PARAMS.n_features)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("copies", [1, 30], ids=["more clips", "more dimensions"])
def test_robust_mahalanobis_follows_its_words(copies):
    rng = np.random.default_rng(0)
    scale = np.tile([1, 10, 0.1, 1], copies)
    x = rng.normal(size=(60, 4 * copies)) * scale + np.tile([0, 5, 0, 0], copies)
    domain = np.repeat(["source", "target"], [50, 10])
    x[domain == "target", 0] += 3
    x[0] = 1000  # an odd normal clip
    test = rng.normal(size=(5, 4 * copies)) * scale
    centres = {d: np.median(x[domain == d], axis=0) for d in ("source", "target")}
    residuals = np.array([row - centres[d] for row, d in zip(x, domain, strict=True)])
    scale = 1.4826 * np.median(np.abs(residuals), axis=0)
    inverse = np.linalg.inv(covariance.ledoit_wolf(np.clip(residuals / scale, -3, 3), assume_centered=True)[0])
    away = {d: (test - centre) / scale for d, centre in centres.items()}
    expected = np.sqrt(np.min([[row @ inverse @ row for row in own] for own in away.values()], axis=0))
    scorer = RobustMahalanobis().fit(x, domain)
    np.testing.assert_allclose(scorer.anomaly_score(test), expected, rtol=1e-4)
    without = RobustMahalanobis().fit(x[1:], domain[1:])
    np.testing.assert_allclose(
        scorer.anomaly_score(test), without.anomaly_score(test), rtol=0.3
    )  # it hardly moves the others


@pytest.mark.parametrize("copies", [1, 30], ids=["more clips", "more dimensions"])
@pytest.mark.parametrize("constant", [0, 7])
def test_shrunk_mahalanobis_follows_its_words(copies, constant):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4 * copies)) * np.tile([1, 10, 0.1, 1], copies)
    domain = np.repeat(["source", "target"], [50, 10])
    x[domain == "target", 0] += 3
    test = rng.normal(size=(5, 4 * copies))
    means = {d: x[domain == d].mean(axis=0) for d in ("source", "target")}
    residuals = np.array([row - means[d] for row, d in zip(x, domain, strict=True)])
    scale = residuals.std(axis=0)
    inverse = np.linalg.inv(covariance.ledoit_wolf(residuals / scale, assume_centered=True)[0])
    away = {d: (test - mean) / scale for d, mean in means.items()}
    expected = np.min([[row @ inverse @ row for row in own] for own in away.values()], axis=0)
    unused = [np.full((len(each), constant), 5.0) for each in (x, test)]  # dimensions that never vary
    scorer = ShrunkMahalanobis().fit(np.hstack([x, unused[0]]), domain)
    np.testing.assert_allclose(scorer.anomaly_score(np.hstack([test, unused[1]])), expected, rtol=1e-4)
    if constant:  # a deviation where none was known counts, if little
        assert (scorer.anomaly_score(np.hstack([test, unused[1] + 1])) > expected).all()


@pytest.mark.filterwarnings("ignore:Only one sample")
@pytest.mark.parametrize("shape", [(60, 4), (60, 300), (2, 5), (1, 3)])
def test_ledoit_wolf_is_that_of_scikit_learn(shape):
    x = np.random.default_rng(0).normal(size=shape) * np.linspace(0.1, 3, shape[1])
    variances, _ = principal_axes(x)
    expected = covariance.ledoit_wolf_shrinkage(x, assume_centered=True)
    assert ledoit_wolf_shrinkage(x, variances) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_about_equal_clips_distance_is_euclidean(count):
    scorer = RobustMahalanobis().fit(np.ones((count, 3)), np.full(count, "source"))
    np.testing.assert_allclose(scorer.anomaly_score(np.array([[1, 1, 1], [1, 1, 3]])), [0, 2], rtol=1e-5)
