"""What convolutional networks remember: statistics of their shallow feature maps."""

import numpy as np
import pytest
import torch

from asd.encoders.batches import apply
from asd.encoders.levels import level_statistics
from asd.encoders.params import DualBranch, SEResNet18
from asd.encoders.registry import create_encoder

RESNET = {"architecture": "se_resnet18", "features": "x", "width": 8}
DUAL = {"architecture": "dual_branch", "features": "x", "width": 4, "points": 512}


class Store:
    """Three clips of random rows."""

    def __init__(self, bands: int) -> None:
        self.clips = {f"c{i}": np.random.default_rng(i).normal(size=(40, bands)).astype(np.float32) for i in range(3)}

    def __contains__(self, clip: str) -> bool:
        return clip in self.clips

    def __getitem__(self, clip: str) -> np.ndarray:
        return self.clips[clip]

    def rows(self, clip: str) -> int:
        return len(self.clips[clip])

    def normalised(self, rows: np.ndarray) -> np.ndarray:
        return rows


def test_statistics_of_a_map_are_those_of_plain_numpy():
    level = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 8, 11, 12)).astype(np.float32))
    found = level_statistics(level, channels=4).numpy()  # 4 cells of 3 bands
    cells = level.numpy().reshape(2, 8, 11, 4, 3).mean(axis=4)
    wanted = [cells.mean(axis=2), cells.std(axis=2), np.diff(cells, axis=2).std(axis=2)]
    np.testing.assert_allclose(found, np.concatenate([w.reshape(2, -1) for w in wanted], axis=1), atol=1e-6)
    assert found.shape == (2, 3 * 8 * 4)


@pytest.mark.parametrize("frames", [1, 2])
def test_a_map_of_a_frame_or_two_has_no_deviation_of_what_is_not_there(frames):
    found = level_statistics(torch.rand(2, 4, frames, 8), channels=4)
    assert torch.isfinite(found).all()
    assert not found[:, 2 * 32 :].any()  # of one difference, or none


@pytest.mark.parametrize(
    ("params", "bands", "shape"),
    [
        (SEResNet18(**RESNET, levels=1), 128, (3, 1, 192)),
        (SEResNet18(**RESNET, levels=5), 128, (3, 5, 192)),
        (DualBranch(**DUAL, levels=1), 320, (3, 2, 96)),
        (DualBranch(**DUAL, levels=3, branches="stft"), 320, (3, 3, 96)),
        (DualBranch(**DUAL, levels=2, branches="spectrum"), 320, (3, 2, 96)),
    ],
)
def test_every_level_has_as_many_dimensions(params, bands, shape):
    store = Store(bands)
    found = apply(create_encoder(params, bands), [store], ["c2", "c0", "c1"], torch.device("cpu"))
    assert found.shape == shape
    alone = apply(create_encoder(params, bands), [store], ["c0"], torch.device("cpu"))
    np.testing.assert_allclose(found[1], alone[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("params", [SEResNet18(**RESNET), DualBranch(**DUAL)])
def test_without_levels_the_trained_embedding_is_remembered(params):
    network, x = create_encoder(params, 128), torch.rand(2, 40, 128)
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
