"""The contrastive loss against a loop, codebooks against their definition and on what is degenerate, the sampler."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from asd.classifiers.batches import arranged, clips_of_epoch
from asd.classifiers.classes import ANY, SoundClass
from asd.classifiers.losses.codebooks import Codebooks
from asd.classifiers.losses.contrastive import DualContrastive, level

CLASSES = [SoundClass("fan", "00", ANY), *(SoundClass("pump", "00", ANY, f"speed={speed}") for speed in (1, 2))]
CLASSES += [SoundClass("", "", kind="noise")]
TEMPERATURE = 0.2


def looped(z, labels, among, temperature):
    """The formula, clip by clip."""
    losses = []
    for i in range(len(z)):
        others = [a for a in range(len(z)) if a != i and among[a] == among[i] and labels[a] >= 0]
        positives = [p for p in others if labels[p] == labels[i]]
        if labels[i] < 0 or not positives:
            continue
        below = sum(math.exp(float(z[i] @ z[a]) / temperature) for a in others)
        losses.append(-np.mean([math.log(math.exp(float(z[i] @ z[p]) / temperature) / below) for p in positives]))
    return np.mean(losses) if losses else 0.0


@given(st.integers(0, 2**31), st.integers(2, 12), st.integers(1, 4), st.integers(1, 3))
def test_a_level_is_what_a_loop_gives(seed, clips, kinds, machines):
    generator = torch.Generator().manual_seed(seed)
    z = F.normalize(torch.randn(clips, 5, generator=generator, dtype=torch.float64))
    labels = torch.randint(-1, kinds, (clips,), generator=generator)
    among = torch.randint(0, machines, (clips,), generator=generator)
    assert level(z, labels, among, TEMPERATURE).item() == pytest.approx(
        looped(z.numpy(), labels, among, TEMPERATURE), abs=1e-6
    )


def test_anchors_without_a_positive_are_skipped():
    z = F.normalize(torch.randn(3, 5, dtype=torch.float64)).requires_grad_()
    alone = level(z, torch.tensor([0, 1, 2]), torch.zeros(3), TEMPERATURE)
    alone.backward()
    assert alone.item() == 0
    assert torch.equal(z.grad, torch.zeros_like(z))
    pair = level(z, torch.tensor([0, 0, 1]), torch.zeros(3), TEMPERATURE)
    assert pair.item() == pytest.approx(looped(z.detach().numpy(), [0, 0, 1], [0, 0, 0], TEMPERATURE))
    assert torch.isfinite(pair)


def made(**options):
    torch.manual_seed(2)
    return DualContrastive(6, CLASSES, temperature=TEMPERATURE, projection=4, **options).double()


def batch(classes):
    y = F.one_hot(torch.tensor(classes), len(CLASSES)).double()
    return torch.randn(len(classes), 6, dtype=torch.float64), y


def test_both_levels_and_the_codes_are_added():
    loss, (x, y) = made(n_codes=2, weight=0.7, commitment=0.3), batch([0, 0, 0, 1, 1, 2, 3, 3])
    loss.eval().codebooks.codes.copy_(torch.tensor([[[1.0, 0, 0, 0], [-1.0, 0, 0, 0]]]))
    z = F.normalize(loss.head(x)).detach()
    codes = [int((own - loss.codebooks.codes[0]).square().sum(dim=1).argmin()) for own in z[:3]]
    away = np.mean([(z[i] - loss.codebooks.codes[0, codes[i]]).square().sum().item() for i in range(3)])
    machine, kind = [0, 0, 0, 1, 1, 1, 2, 2], [*(10 + np.array(codes)), 1, 1, 2, 3, 3]
    first = looped(z.numpy(), machine, [0] * 8, TEMPERATURE)
    second = looped(z.numpy(), kind, machine, TEMPERATURE)
    assert loss(x, y)[0].item() == pytest.approx(first + 0.7 * second + 0.3 * away, abs=1e-6)
    one = made(n_levels=1)
    assert one.codebooks is None
    assert one(x, y)[0].item() == pytest.approx(first, abs=1e-6)


def test_without_codes_machines_without_attributes_are_left_out_of_level_two():
    loss, (x, y) = made(n_codes=0), batch([0, 0, 0, 1, 1, 2])
    z = F.normalize(loss.head(x)).detach().numpy()
    machine, kind = [0, 0, 0, 1, 1, 1], [-1, -1, -1, 1, 1, 2]
    expected = looped(z, machine, [0] * 6, TEMPERATURE) + looped(z, kind, machine, TEMPERATURE)
    assert loss(x, y)[0].item() == pytest.approx(expected, abs=1e-6)
    assert loss.figures() == {}


def test_the_nearest_other_clip_says_what_a_clip_is():
    loss, (x, y) = made(), batch([1, 1, 2, 2])
    x[1], x[3] = x[0], x[2]
    assert torch.equal(loss.eval()(x, y)[1], y)


def test_codebooks_follow_by_moving_averages():
    books, z = Codebooks(2, 2, 3, ema_decay=0.9), torch.eye(3)
    books.codes[1], books.counts[1], books.sums[1] = z[:2], torch.ones(2), z[:2]
    numbers, nearest = books(torch.stack([z[0], z[0], z[1], z[2]]), torch.tensor([1, 1, 1, -1]))
    assert numbers.tolist() == [0, 0, 1, -1]
    assert torch.equal(nearest, torch.stack([z[0], z[0], z[1], z[2]]))
    torch.testing.assert_close(books.counts[1], torch.tensor([0.9 + 0.2, 0.9 + 0.1]))
    torch.testing.assert_close(books.sums[1], torch.stack([1.1 * z[0], 1.0 * z[1]]))
    torch.testing.assert_close(books.codes[1], z[:2])
    assert not books.codes[0].any()  # the other machine's


def test_in_evaluation_codebooks_stay():
    books = Codebooks(1, 2, 3).eval()
    books(torch.eye(3), torch.zeros(3, dtype=torch.long))
    assert not books.counts.any()


def clusters(count, spread=0.05):
    generator = torch.Generator().manual_seed(0)
    centres = F.normalize(torch.randn(4, 8, generator=generator))
    own = torch.randint(0, 4, (count,), generator=generator)
    return F.normalize(centres[own] + spread * torch.randn(count, 8, generator=generator)), own


def test_dead_codes_start_anew_until_clusters_are_found():
    books = Codebooks(1, 4, 8, ema_decay=0.8)
    for _ in range(40):
        z, own = clusters(32)
        numbers, _ = books(z, torch.zeros(32, dtype=torch.long))
    assert len(set(zip(own.tolist(), numbers.tolist(), strict=True))) == 4  # one code a cluster
    figures = books.figures()[0]
    assert (figures["codes_in_use"], figures["dead_codes"]) == (4, 0)
    assert 3 < figures["perplexity"] <= 4
    assert figures["restarts"] >= 3


@pytest.mark.parametrize("z", [torch.eye(8)[:2], torch.eye(8)[:1].repeat(16, 1), torch.zeros(3, 8)])
def test_fewer_clips_than_codes_and_clips_all_alike(z):
    books = Codebooks(1, 6, 8)
    for _ in range(200):
        numbers, nearest = books(z, torch.zeros(len(z), dtype=torch.long))
        assert torch.isfinite(nearest).all()
    unlike = len(z.unique(dim=0))
    assert len(numbers.unique()) == unlike
    figures = books.figures()[0]
    assert (figures["codes_in_use"], figures["dead_codes"]) == (unlike, 6 - unlike)
    assert figures["perplexity"] == pytest.approx(unlike, rel=1e-2)
    torch.testing.assert_close(nearest, z, rtol=0, atol=1e-4)


def test_a_codebook_that_nobody_asked_says_so():
    assert Codebooks(1, 3, 2).figures() == [{"codes_in_use": 0, "dead_codes": 3, "perplexity": 0.0, "restarts": 0}]


@pytest.mark.parametrize("sampler", ["shuffled", "views", "pairs"])
@pytest.mark.parametrize("classes", [[0, 0, 1, 1, 1, 2, 3, 3, 3], [0] * 5, list(range(6))])
def test_batches_hold_two_of_each(sampler, classes):
    order = torch.randperm(len(classes), generator=torch.Generator().manual_seed(0))
    found = arranged(order, np.array(classes), sampler, torch.Generator().manual_seed(1))
    assert len(found) == clips_of_epoch(len(classes), sampler)
    if sampler == "shuffled":
        assert torch.equal(found, order)
        return
    twos = found.view(-1, 2)
    assert all(classes[a] == classes[b] for a, b in twos.tolist())
    if sampler == "views":
        assert torch.equal(twos[:, 0], order)
        assert torch.equal(twos[:, 0], twos[:, 1])
    else:
        assert all(a != b or classes.count(classes[a]) == 1 for a, b in twos.tolist())
        assert max(np.bincount(found)) <= 2
