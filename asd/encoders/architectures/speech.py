"""WavLM and HuBERT, through torchaudio's model code."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import ModuleType
from typing import Any

from torch import Tensor, nn

from asd.encoders.encoder import Encoder, Grid
from asd.encoders.encoder_params import ENCODERS, PublishedEncoder
from asd.encoders.published import PUBLISHED, Published

HOP = 320  # [samples] of one token
LEAST = 400  # [samples] that the first token sees


class Speech(Encoder):
    """Embed a waveform as a model of speech does; parameters are named as in torchaudio's files, behind ``model``.

    Its first normalisation runs over the whole clip, so clips are only run beside others of their length.

    Parameters
    ----------
    n_features : int
        Samples of a row of the front end, which cuts a waveform into rows; 320, those of one token.
    frames : int
        Context length in rows; 30 seconds.
    """

    dims, bands, depth = 768, 1, 12
    least = -(-LEAST // HOP)
    masks = False

    def __init__(self, n_features: int, frames: int = 1500) -> None:
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


def torchaudio_models() -> ModuleType:
    """Import ``torchaudio.models``, also beside a torch that its native extension was not built for.

    The wheel's extension is linked to CUDA; beside a CPU torch (OSError), or one for another CUDA minor (RuntimeError,
    ImportError), importing torchaudio fails, although its models are plain Python. A stand-in for the module that
    loads the extension lets them in.
    """
    try:
        import torchaudio.models
    except (OSError, RuntimeError, ImportError):
        for name in [n for n in sys.modules if n.split(".")[0] == "torchaudio"]:
            del sys.modules[name]
        sys.modules["torchaudio._extension"] = _without_extension()
        import torchaudio.models
    return torchaudio.models


def _without_extension() -> ModuleType:
    """Make a module like ``torchaudio._extension`` built without native code."""
    module: Any = ModuleType("torchaudio._extension")
    module._IS_TORCHAUDIO_EXT_AVAILABLE = module._IS_ALIGN_AVAILABLE = False
    module._check_cuda_version = module._load_lib = lambda *arguments: None
    module.fail_if_no_align = _fails
    return module


def _fails(function: Any) -> Any:
    def fail(*arguments: Any, **options: Any) -> None:
        raise RuntimeError(f"torchaudio's {function.__name__} needs its native extension, which does not load here")

    return fail


@ENCODERS.register("wavlm_base")
class WavLMParams(PublishedEncoder):
    """The block of WavLM."""

    network = WavLM
    transformer = True


@ENCODERS.register("hubert_base")
class HuBERTParams(PublishedEncoder):
    """The block of HuBERT."""

    network = HuBERT
    transformer = True


def own_names(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """Put the tensors behind ``model``; the files name normalised weights as torch did before 2.0."""
    newer = {"conv.weight_g": "conv.parametrizations.weight.original0"}
    newer["conv.weight_v"] = "conv.parametrizations.weight.original1"
    return {_replaced(f"model.{name}", newer): value for name, value in content.items()}


def _replaced(name: str, newer: Mapping[str, str]) -> str:
    return next((name.replace(old, new) for old, new in newer.items() if name.endswith(old)), name)


WAVLM = PUBLISHED.register("wavlm_base")(
    Published(
        options={},
        front_end="waveform",
        n_features=HOP,
        patch=(1, HOP),
        dims=768,
        licence="MIT",
        file="wavlm_base.pth",
        addresses=("https://download.pytorch.org/torchaudio/models",),
        own_names=own_names,
    )
)
PUBLISHED.register("hubert_base")(replace(WAVLM, file="hubert_fairseq_base_ls960.pth"))
