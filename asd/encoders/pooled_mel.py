"""Mean and deviation over time: the encoder that every other one has to beat."""

import torch
from torch import Tensor, nn


class PooledMelEncoder(nn.Module):
    """Describe a clip by mean and standard deviation over time of each log-mel band; no weights.

    Parameters
    ----------
    bands : int
        Mel bands of the front end.
    """

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.dims = 2 * bands

    def forward(self, x: Tensor) -> Tensor:
        """Pool ``(clips, rows, bands)`` to ``(clips, 1, 2 * bands)``; a single row has deviation 0."""
        mean = x.mean(dim=1)
        deviation = x.std(dim=1, correction=0)
        return torch.cat([mean, deviation], dim=1).unsqueeze(1)
