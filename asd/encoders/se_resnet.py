"""ResNet-18 with squeeze and excitation over a log-mel image."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from asd.encoders.levels import Levelled
from asd.encoders.standardise import centred


class SEResNet18Encoder(Levelled):
    """Embed a log-mel image by SE-ResNet-18: four stages of two basic blocks, average and maximum over time.

    The 7 x 7 stem of the image network is kept; its one input channel is the log-mel.

    Parameters
    ----------
    bands : int
        Mel bands of the front end (any number; each stage halves it).
    width : int
        Channels of the first stage; 64 gives the usual 11.3 M parameters.
    levels : int
        Maps that are remembered, that of the first convolution and those of the stages; see :class:`Levelled`.
    centre : bool
        Whether each band's mean over the clip is taken away first: what room and microphone add to all frames.

    References
    ----------
    He et al., "Deep residual learning for image recognition", CVPR 2016; Hu, Shen, Sun, "Squeeze-and-excitation
    networks", CVPR 2018.
    """

    def __init__(self, bands: int, width: int = 64, levels: int = 0, centre: bool = False) -> None:
        super().__init__()
        self.centre = centre
        self.dims, self.width, self.levels = 8 * width, width, levels
        self.stem = nn.Sequential(
            nn.BatchNorm2d(1),
            nn.Conv2d(1, width, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        self.stages = residual_stages(width)
        # a third faster on CPU and GPU alike
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, x: Tensor) -> Tensor:
        """Embed ``(clips, rows, bands)`` as ``(clips, 1, dims)``."""
        last = self.stages(self.stem(self._image(x))).mean(dim=3)  # (clips, dims, rows')
        return (last.mean(dim=2) + last.amax(dim=2)).unsqueeze(1)

    def maps(self, x: Tensor) -> list[Iterator[Tensor]]:
        """See :meth:`Levelled.maps`."""
        stem, pooled = self.stem[:4], nn.Sequential(self.stem[4], self.stages[0])  # type: ignore[index]
        return [running(self._image(x), stem, pooled, *self.stages[1:])]  # type: ignore[misc]

    def _image(self, x: Tensor) -> Tensor:
        return (centred(x) if self.centre else x).unsqueeze(1)


def running(x: Tensor, *parts: nn.Module) -> Iterator[Tensor]:
    """Give what each part makes of what the last one made."""
    for part in parts:
        x = part(x)
        yield x


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
