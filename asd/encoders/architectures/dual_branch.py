"""Two views of a clip, each with a network of its own: the spectrogram, and the spectrum of the whole clip."""

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from asd.encoders.architectures.se_resnet import LargestOverTime, residual_stages
from asd.encoders.encoder_params import ENCODERS, EncoderBlock, FrontEndLike
from asd.encoders.standardise import Standardise, Viewer, moments
from asd.features.store import FeatureStore

RATE = 16000  # [Hz] of the waveform
LOWEST = 200  # [Hz] of the spectrogram; the last bin is at 8000 Hz
WIDTH = 7  # frames, or bands, that a frame's or band's weight depends on
FLOOR = 1e-5  # added to magnitudes before their logarithm: less than the noise of 16 bits


class Branch(nn.Module):
    """A view of the waveform and its network.

    Attributes
    ----------
    standardise : Standardise
        Each bin less its mean, over its deviation, of all frames of the training set.
    body : nn.Module
        Takes a view, gives ``(clips, dims)``.
    """

    def __init__(self, bins: int, body: nn.Sequential, log: bool) -> None:
        super().__init__()
        self.standardise, self.body, self.log = Standardise(bins), body, log

    def magnitudes(self, waveform: Tensor) -> Tensor:
        """Make ``(clips, rows, bins)`` of a waveform ``(clips, samples)``."""
        raise NotImplementedError

    def view(self, waveform: Tensor) -> Tensor:
        """Make magnitudes, or their logarithms."""
        magnitudes = self.magnitudes(waveform)
        return (magnitudes + FLOOR).log() if self.log else magnitudes

    def forward(self, waveform: Tensor) -> Tensor:
        """Embed waveforms as directions ``(clips, dims)``."""
        with torch.no_grad():
            x = self.standardise(self.view(waveform))
        return F.normalize(self.body(x), dim=1)


class Spectrogram(Branch):
    """Magnitude of the short-time Fourier transform, 200-8000 Hz; a residual network with attention."""

    window: Tensor

    def __init__(self, width: int, log: bool = False, n_fft: int = 1024, hop_length: int = 512) -> None:
        first = -(-LOWEST * n_fft // RATE)
        bins, dims = n_fft // 2 + 1 - first, 8 * width
        stem = [nn.Conv2d(1, width, 7, stride=2, padding=3, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        pooled = [nn.MaxPool2d(3, stride=2, padding=1), MultiDimensionalAttention(width)]
        flat = dims * -(-bins // 32)  # the stem and three stages halve the bands five times
        head = [LargestOverTime(), nn.BatchNorm1d(flat), nn.Linear(flat, dims, bias=False)]
        body = nn.Sequential(nn.Unflatten(1, (1, -1)), *stem, *pooled, residual_stages(width), *head)
        super().__init__(bins, body, log)
        self.n_fft, self.hop_length, self.first = n_fft, hop_length, first
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def magnitudes(self, waveform: Tensor) -> Tensor:
        """See :meth:`Branch.magnitudes`: ``(clips, 1 + samples // hop, bins)``."""
        spectra = torch.stft(
            waveform, self.n_fft, self.hop_length, window=self.window, pad_mode="constant", return_complex=True
        )
        return spectra[:, self.first :].abs().transpose(1, 2)


class Spectrum(Branch):
    """Magnitude spectrum of the whole clip; three strided convolutions, then a perceptron."""

    def __init__(self, width: int, points: int, log: bool = False) -> None:
        filters, length = 8 * width, points
        layers: list[nn.Module] = []
        for before, kernel, stride in ((1, 256, 64), (filters, 64, 32), (filters, 16, 4)):
            layers += [nn.Conv1d(before, filters, kernel, stride, kernel // 2, bias=False), nn.ReLU(), _Gate(filters)]
            length = length // stride + 1
        layers.append(nn.Flatten())
        for size in (length * filters, filters, filters, filters):
            layers += [nn.Linear(size, filters, bias=False), nn.BatchNorm1d(filters), nn.ReLU()]
        super().__init__(points, nn.Sequential(*layers, nn.Linear(filters, filters, bias=False)), log)
        self.points = points

    def magnitudes(self, waveform: Tensor) -> Tensor:
        """See :meth:`Branch.magnitudes`: ``(clips, 1, points)`` up to 8000 Hz, root mean squares within cells."""
        power = torch.fft.rfft(waveform).abs().square()[:, :-1]
        return F.adaptive_avg_pool1d(power, self.points).sqrt().unsqueeze(1) * (2 / waveform.shape[1])


class DualBranch(Viewer):
    """Embed a waveform by its spectrogram, by the spectrum of the whole clip, or by both side by side.

    Both branches are Wilkinghoff's, as Wang 2025 says, with the attention of its other reference behind the stem.
    At the width 16 they have his sizes: residual stages of 16 to 128 channels, 128 filters, 2 x 128 dimensions.

    Parameters
    ----------
    n_features : int
        Samples of a row of the waveform; any number.
    width : int
        Channels of the first stage; an eighth of the filters of the spectrum's branch and of either embedding.
    branches : str
        ``both``, ``stft`` or ``spectrum``.
    points : int
        Cells of the spectrum, up to 8000 Hz.
    magnitudes : str
        ``linear`` as in the report, or ``log``.
    n_fft, hop_length : int
        [samples] Of the spectrogram.

    References
    ----------
    J. Wang, "Fine-tuning pre-trained audio models for anomalous sound detection", DCASE 2025 technical report;
    K. Wilkinghoff, "Self-supervised learning for anomalous sound detection", ICASSP 2024.
    """

    def __init__(
        self,
        n_features: int,
        width: int = 16,
        branches: str = "both",
        points: int = 8000,
        magnitudes: str = "linear",
        n_fft: int = 1024,
        hop_length: int = 512,
    ) -> None:
        super().__init__()
        log = magnitudes == "log"
        made = {
            "stft": lambda: Spectrogram(width, log, n_fft, hop_length),
            "spectrum": lambda: Spectrum(width, points, log),
        }
        self.dims = 8 * width * (1 + (branches == "both"))
        self.branches = nn.ModuleDict({name: make() for name, make in made.items() if branches in (name, "both")})

    def forward(self, x: Tensor) -> Tensor:
        """Embed rows of waveforms ``(clips, rows, samples)`` as ``(clips, 1, dims)``."""
        return torch.cat([branch(x.flatten(1)) for branch in self._branches()], dim=1).unsqueeze(1)

    @torch.no_grad()
    def fit_input(self, store: FeatureStore) -> None:
        """See :meth:`Viewer.fit_input`."""
        for branch in self._branches():
            views = (branch.view(torch.from_numpy(store[clip]).reshape(1, -1))[0] for clip in store.clip_ids)
            branch.standardise.set(*moments(view.numpy() for view in views))

    def _branches(self) -> list[Branch]:
        return list(self.branches.values())  # type: ignore[arg-type]


class _Gate(nn.Module):
    """Squeeze and excitation of a sequence's channels."""

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        squeezed = max(1, channels // reduction)
        self.gate = nn.Sequential(nn.Linear(channels, squeezed), nn.ReLU(), nn.Linear(squeezed, channels), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        """Scale ``(clips, channels, length)``."""
        return x * self.gate(x.mean(dim=2)).unsqueeze(2)


class MultiDimensionalAttention(nn.Module):
    """Weigh the channels, frames and bands of a shallow feature map, each dimension by itself.

    ``y = x a_c a_t a_f``. Every ``a`` is a sigmoid of mean and maximum over the two other dimensions: of channels by a
    perceptron that both share, of frames and of bands by a convolution over neighbours. What the paper publishes
    openly says no more than "infers attention along three independent dimensions: time, frequency, and channel" of a
    shallow map; the three descriptors are those of Woo et al., "CBAM", ECCV 2018: a reconstruction.

    Parameters
    ----------
    channels : int
    reduction : int
        Of the channels within the perceptron.

    References
    ----------
    Chen, Wang, Wang, Xu, "MDAM: Multi-dimensional attention module for anomalous sound detection", ICONIP 2023.
    """

    def __init__(self, channels: int, reduction: int = 4) -> None:
        super().__init__()
        squeezed = max(1, channels // reduction)
        self.channel = nn.Sequential(
            nn.Linear(channels, squeezed, bias=False), nn.ReLU(), nn.Linear(squeezed, channels, bias=False)
        )
        self.time, self.frequency = (nn.Conv1d(2, 1, WIDTH, padding=WIDTH // 2, bias=False) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """Weigh ``(clips, channels, frames, bands)``; the shape stays."""
        channel = sum(self.channel(summary) for summary in _described(x, 1).unbind(dim=1)).sigmoid()
        time, frequency = (along(_described(x, dim)).sigmoid() for along, dim in ((self.time, 2), (self.frequency, 3)))
        return x * channel[:, :, None, None] * time[:, :, :, None] * frequency[:, :, None]


def _described(x: Tensor, dim: int) -> Tensor:
    """Give mean and maximum over the two other dimensions, ``(clips, 2, size)``."""
    others = tuple({1, 2, 3} - {dim})
    return torch.stack([x.mean(dim=others), x.amax(dim=others)], dim=1)


@ENCODERS.register("dual_branch")
class DualBranchParams(EncoderBlock):
    """Keywords of :class:`DualBranch`."""

    network = DualBranch

    width: int = Field(16, ge=2)
    branches: Literal["both", "stft", "spectrum"] = "both"
    points: int = Field(8000, ge=256, description="cells of the spectrum up to 8000 Hz")
    magnitudes: Literal["linear", "log"] = Field("linear", description="of both views")
    n_fft: int = Field(1024, ge=128, description="[samples] of the spectrogram")
    hop_length: int = Field(512, ge=1, description="[samples]")

    def mismatch(self, front_end: FrontEndLike) -> str:
        """See :meth:`EncoderBlock.mismatch`."""
        fits = (front_end.kind, front_end.sample_rate) == ("waveform", RATE)
        return "" if fits else f"takes a waveform of {RATE} Hz"
