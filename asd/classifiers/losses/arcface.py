"""ArcFace: softmax over cosines, with a margin on the angle to the own class."""

import torch
import torch.nn.functional as F
from torch import Tensor

from asd.classifiers.losses.centres import Centres

NEARLY = 1 - 1e-7  # largest cosine whose angle has a gradient


class SubCenterArcFace(Centres):
    """Cross-entropy of scaled cosines with an additive angular margin, the nearest of several centres counting.

    ``L = - sum_j y_j log softmax_j(s cos(theta_j + m y_j))``, ``theta_j`` the angle to the nearest centre of class j;
    where ``theta + m`` would pass pi the cosine goes on falling linearly. With one-hot labels this is the paper's; the
    margin in proportion to a soft label is ours.

    Parameters
    ----------
    dims, classes, sub_clusters
        See :class:`asd.classifiers.losses.centres.Centres`.
    scale : float
        s, 30 as in most systems for this task.
    margin : float
        m [rad].

    References
    ----------
    J. Deng et al., "Sub-center ArcFace: Boosting face recognition by large-scale noisy web faces", ECCV 2020.
    """

    def __init__(
        self, dims: int, classes: int, sub_clusters: int = 3, scale: float = 30.0, margin: float = 0.2
    ) -> None:
        super().__init__(dims, classes, sub_clusters)
        self.scale, self.margin = scale, margin

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the loss of embeddings ``(clips, dims)`` with soft labels ``(clips, classes)``, and the logits."""
        cosine = self.cosines(x).amax(dim=2).clamp(-NEARLY, NEARLY)
        margin = self.margin * y
        turned = torch.cos(torch.acos(cosine) + margin)
        beyond = cosine < torch.cos(torch.pi - margin)
        logits = torch.where(beyond, cosine - margin * torch.sin(margin), turned)
        return F.cross_entropy(self.scale * logits, y), self.scale * cosine


class ArcFace(SubCenterArcFace):
    """The same with one centre a class.

    References
    ----------
    J. Deng et al., "ArcFace: Additive angular margin loss for deep face recognition", CVPR 2019.
    """

    def __init__(self, dims: int, classes: int, scale: float = 30.0, margin: float = 0.2) -> None:
        super().__init__(dims, classes, 1, scale, margin)
