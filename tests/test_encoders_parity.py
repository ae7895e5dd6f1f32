"""Each published architecture gives the numbers of its authors' own code, layer by layer."""

import json
import re
from functools import cache
from itertools import product
from math import prod
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import drawn, features, fingerprint

from asd.core.errors import UserError
from asd.encoders.architectures.beats import BEATs
from asd.encoders.architectures.dasheng import FRONT_END, Dasheng
from asd.encoders.architectures.efficientat import EfficientAT
from asd.encoders.architectures.vit import ViTEncoder
from asd.encoders.networks import check_fit, create_encoder, load_weights
from asd.encoders.published import PUBLISHED
from asd.encoders.weights import is_own, to_own

GOLDEN = Path(__file__).parent / "golden" / "encoders"
SMALL = {  # of every architecture: a network, and a published one whose file is laid out alike
    "eat_small": (lambda: ViTEncoder(128, dims=24, depth=2, heads=3, frames=256, places=16), "eat_base"),
    "beats_small": (lambda: BEATs(128, dims=48, depth=2, heads=3), "beats_iter3"),
    "dasheng_small": (lambda: Dasheng(64, dims=48, depth=3, heads=3, frames=160), "dasheng_base"),
    "efficientat_small": (lambda: EfficientAT(128, width=0.1), "mn04"),
}
FULL = ("eat_base", "eat_large", "beats_iter3_plus", "dasheng_base", "mn04", "mn10", "mn20")
BANDS = {"dasheng": 64}
WRAPPED = ("beats", "dasheng")  # whose tensors are in the published file under the key model
EXACT = {torch.float32: 1e-5, torch.float64: 1e-9}  # of each layer's maximum


@cache
def layouts() -> dict[str, dict[str, tuple[int, ...]]]:
    """Names and shapes in the published files, in the order of the names."""
    kept = json.loads((GOLDEN / "layouts.json").read_text())
    return {
        name: dict(sorted((key, shape) for pattern, shape in layout.items() for key in expanded(pattern)))
        for name, layout in kept.items()
    }


def expanded(pattern: str) -> list[str]:
    """Spell names out as a shell does: ``layers.{0..11}.{bias,weight}``."""
    parts = re.split(r"\{(.*?)\}", pattern)  # every second one stood in braces
    choices = [_choices(part) if place % 2 else [part] for place, part in enumerate(parts)]
    return ["".join(choice) for choice in product(*choices)]


def _choices(part: str) -> list[str]:
    if ".." not in part:
        return part.split(",")
    first, last = part.split("..")
    return [str(number) for number in range(int(first), int(last) + 1)]


def content(name: str) -> dict:
    weights = drawn(layouts()[name])
    return {"model": weights} if name.startswith(WRAPPED) else weights


def check(network, name: str, precision: torch.dtype) -> None:
    """Run the inputs again, compare every layer, and the classes of networks that have some."""
    network = network.to(precision).eval()
    golden = np.load(GOLDEN / f"{name}.npz")
    for rows in sorted({int(key.split(".")[0]) for key in golden}):
        x = features(1, rows, BANDS.get(name.split("_")[0], 128)).to(precision)
        with torch.inference_mode():
            grids = network.tokens(x, layers=range(1, network.depth + 1))
            outputs = {str(layer): _tokens(grid) for layer, grid in enumerate(grids, start=1)}
            outputs |= {"logits": network.classify(x)} if hasattr(network, "classify") else {}
        for layer, output in outputs.items():
            compare(output.double().numpy(), golden, f"{rows}.{layer}", EXACT[precision])


def _tokens(grid):
    tokens = grid.values.flatten(1, 2)[0]
    return tokens if grid.cls is None else torch.cat([grid.cls, tokens])


def compare(ours: np.ndarray, golden, key: str, exact: float) -> None:
    if key in golden:  # small enough to be there as a whole
        assert np.abs(ours - golden[key]).max() <= exact * np.abs(golden[key]).max(), key
        return
    for what, value in fingerprint(ours, key.split(".")[1]).items():
        assert np.abs(value - golden[f"{key}.{what}"]).max() <= exact * golden[f"{key}.max"], (key, what)


@pytest.mark.parametrize("precision", EXACT, ids=str)
@pytest.mark.parametrize("name", SMALL)
def test_small_configurations_give_the_authors_numbers(name, precision):
    make, alike = SMALL[name]
    network = make()
    load_weights(network, to_own(PUBLISHED[alike], content(name), name), name)
    check(network, name, precision)


@pytest.mark.minutes
@pytest.mark.parametrize("precision", EXACT, ids=str)
@pytest.mark.parametrize("name", FULL)
def test_published_configurations_give_the_authors_numbers(name, precision):
    network = create_encoder(name)
    load_weights(network, to_own(PUBLISHED[name], content(name), name), name)
    check(network, name, precision)


@pytest.mark.parametrize("name", [name for name in PUBLISHED if not is_own(name)])
def test_every_tensor_of_a_published_file_is_used_and_none_is_missing(name):
    """By names and shapes alone, in no memory."""
    shapes = layouts()[SAME.get(name, name)]
    with torch.device("meta"):
        network = create_encoder(name)
        tensors = {key: torch.empty(shape) for key, shape in shapes.items()}
    if name.startswith("beats"):  # its tensors of one value are compared by value
        tensors |= {key: torch.zeros(tensors[key].shape) for key in tensors if "relative_attention_bias" in key}
    own = to_own(PUBLISHED[name], {"model": tensors} if name.startswith(WRAPPED) else tensors, name)
    check_fit(network, own, name)
    dropped = len(tensors) - len(own)
    assert dropped == {"beats": 11, "dasheng": len(FRONT_END)}.get(name.split("_")[0], 0)
    some = next(iter(own))
    for wrong in ({**own, "more.weight": own[some]}, {key: own[key] for key in own if key != some}):
        with pytest.raises(UserError, match="these are other weights"):
            check_fit(network, wrong, name)


SAME = {"sslam": "eat_base", "beats_iter3": "beats_iter3_plus"}  # laid out alike


def test_the_published_size_of_eat_is_that_of_its_names_and_shapes():
    """A safetensors file is eight bytes, a padded header of all names and shapes, and the tensors: to the byte."""
    shapes = layouts()["eat_base"]
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in shapes.items():
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end := end + 4 * prod(shape)]}
    padded = -(-len(json.dumps(header, separators=(",", ":"))) // 8) * 8
    assert 8 + padded + end == PUBLISHED["eat_base"].size
