"""Plain softmax: what the losses of angles are compared with."""

import torch.nn.functional as F
from torch import Tensor, nn


class Softmax(nn.Linear):
    """Cross-entropy of a linear layer: lengths count, not angles alone.

    ``L = - sum_j y_j log softmax_j(w_j x + b_j)``
    """

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Compute the loss of embeddings ``(clips, dims)`` with soft labels ``(clips, classes)``, and the logits."""
        logits = super().forward(x)
        return F.cross_entropy(logits, y), logits
