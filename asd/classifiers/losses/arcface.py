"""ArcFace: softmax over cosines, with a margin on the angle to the own class."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ArcFace(nn.Module):
    """Cross-entropy of scaled cosines with an additive angular margin on the target class.

    ``L = - sum_j y_j log softmax_j(s cos(theta_j + m y_j))``; where ``theta + m`` would pass pi the cosine goes on
    falling linearly. With one-hot labels this is ArcFace; the margin in proportion to a soft label is ours.

    Parameters
    ----------
    dims : int
        Size of an embedding.
    classes : int
        Number of classes.
    scale : float
        s, 30 as in most systems for this task.
    margin : float
        m [rad].

    References
    ----------
    Deng et al., "ArcFace: Additive angular margin loss for deep face recognition", CVPR 2019.
    """

    def __init__(self, dims: int, classes: int, scale: float = 30.0, margin: float = 0.2) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.empty(classes, dims))
        nn.init.xavier_uniform_(self.centres)
        self.scale, self.margin = scale, margin

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the loss of embeddings ``(clips, dims)`` with soft labels ``(clips, classes)``, and the logits."""
        cosine = (F.normalize(x) @ F.normalize(self.centres).T).clamp(-1 + 1e-7, 1 - 1e-7)
        margin = self.margin * y
        turned = torch.cos(torch.acos(cosine) + margin)
        beyond = cosine < torch.cos(torch.pi - margin)
        logits = torch.where(beyond, cosine - margin * torch.sin(margin), turned)
        return F.cross_entropy(self.scale * logits, y), self.scale * cosine
