"""Pre-training of our own encoder: blocks, objectives, resumption, the weights in the package."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import ROOT
from dvc.repo import Repo
from hypothesis import given
from hypothesis import strategies as st

from asd.core.errors import UserError
from asd.encoders.architectures.machine import PARAMETERS, TAPS, MachineEncoder, modulation_filters
from asd.encoders.networks import create_encoder, load_tensors
from asd.features.front_ends.log_mel import log_mel
from asd.features.front_ends.two_scales import log_mel_two_scales
from pretraining import train as training
from pretraining.blocks import Block, block, fitted
from pretraining.compare import VARIANTS, compare, variant
from pretraining.objectives import Batch, Pretraining, contrastive, known_error
from pretraining.settings import PretrainingParams, read
from pretraining.sounds.kinds import KINDS

SHIPPED = ROOT / "pretraining" / "params.yaml"


@pytest.fixture
def params() -> PretrainingParams:
    """Two steps a block, of the smallest network."""
    content = read(SHIPPED).model_dump()
    content["sounds"] |= {"groups": 6, "seconds": 1.1}
    content["model"]["architecture"] = "machine_tiny"
    content["train"] |= {"batch": 3, "replays": 1, "crop": 16, "steps": 4, "warm_up": 1}
    return PretrainingParams.model_validate(content)


@pytest.fixture(scope="module")
def made() -> Block:
    content = read(SHIPPED).model_dump()
    content["sounds"] |= {"groups": 6, "seconds": 1.1}
    return block(PretrainingParams.model_validate(content | {"train": content["train"] | {"batch": 3}}).sounds, 0, 0)


def test_two_scales_are_two_log_mels():
    y = np.random.default_rng(0).standard_normal(16000).astype(np.float32)
    rows = log_mel_two_scales(y)
    np.testing.assert_array_equal(rows[:, :128], log_mel(y, n_fft=2048, hop_length=512, n_mels=128)[:31])
    short = log_mel(y, n_fft=256, hop_length=64, n_mels=32)
    np.testing.assert_array_equal(rows[5, 128:].reshape(32, 8).T, short[40:48])


@given(st.integers(1, 4000))
def test_any_length_has_rows(samples):
    assert log_mel_two_scales(np.ones(samples, np.float32)).shape == (max(1, samples // 512), 384)


def test_modulation_filters_pass_their_rates_and_no_mean():
    filters = modulation_filters(48, TAPS)
    assert filters.sum(dim=1).abs().max() < 1e-5
    assert filters.norm(dim=1) == pytest.approx(np.ones(48), abs=1e-5)
    power = torch.fft.rfft(filters, 1024).abs().square().view(24, 2, -1).sum(dim=1)  # of cosine and sine together
    centroid = (power * torch.arange(513)).sum(dim=1) / power.sum(dim=1) / 1024 * TAPS  # cycles of the whole filter
    rates = np.logspace(0, np.log10(TAPS / 2.2), 24)
    np.testing.assert_allclose(centroid[4:], rates[4:], rtol=0.2)  # slower ones complete hardly a cycle


def test_the_power_of_rare_events_counts_by_its_mean():
    """The part of a token that is of the whole clip is the logarithm of the mean power, not the mean logarithm."""
    encoder = MachineEncoder(384, dims=16, depth=1, heads=2).eval()
    x = torch.randn(1, 64, 256)
    power = encoder.modulation_power(x)
    assert power.shape == (1, 4, 8, 4 * 48)
    pieces = [encoder.modulation_power(x[:, 16 * i : 16 * i + 16]) for i in range(4)]
    torch.testing.assert_close(power, torch.cat(pieces, dim=1))


def test_recordings_of_a_block(made):
    assert made.features.shape == (24, 34, 384)
    assert np.isfinite(made.features).all()
    sounds = made.sound.reshape(6, 4)
    assert (sounds[:, 0] == sounds[:, 2]).all()
    assert (sounds[:, 0] != sounds[:, 3]).all()
    assert len(np.unique(sounds)) == 12
    amount = made.amount.reshape(6, 4)
    assert (amount[:, :3] == 0).all()
    assert (amount[:, 3] > 0).all()
    assert made.parameters.shape == (24, len(PARAMETERS))


def test_blocks_differ_by_number_and_seed_alone(params):
    small = params.sounds.model_copy(update={"groups": 2})
    one = block(small, 0, 0)
    assert (one.features == block(small, 0, 0).features).all()
    for other in (block(small, 0, 1), block(small, 1, 0)):
        assert (one.features == other.features).mean() < 0.01


def test_kept_blocks_are_read_again(params, tmp_path, monkeypatch):
    small = params.sounds.model_copy(update={"groups": 2})
    one = block(small, 0, 3, tmp_path)
    monkeypatch.setattr("pretraining.blocks.group", None)
    again = block(small, 0, 3, tmp_path)
    assert all((a == b).all() for a, b in zip(one[:3], again[:3], strict=True))


def test_the_contrastive_loss_is_its_formula():
    z = torch.nn.functional.normalize(torch.randn(5, 3, dtype=torch.float64), dim=1)
    sound = [0, 0, 1, 0, 2]
    losses = []
    for i in (0, 1, 3):
        others = [j for j in range(5) if j != i]
        total = sum(math.exp(float(z[i] @ z[j]) / 0.1) for j in others)
        same = [j for j in others if sound[j] == sound[i]]
        losses.append(-np.mean([math.log(math.exp(float(z[i] @ z[j]) / 0.1) / total) for j in same]))
    assert float(contrastive(z, torch.tensor(sound), 0.1)) == pytest.approx(np.mean(losses))


def test_unknown_parameters_have_no_error():
    targets = torch.tensor([[1.0, torch.nan], [torch.nan, 3.0]])
    assert known_error(torch.tensor([[2.0, 50.0], [-9.0, 3.0]]), targets) == pytest.approx(0.5)


@pytest.mark.parametrize("objective", ["changes", "doppelgangers", "parameters", "dry", "eat"])
def test_every_objective_falls(objective, params, made):
    params = params.model_copy(update={"train": params.train.model_copy(update={"objectives": {objective: 1.0}})})
    model = training.create(params)
    training.standardise(model, made)
    batch = training.draw(made, params, 0)
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3)
    values = []
    for _ in range(8):
        loss = model(batch, np.random.default_rng(0))[objective]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        values.append(loss.item())
    assert values[-1] < 0.9 * values[0]


def test_like_sounds_are_positives_of_doppelgangers(params):
    model = Pretraining(create_encoder("machine_tiny"), params.train, 1)
    batch = Batch(
        torch.zeros(4, 1),
        torch.tensor([0, 0, 1, 2]),
        torch.tensor([7, 7, 7, 8]),
        torch.tensor([0.0, 0.0, 0.1, 0.9]),
        torch.zeros(4, 1),
        torch.zeros(4, 8, 32),
    )
    like = model._like(batch)
    assert like[0] == like[1] == like[2] != like[3]


@pytest.mark.slow
def test_broken_off_training_ends_with_the_same_bytes(params, tmp_path):
    """From kept blocks, and from one that another process makes in time."""
    block(params.sounds, params.seed, 1, tmp_path / "blocks")
    training.train(params, tmp_path / "whole", tmp_path / "blocks")
    half = params.model_copy(update={"train": params.train.model_copy(update={"steps": 2})})
    training.train(half, tmp_path / "parts", tmp_path / "blocks")
    training.train(params, tmp_path / "parts", tmp_path / "blocks")
    whole, parts = (tmp_path / name / "weights.safetensors" for name in ("whole", "parts"))
    assert whole.read_bytes() == parts.read_bytes()
    start = create_encoder("machine_tiny").state_dict()
    assert any((value != start[name]).any() for name, value in load_tensors(whole).items())


def test_what_is_standardised_by(made):
    scale = fitted(made)
    x = made.features.astype(np.float64)
    x -= x.mean(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(scale.mean, x.mean(axis=(0, 1)), atol=1e-3)
    np.testing.assert_allclose(scale.std, x.std(axis=(0, 1)), rtol=1e-3)
    assert np.isfinite(scale.target_mean).all()
    assert (scale.target_std > 0).all()


def test_a_wrong_key_is_refused_in_one_line(tmp_path):
    file = tmp_path / "params.yaml"
    file.write_text(SHIPPED.read_text().replace("batch: 32", "batch: 31"))
    with pytest.raises(UserError, match=r"sounds\.groups is 96: it must divide by train\.batch \(31\)"):
        read(file)


def test_it_is_a_project_of_its_own():
    """The default run neither has nor sees its stage."""
    assert not [stage.addressing for stage in Repo(str(ROOT)).index.stages if "pretraining" in stage.path_in_repo]
    (stage,) = Repo(str(ROOT / "pretraining")).index.stages
    assert stage.name == "train"
    assert all(Path(dep.fs_path).exists() for dep in stage.deps)


def test_the_kinds_of_params_are_those_that_there_are():
    assert set(read(SHIPPED).sounds.kinds) == set(KINDS)
    assert Path(SHIPPED).is_file()


def test_variants_take_equal_time_and_each_trains_once(tmp_path, monkeypatch):
    steps = {name: variant(name, 0, 192).train.steps for name in VARIANTS}
    assert [steps[name] for name in ("parameters", "eat", "sum", "machines")] == [192, 96, 64, 192]
    assert variant("machines", 0, 192).sounds.kinds == ["machines"]
    trained = []

    def train(params, folder, blocks):
        if not (folder / "losses.csv").is_file():
            trained.append((list(params.train.objectives), params.seed, blocks.name))
            pd.DataFrame({"step": [0, 1], "dry": [1.0, 0.5]}).to_csv(folder / "losses.csv")

    monkeypatch.setattr("pretraining.compare.train", train)
    table = compare(["dry"], [0, 1], 2, tmp_path)
    pd.testing.assert_frame_equal(compare(["dry"], [0, 1], 2, tmp_path), table)
    assert trained == [(["dry"], seed, "machines-synthesizers-textures") for seed in (0, 1)]
    assert list(table["dry"]) == [0.75, 0.75]
    compare(["dry"], [1], 3, tmp_path)
    assert len(trained) == 3, "other steps are another training, from the first step"
