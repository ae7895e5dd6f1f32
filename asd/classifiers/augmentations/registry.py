"""Name of an augmentation (a key of ``systems.<name>.train``, the share of clips) -> what it does.

A new one is a function ``(x, y, share, generator) -> (x, y)``, a line here and a key in params.py. They come in the
order of the tables. Noise is added before, in the unit of the front end: :mod:`asd.classifiers.augmentations.noise`.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from asd.classifiers.augmentations.blends import mixup, spec_augment
from asd.classifiers.augmentations.exchange import EXPANDS, featex, statex
from asd.classifiers.params import Augmented

Augmentation = Callable[[Tensor, Tensor, float, torch.Generator], tuple[Tensor, Tensor]]
OF_FEATURES: dict[str, Augmentation] = {"mixup": mixup, "spec_augment": spec_augment, "statex": statex}
OF_EMBEDDINGS: dict[str, Augmentation] = {"featex": featex}
AUGMENTATIONS = OF_FEATURES | OF_EMBEDDINGS
EXPANDING = ("statex", "featex")


def augment(
    table: dict[str, Augmentation], x: Tensor, y: Tensor, params: Augmented, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Apply those augmentations of a table whose share is not 0."""
    for name, change in table.items():
        if share := getattr(params, name):
            x, y = change(x, y, share, generator)
    return x, y


def label_classes(classes: int, params: Augmented) -> int:
    """Count the classes of labels after all augmentations."""
    return classes * EXPANDS ** sum(getattr(params, name) > 0 for name in EXPANDING)
