"""Losses against closed forms, mixup's labels, resumed training, and the autoencoder's two scores."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from asd.classifiers.augmentations import mixup
from asd.classifiers.classes import class_names, class_targets
from asd.classifiers.losses.adacos import AdaCos, fixed_scale
from asd.classifiers.losses.arcface import ArcFace
from asd.classifiers.losses.registry import LOSSES
from asd.classifiers.params import Classification, Reconstruction, Untrained
from asd.classifiers.reconstruction import vectors
from asd.classifiers.task import Task, module
from asd.encoders.params import Dense, PooledMel, SEResNet18
from asd.encoders.registry import create_encoder, write_encoder

CPU = torch.device("cpu")


class Store:
    """Two machines with two attributes each, spectra of their own, clips of unlike lengths."""

    bands = 16

    def __init__(self, clips):
        rng = np.random.default_rng(0)
        spectra = {c: 5 * rng.normal(size=16) for c in sorted(set(class_names(clips)))}
        self.clips = {
            c: (spectra[n] + rng.normal(size=(20 + i % 3, 16))).astype(np.float32)
            for i, (c, n) in enumerate(zip(clips["clip_id"], class_names(clips), strict=True))
        }

    def __contains__(self, clip_id):
        return clip_id in self.clips

    def __getitem__(self, clip_id):
        return self.clips[clip_id]

    def rows(self, clip_id):
        return len(self.clips[clip_id])

    def normalised(self, x):
        return x


@pytest.fixture
def clips():
    rows = [(m, a, i) for m in ("fan", "valve") for a in ("speed=1", "speed=2") for i in range(8)]
    return pd.DataFrame(
        {
            "clip_id": [f"{m}{a}{i}" for m, a, i in rows],
            "machine": [m for m, _, _ in rows],
            "section": "00",
            "domain": ["target" if i == 7 else "source" for _, _, i in rows],
            "label": [a for _, a, _ in rows],
        }
    )


def task(clips, params, block, tmp_path, name="work"):
    folder = tmp_path / f"encoder_{block.architecture}"
    if not folder.exists():
        write_encoder(folder, create_encoder(block, 16, seed=1), block, 16)
    return Task(params, folder, Store(clips), clips, 3, CPU, tmp_path / name)


CNN = SEResNet18(architecture="se_resnet18", features="x", width=8)
CLASSIFY = Classification(objective="adacos", epochs=6, batch=8, learning_rate=0.003, mixup=0.5, crop=0)


def test_adacos_scale_is_floored_at_four_classes():
    assert fixed_scale(10) == pytest.approx(math.sqrt(2) * math.log(9))
    assert fixed_scale(1) == fixed_scale(2) == fixed_scale(4) == pytest.approx(math.sqrt(2) * math.log(3))


def soft_labels(classes=5, clips=7):
    return torch.softmax(torch.randn(clips, classes, generator=torch.Generator().manual_seed(2)), dim=1)


def test_adacos_is_cross_entropy_of_scaled_cosines():
    loss = AdaCos(6, 5)
    x, y = torch.randn(7, 6), soft_labels()
    cosines = np.array([[a @ b / (a.norm() * b.norm()) for b in loss.centres.detach()] for a in x], dtype=float)
    logits = math.sqrt(2) * math.log(4) * cosines
    expected = -(y.numpy() * (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))).sum(axis=1).mean()
    assert loss(x, y)[0].item() == pytest.approx(expected, rel=1e-5)


def test_arcface_adds_the_margin_to_the_own_angle_alone():
    loss = ArcFace(6, 5, scale=30, margin=0.2)
    x, own = torch.randn(7, 6), torch.tensor([0, 1, 2, 3, 4, 0, 1])
    angles = np.arccos((F.normalize(x) @ F.normalize(loss.centres).T).detach().numpy().astype(float))
    angles[np.arange(7), own] += 0.2
    logits = 30 * np.cos(angles)
    expected = (np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(7), own]).mean()
    value, cosines = loss(x, F.one_hot(own, 5).float())
    assert value.item() == pytest.approx(expected, rel=1e-4)
    torch.testing.assert_close(cosines, 30 * F.normalize(x) @ F.normalize(loss.centres).T)


def test_arcface_keeps_falling_beyond_pi():
    """Away from its own centre, in a plane at right angles to the other one, the loss only rises."""
    loss = ArcFace(3, 2, scale=1, margin=0.5)
    loss.centres.data = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    turned = [torch.tensor([[math.cos(a), math.sin(a), 0.0]]) for a in np.linspace(0, math.pi, 40)]
    values = [loss(x, torch.tensor([[1.0, 0.0]]))[0].item() for x in turned]
    assert values == sorted(values)


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_has_right_gradients(name):
    loss = LOSSES[name](4, 3).double()
    x = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: loss(x, soft_labels(3, 5).double())[0], (x,))


@given(st.integers(1, 12), st.integers(2, 6), st.floats(0, 1), st.integers(0, 99))
def test_mixup_keeps_labels_sums_and_blends_both_alike(clips, classes, share, seed):
    y = F.one_hot(torch.arange(clips) % classes, classes).double()
    x = y[:, None, :].expand(-1, 3, -1)
    mixed_x, mixed_y = mixup(x, y, share, torch.Generator().manual_seed(seed))
    torch.testing.assert_close(mixed_y.sum(dim=1), torch.ones(clips, dtype=torch.float64))
    torch.testing.assert_close(mixed_x, mixed_y[:, None, :].expand(-1, 3, -1))


def test_mixup_of_no_clip_changes_nothing():
    x, y = torch.randn(4, 3, 2), torch.eye(4)
    assert all(torch.equal(a, b) for a, b in zip(mixup(x, y, 0.0, torch.Generator()), (x, y), strict=True))


@pytest.mark.parametrize("objective", LOSSES)
def test_a_classifier_learns_its_classes(objective, clips, tmp_path):
    params = CLASSIFY.model_copy(update={"objective": objective, "mixup": 0.0, "epochs": 12})
    tensors, metrics = module(objective).train(task(clips, params, CNN, tmp_path))
    assert metrics["classes"] == 8
    assert metrics["accuracy"] > 0.8
    assert len(metrics["losses"]) == 12
    assert metrics["losses"][-1] == metrics["loss"] < metrics["losses"][0]
    embeddings = module(objective).extract(create_encoder(CNN, 16), tensors, clips, [Store(clips)], CPU)
    assert embeddings.shape == (len(clips), 1, 64)


def test_interrupted_training_ends_with_the_same_bytes(clips, tmp_path, monkeypatch, capsys):
    classification = module("adacos")
    whole, told = classification.train(task(clips, CLASSIFY, CNN, tmp_path, "whole"))
    real, calls = classification.train_step, iter(range(14))  # 4 steps an epoch: dies in the fourth

    def dies(*arguments):
        next(calls)
        return real(*arguments)

    monkeypatch.setattr(classification, "train_step", dies)
    with pytest.raises(StopIteration):
        classification.train(task(clips, CLASSIFY, CNN, tmp_path, "broken"))
    monkeypatch.setattr(classification, "train_step", real)
    resumed, told_again = classification.train(task(clips, CLASSIFY, CNN, tmp_path, "broken"))
    assert "resumed after epoch 3" in capsys.readouterr().out
    assert told_again == told
    assert all(torch.equal(whole[k], resumed[k]) for k in whole)


def test_one_class_is_trained_without_a_crash(clips, tmp_path):
    one = clips[(clips["machine"] == "fan") & (clips["domain"] == "source")].assign(label="").reset_index(drop=True)
    tensors, metrics = module("adacos").train(task(one, CLASSIFY, CNN, tmp_path))
    assert metrics["classes"] == 1
    assert all(torch.isfinite(t).all() for t in tensors.values())


def test_untrained_is_the_encoder_itself(clips, tmp_path):
    block = PooledMel(architecture="pooled_mel", features="x")
    tensors, _ = module("none").train(task(clips, Untrained(objective="none"), block, tmp_path))
    embeddings = module("none").extract(create_encoder(block, 16), tensors, clips, [Store(clips)], CPU)
    expected = [np.r_[x.mean(axis=0), x.std(axis=0)] for x in Store(clips).clips.values()]
    np.testing.assert_allclose(embeddings[:, 0], expected, atol=1e-5)


def test_vectors_never_cross_a_clip():
    clips = [np.full((n, 2), i, dtype=np.float32) for i, n in enumerate((7, 3, 5))]
    frames, starts = vectors(clips)
    stacked = frames[starts[:, None] + torch.arange(5)]
    assert len(stacked) == 3 + 1 + 1  # the clip of three frames is repeated to five
    assert (stacked == stacked[:, :1]).all()


def test_autoencoder_scores_agree_with_a_straightforward_implementation(clips, tmp_path):
    params = Reconstruction(objective="reconstruction", epochs=2, batch=16, learning_rate=0.001)
    block = Dense(architecture="dense", features="x")
    store = Store(clips)
    tensors, metrics = module("reconstruction").train(task(clips, params, block, tmp_path))
    assert len(metrics["losses"]) == 2
    assert metrics["losses"][1] < metrics["losses"][0]
    values = module("reconstruction").extract(create_encoder(block, 16), tensors, clips, [store], CPU)

    fan = clips[clips["machine"] == "fan"]
    network = create_encoder(block, 16).eval()
    network.load_state_dict({k[4:]: v for k, v in tensors.items() if k.startswith("fan/") and "." in k})

    def errors(clip_id):
        x = store[clip_id]
        stacks = np.stack([x[i : i + 5].ravel() for i in range(len(x) - 4)])
        with torch.no_grad():
            return (network(torch.from_numpy(stacks)).numpy() - stacks).astype(float)

    def inverse(domain):
        frames = np.concatenate([errors(c).reshape(-1, 16) for c in fan.loc[fan["domain"] == domain, "clip_id"]])
        return np.linalg.inv(np.cov(frames.T))

    inverses = {d: inverse(d) for d in ("source", "target")}
    for place, clip_id in enumerate(fan["clip_id"]):
        e = errors(clip_id)
        frames = e.reshape(-1, 16)
        pairs = [np.mean(frames @ i @ frames.T) for i in inverses.values()]  # all pairs, as the organisers' code
        np.testing.assert_allclose(values[place], [np.mean(e**2), min(pairs)], rtol=1e-3)


def test_autoencoder_resumes_at_the_machine(clips, tmp_path, capsys):
    params = Reconstruction(objective="reconstruction", epochs=1, batch=16, learning_rate=0.001)
    block = Dense(architecture="dense", features="x")
    whole, _ = module("reconstruction").train(task(clips, params, block, tmp_path, "one"))
    (tmp_path / "one" / "valve.pt").unlink()
    resumed, _ = module("reconstruction").train(task(clips, params, block, tmp_path, "one"))
    assert "resumed: fan was there" in capsys.readouterr().out
    assert all(torch.equal(whole[k], resumed[k]) for k in whole)


@pytest.mark.parametrize("confidence", ["ignore", "weight", "soften"])
def test_unsure_labels_count_less_or_are_shared_within_their_machine(confidence):
    clips = pd.DataFrame(
        {
            "machine": ["fan", "fan", "fan", "pump"],
            "section": "00",
            "domain": ["source", "source", "target", "source"],
            "label": ["a", "b", "a", "a"],
            "confidence": [0.75, 1.0, 0.5, 0.25],
        }
    )
    targets = class_targets(clips, confidence)
    own = {"ignore": [1, 1, 1, 1], "weight": [0.75, 1, 0.5, 0.25], "soften": [0.75, 1, 1, 1]}[confidence]
    assert np.diag(targets).tolist() == own
    off = targets - np.diag(np.diag(targets))
    assert off[0, 1] == (0.25 if confidence == "soften" else 0)  # the other class of that machine, section and domain
    assert off.sum() == off[0, 1]
    assert np.array_equal(class_targets(clips.drop(columns="confidence")), np.eye(4))
