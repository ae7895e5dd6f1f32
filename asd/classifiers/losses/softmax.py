"""Plain softmax: the reference of the losses of angles."""

import torch.nn.functional as F
from torch import Tensor, nn

from asd.classifiers.losses import LOSSES, Loss


@LOSSES.register("softmax")
class Softmax(Loss):
    """Cross-entropy of a linear layer: lengths count, not angles alone.

    ``L = - sum_j y_j log softmax_j(w_j x + b_j)``
    """

    def __init__(self, dims: int, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dims, classes)

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """See :meth:`Loss.forward`."""
        logits = self.linear(x)
        return F.cross_entropy(logits, y), logits
