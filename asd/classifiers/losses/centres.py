"""What all losses of angles share: class centres, cosines to them, the scale that the number of classes asks for."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

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


class Centres(nn.Module):
    """Directions that classes have, one or several each.

    Parameters
    ----------
    dims : int
        Size of an embedding.
    classes : int
    sub_clusters : int
        Centres of a class.
    train_centres : bool
        Whether they are learnt, or stay where they were drawn.
    """

    def __init__(self, dims: int, classes: int, sub_clusters: int = 1, train_centres: bool = True) -> None:
        super().__init__()
        self.classes, self.sub_clusters = classes, sub_clusters
        drawn = nn.init.xavier_uniform_(torch.empty(classes * sub_clusters, dims))
        self.centres = nn.Parameter(drawn, requires_grad=train_centres)

    def cosines(self, x: Tensor) -> Tensor:
        """Measure embeddings ``(clips, dims)`` against all centres: ``(clips, classes, sub_clusters)``."""
        return (F.normalize(x) @ F.normalize(self.centres).T).unflatten(1, (self.classes, self.sub_clusters))
