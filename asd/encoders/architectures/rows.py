"""The rows of a front end as they are: for front ends that describe a clip by a fixed number of them."""

from torch import Tensor, nn

from asd.encoders.encoder_params import ENCODERS, EncoderBlock, FrontEndLike


class Rows(nn.Module):
    """Give what the front end computed; no weights.

    Parameters
    ----------
    n_features : int
        Width of a row.
    """

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.dims = n_features

    def forward(self, x: Tensor) -> Tensor:
        """Give ``(clips, rows, n_features)``: each row is an embedding of its own."""
        return x


@ENCODERS.register("rows")
class RowsParams(EncoderBlock):
    """Keywords of :class:`Rows`."""

    network = Rows
    has_weights = False

    def mismatch(self, front_end: FrontEndLike) -> str:
        """See :meth:`EncoderBlock.mismatch`."""
        return "" if front_end.n_rows else "takes as many rows of every clip: of statistics or texture"
