"""ResNet-18 with squeeze and excitation over a log-mel image."""

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from asd.encoders.encoder_params import ENCODERS, EncoderBlock
from asd.encoders.standardise import Standardise


class SEResNet18Encoder(nn.Module):
    """Embed a log-mel image by SE-ResNet-18: four stages of two basic blocks.

    Each band is standardised over the training set; the 7 x 7 stem of the image network has the log-mel for its one
    channel. The report does not describe the head: as in Wilkinghoff's code, the maximum over time,
    which leaves every channel's bands apart, batch normalisation and a linear layer.

    Parameters
    ----------
    n_features : int
        Mel bands of the front end (any number; each stage halves it).
    width : int
        Channels of the first stage; 64 gives the usual 11.3 M parameters.

    References
    ----------
    He et al., "Deep residual learning for image recognition", CVPR 2016; Hu, Shen, Sun, "Squeeze-and-excitation
    networks", CVPR 2018; K. Wilkinghoff, "Self-supervised learning for anomalous sound detection", ICASSP 2024.
    """

    def __init__(self, n_features: int, width: int = 64) -> None:
        super().__init__()
        self.dims = 8 * width
        flat = self.dims * -(-n_features // 32)  # the stem and three stages halve the bands five times
        self.input = Standardise(n_features)
        self.stem = nn.Sequential(
            nn.Conv2d(1, width, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        self.stages = residual_stages(width)
        self.head = nn.Sequential(LargestOverTime(), nn.BatchNorm1d(flat), nn.Linear(flat, self.dims, bias=False))
        # a third faster on CPU and GPU alike
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, x: Tensor) -> Tensor:
        """Embed ``(clips, frames, n_features)`` as ``(clips, 1, dims)``."""
        return self.head(self.stages(self.stem(self.input(x).unsqueeze(1)))).unsqueeze(1)  # type: ignore[no-any-return]


def residual_stages(width: int) -> nn.Sequential:
    """Make four stages of two blocks each: ``width`` channels and full size to eight times as many, an eighth."""
    channels = [width, width, 2 * width, 4 * width, 8 * width]
    return nn.Sequential(
        *(
            nn.Sequential(SEBasicBlock(before, after, stride), SEBasicBlock(after, after, 1))
            for before, after, stride in zip(channels, channels[1:], (1, 2, 2, 2), strict=False)
        )
    )


class SEBasicBlock(nn.Module):
    """Two 3 x 3 convolutions, a gate on the channels, a shortcut."""

    def __init__(self, before: int, after: int, stride: int, reduction: int = 16) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(after)
        squeezed = max(1, after // reduction)
        self.gate = nn.Sequential(nn.Linear(after, squeezed), nn.ReLU(), nn.Linear(squeezed, after), nn.Sigmoid())
        same = before == after and stride == 1
        self.stride = stride
        shortcut = [nn.Conv2d(before, after, 1, bias=False), nn.BatchNorm2d(after)]
        self.shortcut = nn.Identity() if same else nn.Sequential(*shortcut)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(clips, before, rows, bands)`` to ``(clips, after, rows', bands')``."""
        y = F.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        y = y * self.gate(y.mean(dim=(2, 3)))[:, :, None, None]
        # strided by hand: of few channels, oneDNN's own strided 1 x 1 convolution writes out of bounds without AVX-512
        # when its gradient is taken (github.com/uxlfoundation/oneDNN/issues/6035)
        return F.relu(y + self.shortcut(x[:, :, :: self.stride, :: self.stride]))


class LargestOverTime(nn.Module):
    """Largest value over time of each channel in each band."""

    def forward(self, x: Tensor) -> Tensor:
        """Take ``(clips, channels, frames, bands)`` to ``(clips, channels * bands)``."""
        return x.amax(dim=2).flatten(1)


@ENCODERS.register("se_resnet18")
class SEResNet18Params(EncoderBlock):
    """Keywords of :class:`SEResNet18Encoder`."""

    network = SEResNet18Encoder

    width: int = Field(64, ge=4)
