"""WavLM and HuBERT, through torchaudio's model code."""

from collections.abc import Iterator

from torch import Tensor, nn

from asd.encoders.encoder import Encoder, Grid
from asd.encoders.torchaudio_models import torchaudio_models

HOP = 320  # [samples] of one token
LEAST = 400  # [samples] that the first token sees


class Speech(Encoder):
    """Embed a waveform as a model of speech does; parameters are named as in torchaudio's files, behind ``model``.

    Its first normalisation runs over the whole clip, so clips are only run beside others of their length.

    Parameters
    ----------
    bands : int
        Samples of a row of the front end, which cuts a waveform into rows; 320, those of one token.
    frames : int
        Rows that it looks at at once; 30 seconds.
    """

    dims, bands, depth = 768, 1, 12
    least = -(-LEAST // HOP)
    masks = False

    def __init__(self, bands: int, frames: int = 1500) -> None:
        super().__init__()
        self.frames = frames
        self.model = self.network()

    @staticmethod
    def network() -> nn.Module:
        """Make torchaudio's network."""
        raise NotImplementedError

    def hidden(self, x: Tensor, real: Tensor | None = None) -> Iterator[Grid]:
        """See :meth:`Encoder.hidden`."""
        for out in self.model.extract_features(x.flatten(1))[0]:  # type: ignore[operator]
            yield Grid(out.unsqueeze(2))


class WavLM(Speech):
    """WavLM base: 12 blocks with gated relative positions.

    Chen et al., "WavLM: Large-scale self-supervised pre-training for full stack speech processing", IEEE JSTSP 2022.
    """

    @staticmethod
    def network() -> nn.Module:
        """See :meth:`Speech.network`."""
        return torchaudio_models().wavlm_base()


class HuBERT(Speech):
    """HuBERT base: 12 blocks.

    Hsu et al., "HuBERT: Self-supervised speech representation learning by masked prediction of hidden units", IEEE/ACM
    TASLP 2021.
    """

    @staticmethod
    def network() -> nn.Module:
        """See :meth:`Speech.network`."""
        return torchaudio_models().hubert_base()
