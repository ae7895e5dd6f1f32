"""One contract for every encoder, and what is particular to each."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
import yaml
from conftest import ROOT

from asd.core.errors import UserError
from asd.core.section import checked
from asd.encoders.architectures.beats import BEATs
from asd.encoders.architectures.dasheng import Dasheng
from asd.encoders.architectures.dense import DenseParams
from asd.encoders.architectures.dual_branch import DualBranchParams
from asd.encoders.architectures.efficientat import EfficientAT
from asd.encoders.architectures.machine import PARAMETERS, MachineEncoder
from asd.encoders.architectures.mel_bands import MelBandsParams
from asd.encoders.architectures.rows import RowsParams
from asd.encoders.architectures.se_resnet import SEBasicBlock, SEResNet18Params
from asd.encoders.architectures.vit import SmallParams, TinyParams, ViTEncoder, frequency_first, in_patches, positions
from asd.encoders.embedding import by_length
from asd.encoders.encoder import Encoder, windows
from asd.encoders.encoder_params import ENCODERS, EncoderBlock, EncoderParams
from asd.encoders.networks import create_encoder, load_tensors, read_encoder, write_encoder
from asd.encoders.precision import at_precision
from asd.encoders.published import PUBLISHED
from asd.features.extraction import extract
from asd.features.fitting import FittedFrontEnd
from asd.features.front_end import FrontEnd
from asd.params import check

BLOCKS = {
    "rows": RowsParams(architecture="rows", features="x"),
    "mel_bands": MelBandsParams(architecture="mel_bands", features="x"),
    "dense": DenseParams(architecture="dense", features="x"),
    "se_resnet18": SEResNet18Params(architecture="se_resnet18", features="x", width=8),
    "dual_branch": DualBranchParams(architecture="dual_branch", features="x", width=2, points=512),
    "tiny": TinyParams(architecture="tiny", features="x", dims=32, depth=2, heads=2, frames=48),
    "small": SmallParams(architecture="small", features="x", dims=32, depth=2, heads=2, frames=48),
}
BANDS = 32
TOKENS = {  # encoders of tokens, small ones; of every network
    "eat": lambda: ViTEncoder(BANDS, dims=32, depth=3, heads=2, frames=48, places=8),
    "beats": lambda: BEATs(BANDS, dims=48, depth=3, heads=2, frames=48),
    "dasheng": lambda: Dasheng(BANDS, dims=32, depth=3, heads=2, frames=48),
    "efficientat": lambda: EfficientAT(BANDS, width=0.1, frames=48),
    "machine": lambda: MachineEncoder(384, dims=32, depth=3, heads=2, frames=48),
}


def width(encoder: Encoder) -> int:
    """Columns of the encoder's input: two spectrograms of our own, of which one is of eight short frames a row."""
    return 384 if isinstance(encoder, MachineEncoder) else BANDS


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=TOKENS)
def encoder(request):
    torch.manual_seed(3)
    return TOKENS[request.param]().eval()


def test_every_network_is_under_contract():
    assert set(ENCODERS) == set(BLOCKS) | set(PUBLISHED)
    tried = {type(block).network for block in BLOCKS.values()} | {type(make()) for make in TOKENS.values()}
    assert {block.network.__name__ for block in ENCODERS.values()} == {n.__name__ for n in tried} | {"WavLM", "HuBERT"}


def test_an_encoder_is_added_by_one_file(monkeypatch):
    monkeypatch.setattr(ENCODERS, "_known", dict(ENCODERS))

    class Largest(torch.nn.Module):
        def __init__(self, n_features, times=1.0):
            super().__init__()
            self.times = times

        def forward(self, x):
            return self.times * x.amax(dim=1, keepdim=True)

    @ENCODERS.register("largest")
    class LargestParams(EncoderBlock):
        network = Largest
        has_weights = False
        times: float = 1.0

    block = checked(EncoderParams, {"architecture": "largest", "features": "x", "times": 2.0}).root
    assert isinstance(block, LargestParams)
    assert create_encoder(block, 3)(torch.ones(1, 4, 3)).tolist() == [[[2.0] * 3]]
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["encoders"]["more"] = {"architecture": "largest", "features": "log_mel"}
    content["training_free"]["frozen"] |= {"encoder": "initial/more"}
    check(content)


@pytest.mark.parametrize("name", [n for n, block in ENCODERS.items() if block.adaptable])
def test_transformers_name_the_linear_layers_of_their_blocks(name):
    with torch.device("meta"):
        network = create_encoder(name)
    blocks = network.transformer_blocks()
    assert len(blocks) == network.depth
    named = {f"{block}.{layer}" for block in blocks for layer in network.block_layers}
    assert named == {
        name
        for name, part in network.named_modules()
        if isinstance(part, torch.nn.Linear) and name.startswith(tuple(blocks)) and "grep" not in name
    }


@pytest.mark.parametrize("name", [n for n in BLOCKS if n != "dense"])
@pytest.mark.parametrize("rows", [1, 17, 100])
def test_embeddings_have_bands_and_dims_and_ignore_the_batch(name, rows):
    network = create_encoder(BLOCKS[name], BANDS, seed=1)
    x = noise(3, rows, BANDS)
    with torch.inference_mode():
        together, alone = network(x), network(x[1:2])
    assert together.shape == (3, rows if name == "rows" else 1, network.dims)
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


@pytest.mark.parametrize("rows", [1, 16, 47, 48, 131])
def test_tokens_are_a_grid_of_every_layer(encoder, rows):
    x = noise(2, rows, width(encoder))
    with torch.inference_mode():
        grids = encoder.tokens(x, layers=range(1, encoder.depth + 1))
        (last,) = encoder.tokens(x)
    assert len(grids) == encoder.depth
    assert last.values.shape[2:] == (encoder.bands, encoder.dims)
    assert torch.equal(last.values, grids[-1].values)
    assert all(len(grid.values) == 2 and grid.values.isfinite().all() for grid in grids)


@pytest.mark.parametrize("lengths", [[48, 20, 33, 16], [130, 48, 3, 77]], ids=["one window", "several windows"])
def test_padding_and_neighbours_change_nothing(encoder, lengths):
    rows = torch.tensor(lengths)
    x = noise(len(rows), int(rows.max()), width(encoder))
    x[torch.arange(x.shape[1]) >= rows[:, None]] = 1e4  # if anything looked at it, everything would change
    with torch.inference_mode():
        grids = encoder.tokens(x, rows, layers=(1, encoder.depth))
        alone = [encoder.tokens(x[i : i + 1, :length], layers=(1, encoder.depth)) for i, length in enumerate(lengths)]
        pooled, single = encoder(x, rows), [encoder(x[i : i + 1, :length]) for i, length in enumerate(lengths)]
    for i, own in enumerate(alone):
        for padded, exact in zip(grids, own, strict=True):
            real = padded.values[i] if padded.real is None else padded.values[i][padded.real[i]]
            torch.testing.assert_close(real, exact.values[0], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(pooled, torch.cat(single), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("precision", "most"), [("float32", 0.0), ("bfloat16", 0.03), ("int8", 0.1)])
def test_a_lower_precision_changes_embeddings_a_little(encoder, precision, most):
    x = noise(4, 48, width(encoder))
    with torch.inference_mode():
        exact, rough = encoder(x), at_precision(encoder, precision)(x)
        again = encoder(x)
    assert rough.dtype == torch.float32
    assert (rough - exact).norm() <= most * exact.norm()
    assert torch.equal(exact, again)


def test_several_layers_stand_side_by_side(encoder):
    encoder.chosen = (encoder.depth, encoder.depth)
    with torch.inference_mode():
        twice = encoder(noise(2, 48, width(encoder)))
        encoder.chosen = ()
        once = encoder(noise(2, 48, width(encoder)))
    assert torch.equal(twice, torch.cat([once, once], dim=2))


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_encoders_are_what_the_table_says(name):
    entry = PUBLISHED[name]
    with torch.device("meta"):
        network = create_encoder(name)
    assert network.dims == entry.dims
    assert network.bands * entry.patch[1] == entry.n_features or network.bands == 1
    assert re.fullmatch("[0-9a-f]{64}", entry.sha256 or "0" * 64)
    assert (
        checked(FrontEnd, {"kind": entry.front_end} | MORE.get(entry.front_end, {})).root.n_features == entry.n_features
    )
    with pytest.raises(UserError, match=f"{name} takes {entry.n_features} features, not 7"):
        create_encoder(name, 7)


def test_machine_small_gives_tokens_or_parameters():
    """Ten numbers a clip, of the mean of each band's tokens, whatever the pooling."""
    block = {"architecture": "machine_tiny", "features": "x", "weights": "random"}
    tokens, parameters = (
        create_encoder(checked(EncoderParams, block | {"output": output}).root, seed=1)
        for output in ("tokens", "parameters")
    )
    x = noise(2, 80, 384)
    with torch.inference_mode():
        embedded = parameters(x)
        means = tokens.tokens(x)[0].values.mean(dim=1).flatten(1)
        assert embedded.shape == (2, 1, len(PARAMETERS))
        torch.testing.assert_close(embedded[:, 0], tokens.known(means))
        assert tokens(x).shape == (2, 1, 80)
    assert not any(p.requires_grad for p in parameters.known.parameters())  # they learn in pre-training alone


MORE = {"kaldi_fbank": {"sample_rate": 16000, "n_mels": 128, "frame_shift": 10, "mean": -4.268, "std": 4.569}}


def test_encoders_of_waveforms_are_torchaudios():
    network = create_encoder("wavlm_base")
    x = noise(2, 25, 320)
    with torch.inference_mode():
        grids = network.tokens(x, layers=(1, 12))
        theirs = network.model.extract_features(x.flatten(1))[0]
        short = network(x[:, :1])  # less than the first token sees: repeated
    for grid, layer in zip(grids, (theirs[0], theirs[11]), strict=True):
        assert torch.equal(grid.values[:, :, 0], layer)
    assert short.shape == (2, 1, 768)


def test_front_ends_of_encoders(tmp_path):
    """What a recording of a lower rate lacks stays empty; a waveform is cut into rows."""
    path, sound = tmp_path / "x.wav", 0.1 * noise(16100).numpy()
    soundfile.write(path, sound, 16000, subtype="FLOAT")
    mel = {"kind": "efficientat_mel"}
    with pytest.raises(UserError, match="too low for the efficientat_mel up to 15000 Hz"):
        extract(path, FittedFrontEnd(checked(FrontEnd, mel).root))
    rows = extract(path, FittedFrontEnd(checked(FrontEnd, mel | {"low_rate": "resample"}).root))
    assert rows.shape == (101, 128)
    inner = rows[2:-2]  # frames beyond an end hear the bend of the reflection there, which has all frequencies
    assert inner[:, -1].max() < np.log(1e-4) < inner[:, 40].min()  # 14.8 kHz and 1.8 kHz
    waveform = FittedFrontEnd(checked(FrontEnd, {"kind": "waveform"}).root)
    np.testing.assert_array_equal(extract(path, waveform).ravel(), sound[:16000])


@pytest.mark.parametrize(
    ("architecture", "features", "says"),
    [
        ("mel_bands", "statistics", "mel_bands takes tokens that divide its 30 features, not 8"),
        ("beats_iter3", "log_mel", "beats_iter3 takes a beats_fbank of 128 features"),
        ("small", "frequencies", "small takes a log_mel or kaldi_fbank whose"),
    ],
)
def test_an_encoder_behind_another_front_end_is_refused(architecture, features, says):
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["encoders"]["more"] = {"architecture": architecture, "features": features}
    with pytest.raises(UserError, match=f"encoders.more.features is '{features}': {says}"):
        check(content)


@pytest.mark.parametrize(
    ("architecture", "choice", "why"),
    [
        ("mn04", {"layers": [18]}, "mn04 has no layer 18: it has 17"),
        ("mn04", {"pooling": {"kind": "cls"}}, "mn04 has no class token"),
        ("mn04", {"layers": [3, 17], "pooling": {"per_band": True}}, "mn04's layers differ in shape"),
        ("eat_huge", {}, "architecture"),
        ("mn04", {"layers": [0]}, "greater than or equal to 1"),
        ("tiny", {"weights": "x"}, "weights is unknown"),
    ],
)
def test_wrong_choices_are_one_line(architecture, choice, why):
    with pytest.raises(UserError, match=why) as refused:
        create_encoder(checked(EncoderParams, {"architecture": architecture, "features": "x"} | choice).root)
    assert "\n" not in str(refused.value)


def test_dense_is_the_baseline():
    network = create_encoder(BLOCKS["dense"], 128)
    trainable = sum(p.numel() for p in network.parameters())
    running = sum(b.numel() for n, b in network.named_buffers() if n.endswith(("running_mean", "running_var")))
    assert (trainable, trainable + running) == (267_928, 269_992)
    assert network(torch.randn(4, 640)).shape == (4, 640)


@pytest.mark.parametrize("width", [4, 5, 8])
def test_a_residual_block_of_few_channels_can_be_trained(width):
    """Freed memory was corrupted here on processors without AVX-512."""
    torch.manual_seed(0)
    block = SEBasicBlock(width, 2 * width, stride=2).to(memory_format=torch.channels_last)
    x = torch.randn(7, width, 32, 16).to(memory_format=torch.channels_last).requires_grad_()
    strided = torch.nn.Conv2d(width, 2 * width, 1, 2, bias=False)
    strided.weight = block.shortcut[0].weight
    shortcut = block.shortcut[0](x[:, :, ::2, ::2])
    torch.testing.assert_close(shortcut, strided(x.contiguous()), rtol=1e-5, atol=1e-5)
    for _ in range(50):
        block(x).square().mean().backward()
    assert torch.isfinite(x.grad).all()


def test_se_resnet18_of_width_64_has_the_size_of_the_published_network():
    network = create_encoder(SEResNet18Params(architecture="se_resnet18", features="x"), 128)
    published = [*network.stem.parameters(), *network.stages.parameters()]  # the head is the task's
    assert sum(p.numel() for p in published) == pytest.approx(11.3e6, rel=0.01)


@pytest.mark.parametrize(("channels", "side"), [(1, 16), (5, 8)])
def test_patches_are_those_of_the_convolution(channels, side):
    convolution = torch.nn.Conv2d(channels, 7, side, side)
    x = torch.randn(3, channels, 4 * side, 2 * side, requires_grad=True)
    want, got = convolution(x).flatten(2).transpose(1, 2), in_patches(x, convolution)
    torch.testing.assert_close(got, want)
    which = [x, *convolution.parameters()]
    torch.testing.assert_close(
        torch.autograd.grad(got.square().sum(), which), torch.autograd.grad(want.square().sum(), which)
    )


def test_positions_tell_every_patch_apart():
    grid = positions(8, 8, 128)
    distance = torch.cdist(grid, grid) + torch.eye(64) * 9
    assert distance.min() > 0.1


def test_positions_of_eat_tell_the_band_first():
    """The formula of its table: half of the dimensions for each axis, sines before cosines."""
    table = frequency_first(64, 8, 768).double()
    rates = 1 / 10000 ** (np.arange(192) / 192)
    band, time = 5 * rates, 63 * rates
    place = np.concatenate([np.sin(band), np.cos(band), np.sin(time), np.cos(time)])
    np.testing.assert_allclose(table[63 * 8 + 5], place, atol=1e-5)


def test_windows_cover_a_long_clip():
    x = torch.arange(100.0)[None, :, None]
    assert windows(x, 100).shape == (1, 1, 100, 1)
    pieces = windows(x, 48)
    assert pieces.shape == (1, 3, 48, 1)
    assert set(pieces.flatten().tolist()) == set(range(100))


def test_batches_hold_clips_of_one_length():
    lengths = {"a": 3, "b": 5, "c": 3, "d": 3, "e": 5}
    store = SimpleNamespace(n_frames=lengths.__getitem__)
    assert list(by_length(store, list("edcba"), 2)) == [["a", "c"], ["d"], ["b", "e"]]


def test_missing_weights_are_one_line(tmp_path):
    with pytest.raises(UserError, match="is missing: run dvc repro"):
        load_tensors(tmp_path / "weights.safetensors")
