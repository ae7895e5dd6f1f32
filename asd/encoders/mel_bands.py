"""Log-mel itself as tokens: the poolings of encoders of tokens, without weights."""

from collections.abc import Iterator

from torch import Tensor

from asd.encoders.encoder import Encoder, Grid


class MelBands(Encoder):
    """Cut each frame of a log-mel spectrogram into tokens of neighbouring mel bands; no weights.

    Parameters
    ----------
    bands : int
        Mel bands of the front end.
    tokens : int
        On top of each other, a divisor of ``bands``.
    """

    least, depth, frames = 1, 1, 2**20

    def __init__(self, bands: int, tokens: int = 8) -> None:
        super().__init__()
        self.bands, self.dims = tokens, bands // tokens

    def hidden(self, x: Tensor, real: Tensor | None = None) -> Iterator[Grid]:
        """See :meth:`Encoder.hidden`: one layer."""
        yield Grid(x.unflatten(2, (self.bands, self.dims)), real)

    def times(self, rows: Tensor) -> Tensor:
        """Count tokens along time: one a row."""
        return rows
