"""EfficientAT: MobileNetV3 over a log-mel image, trained on AudioSet."""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn

from asd.encoders.encoder import Encoder, Grid
from asd.encoders.encoder_params import ENCODERS, PublishedEncoder
from asd.encoders.published import PUBLISHED, Published

STAGES = (  # kernel, channels inside, channels out, squeeze and excitation, hard swish, stride; at width 1
    (3, 16, 16, False, False, 1),
    (3, 64, 24, False, False, 2),
    (3, 72, 24, False, False, 1),
    (5, 72, 40, True, False, 2),
    (5, 120, 40, True, False, 1),
    (5, 120, 40, True, False, 1),
    (3, 240, 80, False, True, 2),
    (3, 200, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 480, 112, True, True, 1),
    (3, 672, 112, True, True, 1),
    (5, 672, 160, True, True, 2),
    (5, 960, 160, True, True, 1),
    (5, 960, 160, True, True, 1),
)
STEM, LAST, CLASSES = 16, 1280, 527  # channels of the first convolution and before the classes, at width 1


class EfficientAT(Encoder):
    """Embed a log-mel image by MobileNetV3; parameters are named as in the published files.

    Each of the 17 stages is a layer; a token of the last stands for 32 x 32 frames and bands.

    Parameters
    ----------
    n_features : int
        Mel bands of the front end.
    width : float
        Of all channels; 0.4, 1 and 2 are mn04, mn10 and mn20.
    frames : int
        Context length in frames, that of the ten seconds it was trained on.

    References
    ----------
    Schmid, Koutini, Widmer, "Efficient large-scale audio tagging via transformer-to-CNN knowledge distillation", ICASSP
    2023; Howard et al., "Searching for MobileNetV3", ICCV 2019.
    """

    least = 1
    masks = False  # a convolution sees the padding beside a clip
    even = False
    depth = 2 + len(STAGES)

    def __init__(self, n_features: int, width: float = 1.0, frames: int = 1000) -> None:
        super().__init__()
        before = _channels(STEM * width)
        stages: list[nn.Module] = [_convolution(1, before, 3, nn.Hardswish, stride=2)]
        for kernel, inside, after, squeeze, swish, stride in STAGES:
            inside, after = _channels(inside * width), _channels(after * width)
            stages.append(InvertedResidual(before, inside, after, kernel, squeeze, swish, stride))
            before = after
        self.dims, self.bands, self.frames = 6 * before, -(-n_features // 32), frames
        self.features = nn.Sequential(*stages, _convolution(before, self.dims, 1, nn.Hardswish))
        last = _channels(LAST * width)
        hidden = (nn.Linear(self.dims, last), nn.Hardswish(), nn.Dropout(0.2), nn.Linear(last, CLASSES))
        self.classifier = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), *hidden)

    def hidden(self, x: Tensor, real: Tensor | None = None) -> Iterator[Grid]:
        """See :meth:`Encoder.hidden`."""
        maps = x.transpose(1, 2).unsqueeze(1)  # (clips, channels, bands, time)
        for stage in self.features:
            maps = stage(maps)
            yield Grid(maps.permute(0, 3, 2, 1))

    def classify(self, x: Tensor) -> Tensor:
        """Give the logits of AudioSet's classes ``(clips, 527)`` for clips ``(clips, frames, n_features)``."""
        return self.classifier(self.tokens(x)[0].values.permute(0, 3, 2, 1))


class InvertedResidual(nn.Module):
    """Widen, convolve channel by channel, squeeze and excite, narrow; a shortcut where the shape allows it."""

    def __init__(
        self, before: int, inside: int, after: int, kernel: int, squeeze: bool, swish: bool, stride: int
    ) -> None:
        super().__init__()
        self.shortcut = stride == 1 and before == after
        activation = nn.Hardswish if swish else nn.ReLU
        layers: list[nn.Module] = [_convolution(before, inside, 1, activation)] if inside != before else []
        layers.append(_convolution(inside, inside, kernel, activation, stride, groups=inside))
        layers += [SqueezeExcitation(inside)] if squeeze else []
        self.block = nn.Sequential(*layers, _convolution(inside, after, 1, None))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(clips, before, bands, time)`` to ``(clips, after, bands', time')``."""
        return self.block(x) + x if self.shortcut else self.block(x)


class SqueezeExcitation(nn.Module):
    """A gate on the channels, computed from their means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = _channels(channels // 4)
        gate = nn.ModuleDict({"fc1": nn.Linear(channels, squeezed), "fc2": nn.Linear(squeezed, channels)})
        self.conc_se_layers = nn.ModuleList([gate])

    def forward(self, x: Tensor) -> Tensor:
        """Scale the channels of ``(clips, channels, bands, time)``."""
        gate = self.conc_se_layers[0]
        scale = gate["fc2"](torch.relu(gate["fc1"](x.mean(dim=(2, 3))))).sigmoid()  # type: ignore[index]
        return x * scale[:, :, None, None]


def _convolution(
    before: int, after: int, kernel: int, activation: type[nn.Module] | None, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    convolution = nn.Conv2d(before, after, kernel, stride, kernel // 2, groups=groups, bias=False)
    layers = [convolution, nn.BatchNorm2d(after, eps=1e-3, momentum=0.01)]
    return nn.Sequential(*layers, *([activation()] if activation else []))


def _channels(wanted: float) -> int:
    """Round to a multiple of eight, at least eight, not more than a tenth down."""
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * wanted else rounded + 8


@ENCODERS.register("mn04", "mn10", "mn20")
class EfficientATParams(PublishedEncoder):
    """The block of EfficientAT."""

    network = EfficientAT


MN04 = PUBLISHED.register("mn04")(
    Published(
        options={"width": 0.4},
        front_end="efficientat_mel",
        n_features=128,
        patch=(32, 32),
        dims=384,
        licence="MIT",
        file="mn04_as_mAP_432.pt",
        addresses=("https://github.com/fschmid56/EfficientAT/releases/download/v0.0.1",),
        size=4_066_513,
        sha256="899a8c6217063f6941793102a2780b3dd788ab11fce468d9cf5f0577c453321c",
    )
)
PUBLISHED.register("mn10")(
    replace(
        MN04,
        options={"width": 1.0},
        dims=960,
        file="mn10_as_mAP_471.pt",
        size=19_708_753,
        sha256="0bd7dc2443af498c289a2e739f02ebb515d6aa3fd3ab9db539c86123ae368a4e",
    )
)
PUBLISHED.register("mn20")(
    replace(MN04, options={"width": 2.0}, dims=1920, file="mn20_as_mAP_478.pt", size=None, sha256=None)
)
