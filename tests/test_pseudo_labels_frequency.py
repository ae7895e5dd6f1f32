"""States are told by frequencies that exclude each other; hum, neighbours and octave errors split nothing."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from asd.pseudo_labels.labellers.frequency import (
    Line,
    exclusive,
    frequency,
    information,
    join_octaves,
    recurrent_lines,
    separability,
)

EACH = 20


def machine(speeds, each=EACH, wander=0.002, hum=0.5, neighbour=(22.0, 27.0), missed=0.0, seed=0):
    """Families of clips at some speeds [Hz] beside mains hum and another machine; gives the truth, too."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(len(speeds)), each)
    own = np.asarray(speeds, dtype=float)[truth] * (1 + wander * rng.normal(size=len(truth)))
    own[rng.uniform(size=len(truth)) < missed] = 0
    other = rng.uniform(*neighbour, len(truth)) if neighbour else np.zeros(len(truth))
    mains = np.where(rng.uniform(size=len(truth)) < hum, rng.choice([50.0, 100.0], len(truth)), 0)
    return np.stack([own, mains, other], axis=1), truth


def strengths(hz):
    return np.where(hz > 0, 8.0, 0.0)


def silent(hz):
    return np.zeros((len(hz), 3))


@pytest.mark.parametrize("speeds", [(6, 10, 14), (8, 8.8), (5.8, 6.7, 8.2, 9.4), (31, 44, 83, 120, 170, 260)])
@pytest.mark.parametrize("seed", range(3))
def test_speeds_are_found_beside_hum_and_neighbours(speeds, seed):
    hz, truth = machine(speeds, seed=seed)
    groups, lines = frequency(hz, strengths(hz), silent(hz))
    known = groups >= 0
    assert known.mean() > 0.95
    assert adjusted_rand_score(truth[known], groups[known]) == 1
    assert sorted(lines.values()) == pytest.approx(sorted(speeds), rel=0.003)


def test_groups_are_numbered_by_size_and_named_by_their_line():
    hz, truth = machine((6, 10), hum=0, neighbour=None)
    hz[truth == 1] = hz[truth == 1][:, [1, 0, 2]]
    keep = np.flatnonzero((truth == 1) | (np.arange(len(truth)) < 12))
    groups, lines = frequency(hz[keep], strengths(hz[keep]), silent(hz[keep]))
    assert set(groups[truth[keep] == 1]) == {0}
    assert lines == pytest.approx({0: 10, 1: 6}, rel=0.003)


@pytest.mark.parametrize("seed", range(5))
def test_what_turns_at_its_own_speed_in_every_clip_tells_no_state(seed):
    hz, _ = machine((1,), each=120, seed=seed)
    hz[:, 0] = 0
    groups, lines = frequency(hz, strengths(hz), silent(hz))
    assert (groups == -1).all()
    assert lines == {}


def test_an_octave_error_does_not_split_a_group():
    rng = np.random.default_rng(1)
    hz, truth = machine((6, 10, 14.7), hum=0)
    wrong = rng.uniform(size=len(hz)) < 0.4
    hz[wrong, 0] *= rng.choice([2, 3], wrong.sum())
    groups, lines = frequency(hz, strengths(hz), silent(hz))
    assert len(lines) == 3
    assert adjusted_rand_score(truth[groups >= 0], groups[groups >= 0]) > 0.95


def test_half_the_speed_is_another_state_where_it_sounds_different():
    hz, truth = machine((7, 14, 10))
    sound = np.eye(3)[truth] + 0.1 * np.random.default_rng(0).normal(size=(len(hz), 3))
    groups, _ = frequency(hz, strengths(hz), sound)
    assert adjusted_rand_score(truth, groups) > 0.95
    assert len(frequency(hz, strengths(hz), silent(hz))[1]) == 2  # told by nothing else: an error by an octave


def test_a_further_line_of_one_state_extends_it():
    hz, truth = machine((6, 10), hum=0, neighbour=None, missed=0.3, seed=2)
    hz[truth == 0, 1] = 83.1
    groups, _ = frequency(hz, strengths(hz), silent(hz))
    assert (groups[truth == 0] >= 0).all()
    assert len(set(groups[truth == 0])) == 1
    assert (groups[(truth == 1) & (hz[:, 0] == 0)] == -1).all()


def test_too_few_clips_with_a_line_are_no_states():
    hz, _ = machine((6, 10), hum=0, neighbour=None, missed=0.75, seed=3)
    assert (frequency(hz, strengths(hz), silent(hz))[0] == -1).all()
    for empty in (np.zeros((0, 3)), np.zeros((1, 3)), np.zeros((40, 3))):
        assert (frequency(empty, empty, silent(empty))[0] == -1).all()


def line(hz, *places, count=12):
    return Line(hz, np.isin(np.arange(count), places).astype(float))


def test_told_is_entropy_less_clashes():
    one, other = line(5, 0, 1, 2, 3, 4, 5), line(7, 6, 7, 8, 9, 10, 11)
    assert information([one]) == 0
    assert information([one, other]) == pytest.approx(12 * np.log(2))
    assert information([one, line(7, 5, 6, 7, 8, 9, 10)]) == pytest.approx(10 * np.log(2) - 2)
    assert information([]) == 0
    hum = line(50, *range(0, 12, 2))
    assert {found.frequency for found in exclusive([one, other, hum])} == {5, 7}


def test_a_line_must_stand_out_of_its_surroundings():
    rng = np.random.default_rng(0)
    broad = rng.uniform(22, 27, (100, 1))
    assert recurrent_lines(broad, np.ones_like(broad)) == []
    broad[:30] = 24.17
    assert [found.frequency for found in recurrent_lines(broad, np.ones_like(broad))] == pytest.approx(
        [24.17], rel=1e-3
    )


def test_series_of_mains_join():
    fifty, hundred, other = line(50, 0, 1, 2, 3), line(100, 4, 5, 6), line(70, 7, 8, 9)
    joined = join_octaves([fifty, hundred, other], np.zeros((12, 2)))
    assert [(f.frequency, int(f.clips.sum())) for f in joined] == [(50, 7), (70, 3)]


def test_told_apart():
    x = np.r_[np.zeros((5, 2)), np.ones((5, 2))] + 0.01 * np.arange(10)[:, None]
    first = np.arange(10) < 5
    assert separability(x, first, ~first) == 1
    assert separability(x, first & (np.arange(10) < 2), ~first) == 0  # of two clips nothing is known
