"""The organisers' baseline: a dense autoencoder over five stacked frames."""

from itertools import pairwise

from torch import Tensor, nn

from asd.encoders.encoder_params import ENCODERS, EncoderBlock

FRAMES = 5  # stacked to one input vector


class DenseAutoencoder(nn.Module):
    """Reconstruct stacked log-mel frames through eight numbers.

    640-128-128-128-128-8-128-128-128-128-640 for 128 bands, batch normalisation (momentum 0.01, eps 1e-3) and
    ReLU after every layer but the last: 267,928 trainable parameters, 269,992 with running statistics.

    Parameters
    ----------
    n_features : int
        Mel bands of the front end.

    References
    ----------
    Harada et al., "First-shot anomaly sound detection for machine condition monitoring: a domain generalization
    baseline", EUSIPCO 2023.
    """

    def __init__(self, n_features: int) -> None:
        super().__init__()
        size = FRAMES * n_features
        self.encoder = nn.Sequential(*_layers(size, 128, 128, 128, 128, 8))
        self.decoder = nn.Sequential(*_layers(8, 128, 128, 128, 128), nn.Linear(128, size))

    def forward(self, x: Tensor) -> Tensor:
        """Reconstruct ``(vectors, 5 * n_features)``."""
        return self.decoder(self.encoder(x))


def _layers(*sizes: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.BatchNorm1d(after, momentum=0.01, eps=1e-3), nn.ReLU()]
    return layers


@ENCODERS.register("dense")
class DenseParams(EncoderBlock):
    """The block of the organisers' autoencoder."""

    network = DenseAutoencoder
    reconstructs = True
