"""Weights that training, adaptation and systems without training start from: random, published or adapted ones."""

from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from asd.core.artifacts import read_json
from asd.core.errors import UserError
from asd.core.section import checked
from asd.encoders.encoder_params import DESCRIPTION, EncoderBlock, EncoderParams
from asd.encoders.networks import WEIGHTS, create_encoder, describe_encoder, read_encoder
from asd.encoders.standardise import fit
from asd.encoders.weights import weights_of
from asd.features.store import FeatureStore


class InitialEncoder(NamedTuple):
    """An encoder before training.

    Attributes
    ----------
    network : nn.Module
    params : EncoderBlock
        Its block of params.yaml.
    n_features : int
        Width of its front end's rows.
    """

    network: nn.Module
    params: EncoderBlock
    n_features: int

    def description(self) -> dict[str, Any]:
        """Give what :func:`asd.encoders.networks.recreate` makes the network of, without its weights."""
        return describe_encoder(self.params, self.n_features)


def initial_encoder(folder: Path, store: FeatureStore, seed: int) -> InitialEncoder:
    """Make an encoder with its initial weights.

    Parameters
    ----------
    folder : Path
        ``data/encoders/initial/<name>``, which holds the encoder's block alone: its weights are random or published, as
        the block says, and its input is standardised by the store; or ``data/encoders/adapted/<name>``, whose weights
        are read.
    store : FeatureStore
        Training features.
    seed : int
        Of random weights.

    Returns
    -------
    InitialEncoder

    Raises
    ------
    UserError
        Where there is no such encoder.
    """
    if not (folder / DESCRIPTION).is_file():
        raise UserError(f"{folder} holds no encoder: run dvc repro")
    params = checked(EncoderParams, read_json(folder / DESCRIPTION)["encoder"]).root
    if (folder / WEIGHTS).is_file():
        return InitialEncoder(read_encoder(folder), params, store.n_features)
    network = create_encoder(params, store.n_features, seed, weights_of(params))
    fit(network, store)
    return InitialEncoder(network, params, store.n_features)
