"""Weights and inputs that anyone can draw again: what the golden numbers of tests/golden/encoders were computed from.

The numbers came out of the authors' own code (docs/encoders.md says which, at which commit), run in float64 with these
weights, in the names and shapes of their published files, and these inputs. None of that code is here.
"""

import hashlib
import math
import re

import numpy as np
import torch
from torch import Tensor

SAMPLED = 100  # values of a large layer that are compared one by one
SUMS = 8  # of all its values, with signs drawn


def stream(*keys: object) -> np.random.Generator:
    """A generator that depends on its keys alone."""
    return np.random.default_rng(np.frombuffer(hashlib.sha256(repr(keys).encode()).digest(), np.uint32))


def drawn(shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Draw weights of given names and shapes, of a size at which signals neither vanish nor explode."""
    return {name: torch.from_numpy(_value(name, tuple(shape))) for name, shape in shapes.items()}


def _value(name: str, shape: tuple[int, ...]) -> np.ndarray:
    shared = re.sub(r"layers\.\d+\.(.*relative_attention_bias)", r"layers.0.\1", name)  # one tensor under many names
    draw = stream("weights", shared, shape)
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    normal = draw.standard_normal(shape)
    if name.endswith(("running_var", "weight_g", "original0")):
        value = 0.5 + draw.random(shape)
    elif re.search(r"pos|token|relative|grep_a|const", name) and not re.search(r"conv|weight_v|original1", name):
        value = 0.5 * normal
    elif name.endswith("weight") and len(shape) == 1:
        value = 1 + 0.1 * normal
    elif len(shape) < 2:
        value = 0.1 * normal
    else:
        value = normal / math.sqrt(math.prod(shape[1:]))
    return value.astype(np.float32)


def features(clips: int, rows: int, bands: int) -> Tensor:
    """Draw a normalised spectrogram ``(clips, rows, bands)``, float64."""
    return torch.from_numpy(stream("features", clips, rows, bands).standard_normal((clips, rows, bands)))


def fingerprint(values: np.ndarray, key: str) -> dict[str, np.ndarray]:
    """Tell a large layer's output by a few numbers: samples, sums of all values with random signs, the maximum."""
    draw = stream("fingerprint", key, values.shape)
    samples = values.ravel()[draw.integers(values.size, size=SAMPLED)]
    sums = [draw.choice([-1.0, 1.0], values.shape) * values for _ in range(SUMS)]
    return {"samples": samples, "sums": np.sum(sums, axis=(1, 2)) / values.size**0.5, "max": np.abs(values).max()}
