"""AdaCos: softmax over cosines, with the scale that the number of classes asks for, or that training asks for."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from asd.classifiers.losses.centres import FEWEST, Centres, fixed_scale

NEARLY = 1 - 1e-7  # largest cosine whose angle has a gradient


class SubClusterAdaCos(Centres):
    """Cross-entropy of scaled cosines to several centres a class, with a fixed scale.

    ``L = - sum_j y_j log sum_{c <= S} p_{j,c}``, ``p`` the softmax of ``s cos(x, w_{j,c})`` over all C S centres,
    ``s = sqrt(2) log(C S - 1)``. The probabilities of a class's centres are added, so y may be soft.

    Parameters
    ----------
    dims, classes, sub_clusters, train_centres
        See :class:`asd.classifiers.losses.centres.Centres`. Centres that stay where they were drawn are the paper's.

    References
    ----------
    K. Wilkinghoff, "Sub-cluster AdaCos: Learning representations for anomalous sound detection", IJCNN 2021.
    """

    def __init__(self, dims: int, classes: int, sub_clusters: int = 16, train_centres: bool = True) -> None:
        super().__init__(dims, classes, sub_clusters, train_centres)
        self.scale = fixed_scale(classes, sub_clusters)

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the loss of embeddings ``(clips, dims)`` with soft labels ``(clips, classes)``, and the logits."""
        logits = (self.scale * self.cosines(x)).logsumexp(dim=2)
        return F.cross_entropy(logits, y), logits


class AdaCos(SubClusterAdaCos):
    """Cross-entropy of scaled cosines to class centres, with a fixed scale.

    ``L = - sum_j y_j log softmax_j(s cos(x, w_j))``, ``s = sqrt(2) log(C - 1)``

    References
    ----------
    X. Zhang et al., "AdaCos: Adaptively scaling cosine logits for effectively learning deep face representations",
    CVPR 2019, the fixed variant.
    """

    def __init__(self, dims: int, classes: int, train_centres: bool = True) -> None:
        super().__init__(dims, classes, 1, train_centres)


class DynamicAdaCos(Centres):
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
        """Compute the loss of embeddings ``(clips, dims)`` with soft labels ``(clips, classes)``, and the logits."""
        cosines = self.cosines(x).squeeze(2)
        if self.training:
            self.scale.copy_(_followed(self.scale, cosines.detach(), y))
        logits = self.scale * cosines
        return F.cross_entropy(logits, y), logits


def _followed(scale: Tensor, cosines: Tensor, y: Tensor) -> Tensor:
    others = ((scale * cosines).exp() * (1 - y)).sum(dim=1).mean()
    angle = (y * cosines.clamp(-NEARLY, NEARLY).acos()).sum(dim=1).median()
    followed = others.log() / angle.clamp(max=math.pi / 4).cos()
    return followed.clamp(min=fixed_scale(FEWEST))
