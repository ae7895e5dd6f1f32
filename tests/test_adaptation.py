"""The self-supervised objective: which clips are drawn, what is masked, what is learnt."""

from collections import Counter

import numpy as np
import pytest
import torch
import yaml
from adaptation_runs import BANDS, BLOCK, MACHINES, PARAMS, Store
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from asd.adaptation.batches import PADDING, clip_at, draw, visible_patches
from asd.adaptation.objective import UtteranceFrame, create_objective, recomputed
from asd.core.errors import UserError
from asd.encoders.architectures.beats import BEATs
from asd.encoders.architectures.dasheng import Dasheng
from asd.encoders.architectures.vit import smooth_in_time
from asd.encoders.networks import create_encoder
from asd.encoders.standardise import Standardise
from asd.encoders.training import crop, warm_cosine
from asd.params import check

ENCODERS = {
    "tiny": lambda: create_encoder(BLOCK, BANDS),
    "beats": lambda: BEATs(BANDS, 48, 2, 3),
    "dasheng": lambda: Dasheng(BANDS, 48, 3, 3, frames=64),
}


@pytest.fixture(params=ENCODERS)
def model(request):
    torch.manual_seed(0)
    return create_objective(ENCODERS[request.param](), PARAMS).eval()


def batch(model, places=range(4), **changes):
    return draw(Store(), MACHINES, PARAMS.model_copy(update=changes), model.student, 0, places)


@given(st.integers(1, 40), st.integers(1, 8), st.floats(0.05, 0.95), st.integers(1, 6), st.integers(0, 9))
def test_exactly_the_share_stays_visible(time, bands, mask, block, seed):
    seen = visible_patches(np.random.default_rng(seed), time, bands, mask, block)
    patches = time * bands
    assert len(seen) == max(1, min(round((1 - mask) * patches), patches - 1))
    assert len(set(seen)) == len(seen)
    assert seen.min() >= 0
    assert seen.max() < time * bands


def test_visible_patches_lie_in_blocks():
    seen = np.zeros(64 * 8, dtype=bool)
    seen[visible_patches(np.random.default_rng(0), 64, 8, 0.8, 5)] = True
    grid = seen.reshape(64, 8)
    neighbours = (grid[1:] & grid[:-1]).sum() / grid[1:].sum()
    assert neighbours > 0.6  # of scattered patches a fifth would have a visible neighbour


def test_machines_are_balanced_and_every_clip_comes_once_an_epoch():
    places = [clip_at(MACHINES, 0, place) for place in range(2 * 30)]
    assert Counter(clip[0] for _, clip in places) == {"a": 30, "b": 30}
    first = Counter(clip for epoch, clip in places if epoch == 0)
    assert first == Counter({clip: 1 for clips in MACHINES.values() for clip in clips})
    assert [c for _, c in places] != [clip_at(MACHINES, 1, place)[1] for place in range(60)]


def test_a_clip_is_drawn_the_same_in_any_company(model):
    whole, last = batch(model), batch(model, range(3, 4))
    rows = int(last.rows[0])
    assert torch.equal(whole.x[3, :rows], last.x[0])
    assert torch.equal(whole.visible[3, :, : last.visible.shape[2]], last.visible[0])


def test_the_same_clip_is_cut_and_masked_anew_in_every_epoch(model):
    same = [place for place in range(60) if clip_at(MACHINES, 0, place)[1] == "a3"]
    one, two = batch(model, same[:1]), batch(model, same[1:2])
    assert not torch.equal(one.x, two.x)
    assert not torch.equal(one.visible, two.visible)


def test_the_teacher_gets_no_gradient_and_all_of_the_student_does(model):
    losses, _ = model(batch(model))
    (losses.frame + losses.utterance).sum().backward()
    assert all(p.grad is None for p in model.teacher.parameters())
    unused = {name for name, p in model.named_parameters() if p.requires_grad and p.grad is None}
    assert not unused


def test_targets_are_normalised_over_dimensions(model):
    targets = model.targets(batch(model))
    dims = model.student.dims
    assert targets.frames.shape[2] == targets.utterance.shape[1] == dims
    torch.testing.assert_close(targets.frames.mean(dim=2), torch.zeros(targets.real.shape), atol=1e-4, rtol=0)
    torch.testing.assert_close(
        targets.frames.std(dim=2, correction=0), torch.ones(targets.real.shape), atol=0.02, rtol=0
    )


def short_and_long(model):
    """Places of a clip shorter than a crop and of a whole one."""
    clips = [clip_at(MACHINES, 0, place)[1] for place in range(24)]
    return [clips.index("a0"), clips.index("a1")]


def test_padding_is_in_neither_loss(model):
    """A short clip beside a longer one has the losses that it has alone, whatever its padding holds."""
    places = short_and_long(model)
    together = batch(model, places)
    assert together.rows[0] < together.rows[1]
    assert (together.visible[0] == PADDING).any()
    together.x[0, int(together.rows[0]) :] = 1e3
    alone = batch(model, places[:1])
    with torch.no_grad():
        for ours, own in zip(model(together)[0], model(alone)[0], strict=True):
            torch.testing.assert_close(ours[0], own[0], atol=1e-5, rtol=1e-4)


def test_the_frame_loss_is_over_hidden_patches_alone():
    """A wrong prediction of a visible patch costs nothing."""
    model = UtteranceFrame(create_encoder(BLOCK, BANDS), PARAMS)
    drawn = batch(model, range(3), mask=0.5)
    visible = drawn.visible.flatten(0, 1)
    real = model.predict

    def spoilt(x, seen, all_real):
        frames, utterance = real(x, seen, all_real)
        rows = torch.arange(len(frames))[:, None].expand_as(visible)[visible >= 0]
        frames[rows, visible[visible >= 0]] += 100
        return frames, utterance

    before = model(drawn)[0].frame
    model.predict = spoilt
    torch.testing.assert_close(model(drawn)[0].frame, before)


def test_follow_is_a_moving_average(model):
    first = next(model.teacher.parameters()).clone()
    next(model.student.parameters()).data += 1
    model.follow(0.75)
    torch.testing.assert_close(next(model.teacher.parameters()), first + 0.25)


def test_recomputed_activations_give_the_same_gradients(model):
    def gradient():
        model.zero_grad()
        model(batch(model))[0].frame.sum().backward()
        return torch.cat([p.grad.flatten() for p in model.student.parameters() if p.grad is not None])

    kept = gradient()
    with recomputed(model.student):
        torch.testing.assert_close(gradient(), kept)
    assert not [m for m in model.student.modules() if "forward" in vars(m)]


@pytest.mark.parametrize(
    ("architecture", "kind"), [("mn04", "efficientat_mel"), ("se_resnet18", "log_mel"), ("wavlm_base", "waveform")]
)
def test_what_is_no_transformer_over_a_spectrogram_is_refused_in_one_line(architecture, kind):
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["features"]["more"] = content["features"]["log_mel"] if kind == "log_mel" else {"kind": kind}
    content["encoders"]["x"] = {"architecture": architecture, "features": "more"}
    content["adapt"]["x"] = PARAMS.model_dump() | {"features": "more"}
    with pytest.raises(UserError, match=f"adapt.x: {architecture} is not adapted, only .*: leave it out") as refused:
        check(content)
    assert "\n" not in str(refused.value)
    with pytest.raises(UserError, match="SEResNet18Encoder is not adapted"):
        create_objective(create_encoder("se_resnet18", BANDS), PARAMS)


def test_the_level_of_a_clip_does_not_reach_a_fitted_encoder():
    part = Standardise(BANDS)
    x = torch.randn(2, 48, BANDS)
    assert torch.equal(part(x), x)
    part.level.fill_(1)
    torch.testing.assert_close(part(x + 7), part(x))
    real = torch.arange(48) < torch.tensor([[32], [48]])
    spoilt = x.clone()
    spoilt[0, 32:] = 1e3
    torch.testing.assert_close(part(spoilt, real)[0, :32], part(x[:1, :32])[0])


def test_a_short_clip_is_repeated_and_a_long_one_cut():
    generator = np.random.default_rng(0)
    assert crop(np.arange(6.0).reshape(3, 2), 8, generator).shape == (8, 2)
    assert crop(np.zeros((50, 2)), 8, generator).shape == (8, 2)


def test_the_rate_rises_then_falls():
    rates = [warm_cosine(step, 100) for step in range(100)]
    assert rates[9] == pytest.approx(1)
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] < 0.01


def test_drawn_patches_hear_slow_changes_better_than_fast_ones():
    weight = torch.randn(64, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    smooth = smooth_in_time(weight)
    torch.testing.assert_close(smooth.square().mean(), weight.square().mean(), rtol=0.1, atol=0)
    slow, fast = smooth.sum(dim=2), (smooth * (-1.0) ** torch.arange(16)[:, None]).sum(dim=2)
    assert slow.square().mean() > 100 * fast.square().mean()
