"""AdaCos: softmax over cosines, with the scale that the number of classes asks for."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def fixed_scale(classes: int) -> float:
    """Give AdaCos' scale ``sqrt(2) log(C - 1)``, never below that of four classes, where it would vanish."""
    return math.sqrt(2) * math.log(max(classes, 4) - 1)


class AdaCos(nn.Module):
    """Cross-entropy of scaled cosines between embeddings and trainable class centres, with a fixed scale.

    ``L = - sum_j y_j log softmax_j(s cos(x, w_j))``, ``s = sqrt(2) log(C - 1)``

    Parameters
    ----------
    dims : int
        Size of an embedding.
    classes : int
        C.

    References
    ----------
    Zhang et al., "AdaCos: Adaptively scaling cosine logits for effectively learning deep face representations",
    CVPR 2019.
    """

    def __init__(self, dims: int, classes: int) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.empty(classes, dims))
        nn.init.xavier_uniform_(self.centres)
        self.scale = fixed_scale(classes)

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the loss of embeddings ``(clips, dims)`` with soft labels ``(clips, classes)``, and the logits."""
        logits = self.scale * F.normalize(x) @ F.normalize(self.centres).T
        return F.cross_entropy(logits, y), logits
