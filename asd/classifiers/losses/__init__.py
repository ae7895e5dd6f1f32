"""Losses of classifiers by name: one file each, whose options are the keywords of the loss's constructor."""

from collections.abc import Sequence
from inspect import signature
from typing import Any, ClassVar, Self, get_type_hints

from torch import Tensor, nn

from asd.classifiers.classes import SoundClass
from asd.core.registry import Registry


class Loss(nn.Module):
    """Base class of losses, which are registered by ``@LOSSES.register(name)``.

    The keywords of a constructor that have defaults are keys of ``systems.<name>.train`` in params.yaml, checked by
    their annotations: ``margin: Annotated[float, Field(ge=0)] = 0.2``.

    Attributes
    ----------
    hard_labels : bool
        Whether each clip must be of one class: augmentations that blend classes are refused.
    needs_classes : bool
        Whether there must be at least two classes.
    """

    hard_labels: ClassVar[bool] = False
    needs_classes: ClassVar[bool] = True

    @classmethod
    def create(cls, dims: int, n_classes: int, classes: Sequence[SoundClass], **options: Any) -> Self:
        """Make a loss.

        Parameters
        ----------
        dims : int
            Size of an embedding.
        n_classes : int
            Columns of the labels; more than ``classes`` after augmentations that make classes of their own.
        classes : sequence of SoundClass
        **options
            Keywords of the constructor.
        """
        return cls(dims, n_classes, **options)

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the mean loss, and logits whose largest says the class.

        Parameters
        ----------
        x : Tensor [shape=(clips, dims)]
            Embeddings.
        y : Tensor [shape=(clips, n_classes)]
            Soft labels.

        Returns
        -------
        Tensor, scalar
        Tensor [shape=(clips, n_classes)]
        """
        raise NotImplementedError

    def figures(self) -> dict[str, Any]:
        """Give what metrics/train says of the loss's own state."""
        return {}


LOSSES: Registry[type[Loss]] = Registry("asd.classifiers.losses")


def options_of(loss: type[Loss]) -> dict[str, tuple[Any, Any]]:
    """List the options of a loss: name -> annotation and default."""
    hints = get_type_hints(loss.__init__, include_extras=True)
    keywords = signature(loss.__init__).parameters.values()
    return {one.name: (hints[one.name], one.default) for one in keywords if one.default is not one.empty}
