"""One contract for every encoder, and what is particular to each."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from asd.encoders.batches import by_length
from asd.encoders.params import Dense, PooledMel, SEResNet18, Tiny
from asd.encoders.registry import NETWORKS, create_encoder, load_tensors, read_encoder, write_encoder
from asd.encoders.encoder import windows
from asd.encoders.vit import positions
from asd.errors import UserError

BLOCKS = {
    "pooled_mel": PooledMel(architecture="pooled_mel", features="x"),
    "dense": Dense(architecture="dense", features="x"),
    "se_resnet18": SEResNet18(architecture="se_resnet18", features="x", width=8),
    "tiny": Tiny(architecture="tiny", features="x", dims=32, depth=2, heads=2, frames=48),
}
BANDS = 32


def test_every_network_is_under_contract():
    assert set(BLOCKS) == set(NETWORKS)


@pytest.mark.parametrize("name", [n for n in BLOCKS if n != "dense"])
@pytest.mark.parametrize("rows", [1, 17, 100])
def test_embeddings_have_bands_and_dims_and_ignore_the_batch(name, rows):
    network = create_encoder(BLOCKS[name], BANDS, seed=1)
    x = torch.randn(3, rows, BANDS, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        together, alone = network(x), network(x[1:2])
    assert together.shape == (3, 1, network.dims)
    assert torch.isfinite(together).all()
    torch.testing.assert_close(together[1:2], alone, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", BLOCKS)
def test_weights_depend_on_the_seed_alone(name, tmp_path):
    torch.manual_seed(5)
    first = create_encoder(BLOCKS[name], BANDS, seed=1)
    torch.rand(7)
    second, other = create_encoder(BLOCKS[name], BANDS, seed=1), create_encoder(BLOCKS[name], BANDS, seed=2)
    for folder, network in (("a", first), ("b", second), ("c", other)):
        write_encoder(tmp_path / folder, network, BLOCKS[name], BANDS)
    a, b, c = ((tmp_path / f / "weights.safetensors").read_bytes() for f in "abc")
    assert a == b
    assert (a == c) == (not list(first.parameters()))
    again = read_encoder(tmp_path / "a")
    for key, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[key])


def test_dense_is_the_baseline():
    network = create_encoder(BLOCKS["dense"], 128)
    trainable = sum(p.numel() for p in network.parameters())
    running = sum(b.numel() for n, b in network.named_buffers() if n.endswith(("running_mean", "running_var")))
    assert (trainable, trainable + running) == (267_928, 269_992)
    assert network(torch.randn(4, 640)).shape == (4, 640)


def test_se_resnet18_of_width_64_has_the_size_of_the_published_network():
    network = create_encoder(SEResNet18(architecture="se_resnet18", features="x"), 128)
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(11.3e6, rel=0.01)


def test_pooled_mel_is_mean_and_deviation():
    x = torch.randn(2, 50, BANDS)
    pooled = create_encoder(BLOCKS["pooled_mel"], BANDS)(x)[:, 0].numpy()
    np.testing.assert_allclose(pooled[:, :BANDS], x.numpy().mean(axis=1), atol=1e-6)
    np.testing.assert_allclose(pooled[:, BANDS:], x.numpy().std(axis=1), atol=1e-6)


def test_positions_tell_every_patch_apart():
    grid = positions(8, 8, 128)
    distance = torch.cdist(grid, grid) + torch.eye(64) * 9
    assert distance.min() > 0.1


def test_windows_cover_a_long_clip():
    x = torch.arange(100.0)[None, :, None]
    assert windows(x, 100).shape == (1, 1, 100, 1)
    pieces = windows(x, 48)
    assert pieces.shape == (1, 3, 48, 1)
    assert set(pieces.flatten().tolist()) == set(range(100))


def test_batches_hold_clips_of_one_length():
    lengths = {"a": 3, "b": 5, "c": 3, "d": 3, "e": 5}
    store = SimpleNamespace(rows=lengths.__getitem__)
    assert list(by_length(store, list("edcba"), 2)) == [["a", "c"], ["d"], ["b", "e"]]


def test_missing_weights_are_one_line(tmp_path):
    with pytest.raises(UserError, match="is missing: run dvc repro"):
        load_tensors(tmp_path / "weights.safetensors")
