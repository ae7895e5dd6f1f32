"""Published encoders: size, front end, and where the weights are; each is registered beside its architecture."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from asd.core.registry import Registry

HUB = "https://huggingface.co"
OWN = "asd/encoders/pretrained"  # in this repository and in the package: weights that pretraining/ makes


def as_they_are(content: Mapping[str, Any]) -> dict[str, Any]:
    """Take the tensors of a file that has the network's own names."""
    return dict(content)


@dataclass(frozen=True)
class Published:
    """One published encoder."""

    options: Mapping[str, float]
    """Of the network's constructor, besides the number of features."""
    front_end: str
    """Kind of its front end, with that kind's default values."""
    n_features: int
    """Width of a row of that front end."""
    patch: tuple[int, int]
    """Rows and features of one token."""
    dims: int
    """Size of an embedding."""
    licence: str
    file: str
    """Name of the weights; empty where there are none."""
    addresses: tuple[str, ...]
    """Folders that offer the file; the first that answers is taken. :data:`OWN`: it comes with the package."""
    own_names: Callable[[Mapping[str, Any]], dict[str, Any]] = as_they_are
    """From the content of the published file to tensors with the network's names; nothing is left out silently."""
    size: int | None = None
    """[bytes]; None: not known."""
    sha256: str | None = None
    """None: not known, recorded when the file is downloaded first."""


PUBLISHED: Registry[Published] = Registry("asd.encoders.architectures")
