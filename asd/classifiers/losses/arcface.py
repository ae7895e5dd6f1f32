"""ArcFace: softmax over cosines, with a margin on the angle to the own class."""

from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from asd.classifiers.losses import LOSSES
from asd.classifiers.losses.centers import CenterLoss, SubClusters

Scale = Annotated[float, Field(gt=0)]
Margin = Annotated[float, Field(ge=0, lt=1.5, description="[rad]")]
NEARLY = 1 - 1e-7  # largest cosine whose angle has a gradient


@LOSSES.register("sub_center_arcface")
class SubCenterArcFace(CenterLoss):
    """Cross-entropy of scaled cosines with an additive angular margin, the nearest of several centres counting.

    ``L = - sum_j y_j log softmax_j(s cos(theta_j + m y_j))``, ``theta_j`` the angle to the nearest centre of class j;
    where ``theta + m`` would pass pi the cosine goes on falling linearly. With one-hot labels this is the paper's; the
    margin in proportion to a soft label is ours.

    Parameters
    ----------
    dims, classes, sub_clusters
        See :class:`asd.classifiers.losses.centers.CenterLoss`.
    scale : float
        s, 30 as in most systems for this task.
    margin : float
        m [rad].

    References
    ----------
    J. Deng et al., "Sub-center ArcFace: Boosting face recognition by large-scale noisy web faces", ECCV 2020.
    """

    def __init__(
        self, dims: int, classes: int, sub_clusters: SubClusters = 3, scale: Scale = 30.0, margin: Margin = 0.2
    ) -> None:
        super().__init__(dims, classes, sub_clusters)
        self.scale, self.margin = scale, margin

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """See :meth:`asd.classifiers.losses.Loss.forward`."""
        cosine = self.cosines(x).amax(dim=2).clamp(-NEARLY, NEARLY)  # (clips, classes), to the nearest centre
        margin = self.margin * y
        turned = torch.cos(torch.acos(cosine) + margin)
        beyond = cosine < torch.cos(torch.pi - margin)
        logits = torch.where(beyond, cosine - margin * torch.sin(margin), turned)
        return F.cross_entropy(self.scale * logits, y), self.scale * cosine


@LOSSES.register("arcface")
class ArcFace(SubCenterArcFace):
    """The same with one centre a class.

    References
    ----------
    J. Deng et al., "ArcFace: Additive angular margin loss for deep face recognition", CVPR 2019.
    """

    def __init__(self, dims: int, classes: int, scale: Scale = 30.0, margin: Margin = 0.2) -> None:
        super().__init__(dims, classes, 1, scale, margin)
