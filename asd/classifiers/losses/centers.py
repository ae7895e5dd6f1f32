"""Base class of the losses of angles: class centres, cosines to them, the scale for a number of classes."""

import math
from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from asd.classifiers.losses import Loss

SubClusters = Annotated[int, Field(ge=1, description="centres of a class")]
FEWEST = 4  # classes: the scale of fewer is that of four, for that of two vanishes and that of one is no number


def fixed_scale(classes: int, sub_clusters: int = 1) -> float:
    """Give AdaCos' scale ``sqrt(2) log(C S - 1)``, never below that of four classes.

    Parameters
    ----------
    classes : int
        C.
    sub_clusters : int
        S, centres of a class.

    References
    ----------
    X. Zhang et al., "AdaCos: Adaptively scaling cosine logits for effectively learning deep face representations",
    CVPR 2019, eq. 12 (S = 1); K. Wilkinghoff, "Sub-cluster AdaCos: Learning representations for anomalous sound
    detection", IJCNN 2021.
    """
    return math.sqrt(2) * math.log(max(classes * sub_clusters, FEWEST) - 1)


class CenterLoss(Loss):
    """Directions that classes have, one or several each.

    Parameters
    ----------
    dims : int
        Size of an embedding.
    classes : int
    sub_clusters : int
        Centres of a class.
    train_centers : bool
        Whether they are learnt, or stay as they were initialised.
    """

    def __init__(self, dims: int, classes: int, sub_clusters: int = 1, train_centers: bool = True) -> None:
        super().__init__()
        self.classes, self.sub_clusters = classes, sub_clusters
        initial = nn.init.xavier_uniform_(torch.empty(classes * sub_clusters, dims))
        self.centers = nn.Parameter(initial, requires_grad=train_centers)  # (classes * sub_clusters, dims)

    def cosines(self, x: Tensor) -> Tensor:
        """Measure embeddings ``(clips, dims)`` against all centres: ``(clips, classes, sub_clusters)``."""
        return (F.normalize(x) @ F.normalize(self.centers).T).unflatten(1, (self.classes, self.sub_clusters))
