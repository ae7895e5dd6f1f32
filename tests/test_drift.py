"""Drift of recordings: found where there is one, as seldom as stated where there is none."""

import numpy as np
import pytest

from asd.scoring.drift import drift


def walk(steps, clips=40, dims=6, seed=0):
    rng = np.random.default_rng(seed)
    return np.cumsum(steps * rng.normal(size=(clips, dims)), axis=0) + rng.normal(size=(clips, dims))


def test_a_walk_is_found_in_whatever_order_clips_are_stored():
    x, domain, position = walk(0.5), np.full(40, "source"), np.arange(40)
    found = drift(x, domain, position)
    assert found.p <= 0.01
    assert found.ratio < 0.9
    order = np.random.default_rng(1).permutation(40)
    assert drift(x[order], domain, position[order]) == pytest.approx(found)


def test_a_step_between_domains_is_no_drift():
    x = walk(0.0)
    x[30:] += 100
    domain = np.repeat(["source", "target"], [30, 10])
    position = np.concatenate([np.arange(30), np.arange(10)])
    assert drift(x, domain, position).p > 0.05


@pytest.mark.slow
def test_without_drift_it_is_found_as_often_as_stated():
    p = [drift(walk(0.0, clips=12, seed=seed), np.full(12, "a"), np.arange(12)).p for seed in range(300)]
    assert np.mean(np.array(p) <= 0.05) == pytest.approx(0.05, abs=0.04)
    ratios = [drift(walk(0.0, clips=12, seed=seed), np.full(12, "a"), np.arange(12)).ratio for seed in range(50)]
    assert np.mean(ratios) == pytest.approx(1, abs=0.02)


def test_clips_of_one_recording_count_once():
    x = np.repeat(walk(0.0, clips=10), 3, axis=0)
    assert drift(x, np.full(30, "a"), np.repeat(np.arange(10), 3)).p > 0.01


def test_few_or_equal_clips_say_nothing():
    assert drift(walk(0.0, clips=4), np.full(4, "a"), np.arange(4)) is None
    assert drift(np.ones((8, 2)), np.full(8, "a"), np.arange(8)) is None
