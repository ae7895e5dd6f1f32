"""Objective name -> loss."""

from torch import nn

from asd.classifiers.losses.adacos import AdaCos
from asd.classifiers.losses.arcface import ArcFace

LOSSES: dict[str, type[nn.Module]] = {"adacos": AdaCos, "arcface": ArcFace}
