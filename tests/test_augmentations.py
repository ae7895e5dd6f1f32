"""Augmentations: labels keep their sums, features and labels change alike, noise has the stated ratio."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from asd.classifiers.augmentations import (
    AUGMENTATIONS,
    OF_EMBEDDINGS,
    add_noise,
    augment,
    featex,
    label_classes,
    mixup,
    spec_augment,
    statex,
    unit_of,
)
from asd.classifiers.params import Augmented

UNITS = ("dB", "nat", "magnitude", "amplitude")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def some(clips=6, rows=9, bands=8, classes=3):
    x = torch.randn(clips, rows, bands, generator=generator(1))
    return x, F.one_hot(torch.arange(clips) % classes, classes).float()


@pytest.mark.parametrize("name", AUGMENTATIONS)
@given(st.integers(1, 9), st.integers(1, 5), st.floats(0, 1), st.integers(0, 99))
def test_soft_labels_sum_to_one(name, clips, classes, share, seed):
    x, y = some(clips, classes=classes)
    y = torch.softmax(torch.randn(clips, classes, generator=generator(seed)), dim=1) if seed % 2 else y
    x = x.flatten(1) if name in OF_EMBEDDINGS else x
    changed, labels = AUGMENTATIONS[name](x, y, share, generator(seed))
    assert changed.shape == x.shape
    assert torch.isfinite(changed).all()
    assert (labels >= 0).all()
    torch.testing.assert_close(labels.sum(dim=1), torch.ones(clips))
    assert labels.shape[1] == label_classes(classes, Augmented.model_validate({name: 1.0}))


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_of_no_clip_nothing_is_changed(name):
    x, y = some()
    x = x.flatten(1) if name in OF_EMBEDDINGS else x
    changed, labels = AUGMENTATIONS[name](x, y, 0.0, generator())
    assert torch.equal(changed, x)
    assert torch.equal(labels[:, :3], y)


@given(st.integers(1, 12), st.integers(2, 6), st.floats(0, 1), st.integers(0, 99))
def test_mixup_blends_features_and_labels_alike(clips, classes, share, seed):
    y = F.one_hot(torch.arange(clips) % classes, classes).double()
    x = y[:, None, :].expand(-1, 3, -1)
    mixed_x, mixed_y = mixup(x, y, share, generator(seed))
    torch.testing.assert_close(mixed_x, mixed_y[:, None, :].expand(-1, 3, -1))


def test_statex_gives_a_clip_the_statistics_of_the_one_its_label_names():
    x, y = some(classes=6)
    changed, labels = statex(
        x * torch.arange(1, 7)[:, None, None] + torch.arange(6)[:, None, None], y, 1.0, generator(3)
    )
    x = x * torch.arange(1, 7)[:, None, None] + torch.arange(6)[:, None, None]
    own, other = labels[:, 6:12].argmax(dim=1), labels[:, 12:].argmax(dim=1)
    assert own.tolist() == list(range(6))
    assert sorted(other.tolist()) == list(range(6))
    assert not labels[:, :6].any()
    torch.testing.assert_close(changed.mean(dim=1), x[other].mean(dim=1))
    torch.testing.assert_close(changed.std(dim=1), x[other].std(dim=1))
    shape = (x - x.mean(dim=1, keepdim=True)) / x.std(dim=1, keepdim=True)
    torch.testing.assert_close((changed - changed.mean(dim=1, keepdim=True)) / changed.std(dim=1, keepdim=True), shape)


def test_statex_leaves_clips_that_do_not_vary():
    x, y = torch.ones(4, 1, 3), torch.eye(4)
    changed, labels = statex(x, y, 1.0, generator())
    assert torch.equal(changed, x)
    assert torch.equal(labels[:, :4], y)


def test_featex_takes_the_second_half_of_the_one_its_label_names():
    y = torch.eye(6)
    x = torch.cat([y, 10 * y], dim=1)
    changed, labels = featex(x, y, 1.0, generator(3))
    torch.testing.assert_close(changed[:, :6], 2 * labels[:, 6:12] * y)
    torch.testing.assert_close(changed[:, 6:], 20 * labels[:, 12:])


def test_statex_and_featex_together_make_nine_times_the_classes():
    params = Augmented(mixup=0.5, statex=0.5, featex=0.5, spec_augment=0.5)
    assert label_classes(4, params) == 36
    assert label_classes(4, Augmented(mixup=0.5, spec_augment=1.0)) == 4
    x, y = some(64)
    x, y = augment({n: f for n, f in AUGMENTATIONS.items() if n not in OF_EMBEDDINGS}, x, y, params, generator())
    _, y = augment(OF_EMBEDDINGS, x.flatten(1), y, params, generator(1))
    assert y.shape == (64, label_classes(3, params))
    torch.testing.assert_close(y.sum(dim=1), torch.ones(64))
    assert (y.sum(dim=0) > 0).all()


def test_spec_augment_hides_stretches_no_wider_than_an_eighth():
    x = torch.rand(50, 64, 32, generator=generator(2)) + 1
    hidden, y = spec_augment(x, torch.eye(50), 1.0, generator())
    assert torch.equal(y, torch.eye(50))
    for before, after in zip(x, hidden, strict=True):
        gone = before != after
        rows, bands = gone.all(dim=1).sum(), gone.all(dim=0).sum()
        assert rows <= 2 * 64 / 8
        assert bands <= 2 * 32 / 8
        assert torch.equal(gone, gone.all(dim=1)[:, None] | gone.all(dim=0))
        torch.testing.assert_close(after[gone], before.mean().expand(int(gone.sum())))


def power(x, unit):
    return {"dB": lambda: 10 ** (x / 10), "nat": x.exp, "magnitude": x.square, "amplitude": x.square}[unit]()


@pytest.mark.parametrize("unit", UNITS)
def test_noise_is_added_at_the_stated_ratio(unit):
    x, noise = torch.rand(3, 40, 8, dtype=torch.float64), 3 * torch.rand(3, 40, 8, dtype=torch.float64)
    snr = torch.tensor([-5.0, 0.0, 20.0], dtype=torch.float64)
    mixed = add_noise(x, noise, snr, unit)
    if unit == "amplitude":
        added = power(mixed - x, unit)
        torch.testing.assert_close((mixed - x) / noise, ((mixed - x) / noise)[:, :1, :1].expand_as(x))
    else:
        added = power(mixed, unit) - power(x, unit)
        torch.testing.assert_close(added / power(noise, unit), (added / power(noise, unit))[:, :1, :1].expand_as(x))
    ratio = power(x, unit).mean(dim=(1, 2)) / added.mean(dim=(1, 2))
    torch.testing.assert_close(10 * ratio.log10(), snr)


def test_noise_in_decibels_is_noise_in_nats():
    x, noise, snr = torch.randn(2, 5, 4), torch.randn(2, 5, 4), torch.tensor([3.0, 9.0])
    factor = np.log(10) / 10
    torch.testing.assert_close(
        factor * add_noise(x, noise, snr, "dB"), add_noise(factor * x, factor * noise, snr, "nat")
    )


def test_silence_stays_finite():
    for unit in UNITS:
        x = torch.full((1, 4, 3), -150.0 if unit in ("dB", "nat") else 0.0)
        assert torch.isfinite(add_noise(x, x, torch.zeros(1), unit)).all()


@pytest.mark.parametrize(
    ("description", "unit"),
    [
        ({"kind": "log_mel", "unit": "dB"}, "dB"),
        ({"kind": "efficientat_mel", "unit": "nat"}, "nat"),
        ({"kind": "kaldi_fbank"}, "nat"),
        ({"kind": "envelope_spectrum"}, "magnitude"),
        ({"kind": "waveform"}, "amplitude"),
    ],
)
def test_the_unit_is_that_of_the_front_end(description, unit):
    assert unit_of(description) == unit
