"""AdaCos: softmax over cosines, with a scale from the number of classes, or one that follows training."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from asd.classifiers.losses import LOSSES
from asd.classifiers.losses.centers import FEWEST, CenterLoss, SubClusters, fixed_scale

NEARLY = 1 - 1e-7  # largest cosine whose angle has a gradient


@LOSSES.register("sub_cluster_adacos")
class SubClusterAdaCos(CenterLoss):
    """Cross-entropy of scaled cosines to several centres a class, with a fixed scale.

    ``L = - sum_j y_j log sum_{c <= S} p_{j,c}``, ``p`` the softmax of ``s cos(x, w_{j,c})`` over all C S centres,
    ``s = sqrt(2) log(C S - 1)``. The probabilities of a class's centres are added, so y may be soft.

    Parameters
    ----------
    dims, classes, sub_clusters, train_centers
        See :class:`asd.classifiers.losses.centers.CenterLoss`; in the paper centres stay as they
        were initialised.

    References
    ----------
    K. Wilkinghoff, "Sub-cluster AdaCos: Learning representations for anomalous sound detection", IJCNN 2021.
    """

    def __init__(self, dims: int, classes: int, sub_clusters: SubClusters = 16, train_centers: bool = True) -> None:
        super().__init__(dims, classes, sub_clusters, train_centers)
        self.scale = fixed_scale(classes, sub_clusters)

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """See :meth:`asd.classifiers.losses.Loss.forward`."""
        logits = (self.scale * self.cosines(x)).logsumexp(dim=2)  # (clips, classes, centers) -> (clips, classes)
        return F.cross_entropy(logits, y), logits


@LOSSES.register("adacos")
class AdaCos(SubClusterAdaCos):
    """Cross-entropy of scaled cosines to class centres, with a fixed scale.

    ``L = - sum_j y_j log softmax_j(s cos(x, w_j))``, ``s = sqrt(2) log(C - 1)``

    References
    ----------
    X. Zhang et al., "AdaCos: Adaptively scaling cosine logits for effectively learning deep face representations",
    CVPR 2019, the fixed variant.
    """

    def __init__(self, dims: int, classes: int, train_centers: bool = True) -> None:
        super().__init__(dims, classes, 1, train_centers)


@LOSSES.register("adacos_dynamic")
class DynamicAdaCos(CenterLoss):
    """AdaCos whose scale follows training.

    Before each step of training ``s <- log(B) / cos(min(pi / 4, theta))``: B is the mean over the batch of
    ``sum_{j != target} exp(s cos theta_j)`` with the s before, theta the median over the batch of the angles between
    embeddings and their target. A soft label has no one target: ours are the terms of B weighted by ``1 - y_j``, and
    the mean angle ``sum_j y_j theta_j``; for one-hot labels both are the paper's. It starts at
    ``sqrt(2) log(C - 1)`` and never falls below that of four classes.

    References
    ----------
    X. Zhang et al., CVPR 2019, eq. 13-15.
    """

    scale: Tensor

    def __init__(self, dims: int, classes: int) -> None:
        super().__init__(dims, classes)
        self.register_buffer("scale", torch.tensor(fixed_scale(classes)))

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """See :meth:`asd.classifiers.losses.Loss.forward`."""
        cosines = self.cosines(x).squeeze(2)  # (clips, classes)
        if self.training:
            self.scale.copy_(_next_scale(self.scale, cosines.detach(), y))
        logits = self.scale * cosines
        return F.cross_entropy(logits, y), logits


def _next_scale(scale: Tensor, cosines: Tensor, y: Tensor) -> Tensor:
    others = ((scale * cosines).exp() * (1 - y)).sum(dim=1).mean()
    angle = (y * cosines.clamp(-NEARLY, NEARLY).acos()).sum(dim=1).median()
    followed = others.log() / angle.clamp(max=math.pi / 4).cos()
    return followed.clamp(min=fixed_scale(FEWEST))
