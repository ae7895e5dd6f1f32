"""What networks remember: statistics of their shallow feature maps."""

import numpy as np
import pytest
import torch

from asd.encoders.adaptation_module import with_module
from asd.encoders.batches import apply
from asd.encoders.levels import level_statistics
from asd.encoders.params import AdaptationModuleParams, DualBranch, SEResNet18, Tiny
from asd.encoders.registry import create_encoder
from asd.encoders.standardise import Standardise, fit

RESNET = {"architecture": "se_resnet18", "features": "x", "width": 8}
TINY = {"architecture": "tiny", "features": "x", "dims": 16, "depth": 2, "heads": 2, "width": 8}
DUAL = {"architecture": "dual_branch", "features": "x", "width": 4, "points": 512}


class Store:
    """Three clips of random rows."""

    def __init__(self, bands: int) -> None:
        self.clips = {f"c{i}": np.random.default_rng(i).normal(size=(40, bands)).astype(np.float32) for i in range(3)}

    @property
    def clip_ids(self) -> list[str]:
        return list(self.clips)

    def __contains__(self, clip: str) -> bool:
        return clip in self.clips

    def __getitem__(self, clip: str) -> np.ndarray:
        return self.clips[clip]

    def rows(self, clip: str) -> int:
        return len(self.clips[clip])

    def normalised(self, rows: np.ndarray) -> np.ndarray:
        return rows


def test_statistics_of_a_map_are_those_of_plain_numpy():
    level = torch.from_numpy(np.random.default_rng(0).normal(5, 1, size=(2, 8, 21, 12)).astype(np.float32))
    found = level_statistics(level, channels=4).numpy()  # 4 cells of 3 bands
    cells = level.numpy().reshape(2, 8, 21, 4, 3).mean(axis=4).transpose(0, 2, 3, 1)  # frames, cells, channels
    changes = [cells[:, lag:] - cells[:, :-lag] for lag in (1, 2, 3, 4, 6, 8, 12, 16)]
    wanted = [each.std(axis=1).reshape(2, -1) for each in (cells, *changes)]
    np.testing.assert_allclose(found, np.concatenate(wanted, axis=1), rtol=1e-4, atol=1e-6)
    assert found.shape == (2, 9 * 8 * 4)


def test_what_is_added_to_all_frames_changes_no_statistic():
    level = torch.rand(1, 4, 40, 8, dtype=torch.float64)
    there = level + torch.rand(1, 4, 1, 8, dtype=torch.float64)
    torch.testing.assert_close(level_statistics(level, 4), level_statistics(there, 4))


@pytest.mark.parametrize("frames", [1, 2])
def test_a_map_of_a_frame_or_two_has_no_deviation_of_what_is_not_there(frames):
    found = level_statistics(torch.rand(2, 4, frames, 8), channels=4)
    assert torch.isfinite(found).all()
    assert found[:, 32:].abs().max() < 1e-6  # of one difference, or none


@pytest.mark.parametrize(
    ("params", "bands", "shape"),
    [
        (SEResNet18(**RESNET, levels=1), 128, (3, 1, 576)),
        (SEResNet18(**RESNET, levels=5, centre=True), 128, (3, 5, 576)),
        (DualBranch(**DUAL, levels=1), 320, (3, 2, 288)),
        (DualBranch(**DUAL, levels=3, branches="stft"), 320, (3, 3, 288)),
        (DualBranch(**DUAL, levels=2, branches="spectrum"), 320, (3, 2, 288)),
        (Tiny(**TINY, levels=1), 32, (3, 1, 576)),
        (Tiny(**TINY, levels=2), 32, (3, 2, 576)),
        (Tiny(**TINY | {"dims": 640}, levels=2), 32, (3, 2, 640)),
    ],
)
def test_every_level_has_as_many_dimensions(params, bands, shape):
    store = Store(bands)
    found = apply(create_encoder(params, bands), [store], ["c2", "c0", "c1"], torch.device("cpu"))
    assert found.shape == shape
    alone = apply(create_encoder(params, bands), [store], ["c0"], torch.device("cpu"))
    np.testing.assert_allclose(found[1], alone[0], rtol=1e-4, atol=1e-5)


def test_second_level_of_a_transformer_is_its_embedding():
    network, x = create_encoder(Tiny(**TINY, levels=2), 32), torch.randn(2, 40, 32)
    levels, embedding = network.remembered(x), network(x).flatten(1)
    torch.testing.assert_close(levels[:, 1, : embedding.shape[1]], embedding)
    assert not levels[:, 1, embedding.shape[1] :].any()
    torch.testing.assert_close(levels[:, :1], create_encoder(Tiny(**TINY, levels=1), 32).remembered(x))


def test_second_level_behind_a_module_is_the_modules_embedding():
    params = AdaptationModuleParams(layers=1, dims=8)
    network, x = with_module(create_encoder(Tiny(**TINY, levels=2), 32), params), torch.randn(2, 40, 32)
    levels = network.remembered(x)
    torch.testing.assert_close(levels[:, 1, :8], network(x).flatten(1))
    torch.testing.assert_close(levels[:, 0], network.encoder.remembered(x)[:, 0])
    assert apply(network, [Store(32)], ["c0"], torch.device("cpu")).shape == (1, 2, 576)


def test_a_clip_shorter_than_a_token_has_levels():
    network = create_encoder(Tiny(**TINY, levels=2), 32)
    assert network.remembered(torch.randn(2, 3, 32)).isfinite().all()


def test_a_transformer_without_convolution_has_no_levels():
    with pytest.raises(ValueError, match="set width"):
        Tiny(architecture="tiny", features="x", levels=1)


def test_levels_are_remembered_at_full_precision():
    with pytest.raises(ValueError, match="not bfloat16"):
        Tiny(architecture="tiny", features="x", width=8, levels=1, precision="bfloat16")


def test_centred_bands_of_a_transformer_hear_changes_alone():
    network, x = create_encoder(Tiny(**TINY, levels=2, centre=True), 32), torch.randn(2, 48, 32)
    fit(network, Store(32))
    torch.testing.assert_close(
        network.remembered(x + torch.randn(2, 1, 32)), network.remembered(x), rtol=1e-3, atol=1e-4
    )


def test_centred_input_of_padded_clips_heeds_what_is_real():
    layer, x = Standardise(8, centre=True), torch.randn(2, 6, 8)
    layer.level.fill_(1.0)
    real = torch.tensor([[True] * 6, [True] * 4 + [False] * 2])
    torch.testing.assert_close(layer(x, real)[1, :4], layer(x[1:, :4])[0])
    torch.testing.assert_close(layer(x, real)[0], layer(x[:1])[0])


@pytest.mark.parametrize("params", [SEResNet18(**RESNET), DualBranch(**DUAL), Tiny(**TINY)])
def test_without_levels_the_trained_embedding_is_remembered(params):
    bands = 32 if isinstance(params, Tiny) else 128
    network, x = create_encoder(params, bands), torch.rand(2, 40, bands)
    torch.testing.assert_close(network.remembered(x), network(x))


@pytest.mark.parametrize("params", [SEResNet18(**RESNET, levels=2), DualBranch(**DUAL, levels=2)])
def test_levels_change_no_weight_and_no_embedding(params):
    plain = create_encoder(params.model_copy(update={"levels": 0}), 128)
    levelled, x = create_encoder(params, 128), torch.rand(2, 40, 128)
    assert {name: tuple(w.shape) for name, w in plain.state_dict().items()} == {
        name: tuple(w.shape) for name, w in levelled.state_dict().items()
    }
    torch.testing.assert_close(plain(x), levelled(x))


def test_logarithms_of_magnitudes_are_what_the_branches_see():
    linear, log = (create_encoder(DualBranch(**DUAL, magnitudes=kind), 320) for kind in ("linear", "log"))
    sound = torch.rand(1, 16000) - 0.5
    for name in ("stft", "spectrum"):
        magnitudes = linear.branches[name].view(sound)
        torch.testing.assert_close(log.branches[name].view(sound), (magnitudes + 1e-5).log())
