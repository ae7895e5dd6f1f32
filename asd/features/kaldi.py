"""Kaldi's log-mel filter bank, as EAT and BEATs hear. The only module that touches torchaudio."""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np
import torch

from asd.features.params import FbankParams

FRAME = 25.0  # [ms]


def kaldi_fbank(waveform: np.ndarray, params: FbankParams) -> np.ndarray:
    """Compute the filter bank of EAT - of the waveform less its mean, with Hann windows - or of BEATs; no dither.

    W. Chen et al., "EAT: Self-supervised pre-training with efficient audio transformer", IJCAI 2024; S. Chen et al.,
    "BEATs: Audio pre-training with acoustic tokenizers", ICML 2023, which takes the waveform as 16-bit numbers and
    Povey's window. Rows are not normalised: ``mean`` and ``deviation`` of the description are for the reader.

    Parameters
    ----------
    waveform : np.ndarray [shape=(samples,), dtype=float32]
        Full scale 1, at ``params.sample_rate``.
    params : FbankParams

    Returns
    -------
    np.ndarray [shape=(frames, n_mels), dtype=float32]
        [natural log of power]; whole frames only, so none of a clip shorter than 25 ms.
    """
    if len(waveform) < int(params.sample_rate * FRAME / 1000):
        return np.empty((0, params.n_mels), np.float32)
    with _one_thread():
        tensor = torch.from_numpy(waveform)
        tensor = tensor - tensor.mean() if params.zero_mean else tensor
        rows: np.ndarray = _fbank(
            (tensor if params.scale == 1 else tensor * params.scale)[None],
            htk_compat=True,
            sample_frequency=params.sample_rate,
            use_energy=False,
            window_type=params.window,
            num_mel_bins=params.n_mels,
            dither=0.0,
            frame_length=FRAME,
            frame_shift=params.frame_shift,
            high_freq=params.f_max,
        ).numpy()
    return rows


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep torch to one thread: clips are what runs in parallel, and sums come out the same with any number."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _load() -> Callable[..., torch.Tensor]:
    """Import ``fbank``, also where torchaudio's native extension does not fit the torch beside it.

    Beside a CPU torch, or one for another CUDA, the extension does not load. All that is used here is plain Python,
    so a stand-in without native functions takes its place.
    """
    try:
        kaldi: Any = importlib.import_module("torchaudio.compliance.kaldi")
    except (OSError, RuntimeError, ImportError):
        for name in [m for m in sys.modules if m.split(".")[0] == "torchaudio"]:
            del sys.modules[name]
        sys.modules["torchaudio._extension"] = _without_native()
        kaldi = importlib.import_module("torchaudio.compliance.kaldi")
    kaldi.get_mel_banks = lru_cache(kaldi.get_mel_banks)  # else made anew for every clip
    fbank: Callable[..., torch.Tensor] = kaldi.fbank
    return fbank


def _without_native() -> ModuleType:
    def fail_if_no_align(function: Callable[..., Any]) -> Callable[..., Any]:
        def absent(*args: Any, **kwargs: Any) -> Any:
            raise RuntimeError(f"torchaudio.{function.__name__} needs torchaudio's native extension")

        return absent

    extension = ModuleType("torchaudio._extension")
    vars(extension).update(
        _IS_TORCHAUDIO_EXT_AVAILABLE=False,
        _IS_ALIGN_AVAILABLE=False,
        fail_if_no_align=fail_if_no_align,
        _check_cuda_version=lambda: None,
        _load_lib=lambda lib: False,
    )
    return extension


_fbank = _load()
