"""Log-mel itself as tokens: the poolings of encoders of tokens, without weights."""

from collections.abc import Iterator

from pydantic import Field
from torch import Tensor

from asd.encoders.encoder import Encoder, Grid
from asd.encoders.encoder_params import ENCODERS, FrontEndLike, TokenBlock


class MelBands(Encoder):
    """Cut each frame of a log-mel spectrogram into tokens of neighbouring mel bands; no weights.

    Parameters
    ----------
    n_features : int
        Mel bands of the front end.
    tokens : int
        On top of each other, a divisor of ``n_features``.
    """

    least, depth, frames = 1, 1, 2**20

    def __init__(self, n_features: int, tokens: int = 8) -> None:
        super().__init__()
        self.bands, self.dims = tokens, n_features // tokens

    def hidden(self, x: Tensor, real: Tensor | None = None) -> Iterator[Grid]:
        """See :meth:`Encoder.hidden`: one layer."""
        yield Grid(x.unflatten(2, (self.bands, self.dims)), real)

    def times(self, rows: Tensor) -> Tensor:
        """Count tokens along time: one a row."""
        return rows


@ENCODERS.register("mel_bands")
class MelBandsParams(TokenBlock):
    """Keywords of :class:`MelBands`."""

    network = MelBands
    has_weights = False

    tokens: int = Field(8, ge=1, description="on top of each other, a divisor of the front end's features")

    def mismatch(self, front_end: FrontEndLike) -> str:
        """See :meth:`EncoderBlock.mismatch`."""
        fits = front_end.n_features % self.tokens == 0
        return "" if fits else f"takes tokens that divide its {front_end.n_features} features, not {self.tokens}"
