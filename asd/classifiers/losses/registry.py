"""Objective name -> loss."""

from collections.abc import Sequence

from torch import nn

from asd.classifiers.losses.adacos import AdaCos, DynamicAdaCos, SubClusterAdaCos
from asd.classifiers.losses.arcface import ArcFace, SubCenterArcFace
from asd.classifiers.losses.contrastive import DualContrastive
from asd.classifiers.losses.softmax import Softmax
from asd.classifiers.params import Classification

LOSSES: dict[str, type[nn.Module]] = {
    "softmax": Softmax,
    "adacos": AdaCos,
    "adacos_dynamic": DynamicAdaCos,
    "sub_cluster_adacos": SubClusterAdaCos,
    "arcface": ArcFace,
    "sub_center_arcface": SubCenterArcFace,
}


def create_loss(params: Classification, dims: int, classes: int, names: Sequence[str] = ()) -> nn.Module:
    """Make the loss of an objective; called with embeddings and soft labels it gives the mean loss and the logits.

    ``names`` are those of the classes, for losses that know machines.
    """
    if params.objective == "dual_contrastive":
        return DualContrastive(dims, names, **params.loss_options())
    return LOSSES[params.objective](dims, classes, **params.loss_options())
