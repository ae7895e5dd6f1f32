"""The self-supervised objective: what is masked, what is learnt, what a resumed run gives."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from asd.adaptation.loop import adapt, batch
from asd.adaptation.masks import visible_patches
from asd.adaptation.objective import UtteranceFrame
from asd.encoders.params import AdaptParams, Tiny
from asd.encoders.registry import create_encoder
from asd.encoders.training import crop, warm_cosine

PARAMS = AdaptParams(steps=12, batch=4, clones=2, mask=0.75, block=2, learning_rate=0.001, decay=0.9, decay_end=0.99)
BLOCK = Tiny(architecture="tiny", features="x", dims=32, depth=2, heads=2, frames=64)


class Store:
    """Clips of two machines, each a constant spectrum with noise."""

    bands = 32

    def __init__(self):
        rng = np.random.default_rng(0)
        spectra = {"a": rng.normal(size=32), "b": rng.normal(size=32)}
        self.clips = {f"{m}{i}": s + rng.normal(size=(80, 32)) for m, s in spectra.items() for i in range(6)}

    def __getitem__(self, clip_id):
        return self.clips[clip_id].astype(np.float32)

    def normalised(self, x):
        return x


MACHINES = {"a": [f"a{i}" for i in range(6)], "b": [f"b{i}" for i in range(6)]}


@given(st.integers(1, 40), st.integers(1, 8), st.floats(0.05, 0.95), st.integers(1, 6), st.integers(0, 9))
def test_exactly_the_share_stays_visible(time, bands, mask, block, seed):
    seen = visible_patches(np.random.default_rng(seed), time, bands, mask, block)
    assert len(seen) == max(1, round((1 - mask) * time * bands))
    assert len(set(seen)) == len(seen)
    assert seen.min() >= 0
    assert seen.max() < time * bands


def test_visible_patches_lie_in_blocks():
    seen = np.zeros(64 * 8, dtype=bool)
    seen[visible_patches(np.random.default_rng(0), 64, 8, 0.8, 5)] = True
    grid = seen.reshape(64, 8)
    neighbours = (grid[1:] & grid[:-1]).sum() / grid[1:].sum()
    assert neighbours > 0.6  # of scattered patches a fifth would have a visible neighbour


def test_targets_are_normalised_and_teacher_gets_no_gradient():
    model = UtteranceFrame(create_encoder(BLOCK, 32))
    x, visible = batch(Store(), MACHINES, PARAMS, 64, 0, 0)
    frames, utterance = model.targets(x)
    assert frames.shape == (4, 8, 32)
    assert utterance.shape == (4, 32)
    torch.testing.assert_close(frames.mean(dim=2), torch.zeros(4, 8), atol=1e-4, rtol=0)
    sum(model(x, visible)).backward()
    assert all(p.grad is None for p in model.teacher.parameters())
    assert all(p.grad is not None for p in model.student.parameters())


def test_the_loss_does_not_see_what_the_student_sees():
    """The frame loss is over hidden patches alone: a wrong prediction of a visible one costs nothing."""
    model = UtteranceFrame(create_encoder(BLOCK, 32))
    x, _ = batch(Store(), MACHINES, PARAMS, 64, 0, 0)
    frames, _ = model.targets(x)
    everything = torch.arange(8).expand(4, 2, 8)
    hidden_but_one = everything[:, :, :7]
    loss, _ = model(x, hidden_but_one)
    predicted = model.decoder(
        model.student.layers(
            model.student.embed(x)
            .repeat_interleave(2, 0)
            .gather(1, hidden_but_one.flatten(0, 1)[..., None].expand(-1, -1, 32))
        )[-1][:, 1:],
        hidden_but_one.flatten(0, 1)[..., None].expand(-1, -1, 32),
        8,
        2,
    )
    expected = (predicted[:, 7] - frames.repeat_interleave(2, 0)[:, 7]).square().mean()
    torch.testing.assert_close(loss, expected)


def test_follow_is_a_moving_average():
    model = UtteranceFrame(create_encoder(BLOCK, 32))
    before = model.teacher.cls.clone()
    model.student.cls.data += 1
    model.follow(0.75)
    torch.testing.assert_close(model.teacher.cls, before + 0.25)


def run(work, steps=12):
    encoder = create_encoder(BLOCK, 32, seed=3)
    params = PARAMS.model_copy(update={"steps": steps})
    metrics = adapt(encoder, Store(), MACHINES, params, 7, torch.device("cpu"), work)
    return encoder.state_dict(), metrics


def test_an_interrupted_run_ends_with_the_same_bytes(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("asd.adaptation.loop.EVERY", 5)
    whole, _ = run(tmp_path / "whole")
    calls = iter(range(9))
    real = UtteranceFrame.follow

    def dies(self, decay):
        next(calls)
        real(self, decay)

    monkeypatch.setattr(UtteranceFrame, "follow", dies)
    with pytest.raises(StopIteration):
        run(tmp_path / "broken")
    monkeypatch.setattr(UtteranceFrame, "follow", real)
    resumed, _ = run(tmp_path / "broken")
    assert "resumed at step 5" in capsys.readouterr().out
    assert all(torch.equal(whole[k], resumed[k]) for k in whole)


def test_the_loss_falls(tmp_path):
    _, short = run(tmp_path / "short", steps=2)
    _, long = run(tmp_path / "long", steps=150)
    assert long["frame_loss"] < 0.8 * short["frame_loss"]


def test_a_short_clip_is_repeated_and_a_long_one_cut():
    draw = np.random.default_rng(0)
    assert crop(np.arange(6.0).reshape(3, 2), 8, draw).shape == (8, 2)
    assert crop(np.zeros((50, 2)), 8, draw).shape == (8, 2)


def test_the_rate_rises_then_falls():
    rates = [warm_cosine(step, 100) for step in range(100)]
    assert rates[9] == pytest.approx(1)
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] < 0.01
