"""Front ends as modules of torch that ONNX can hold: Fourier transforms and filters as strided convolutions."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from asd.features.filters import high_pass
from asd.features.front_end import FrontEndParams
from asd.features.front_ends import texture as of_texture
from asd.features.front_ends.log_mel import LogMelParams
from asd.features.mel import mel_filter_bank
from asd.features.prepare import LEVEL

MOST_TAPS, DECAYED = 2**13, 1e-7  # of a high-pass as a convolution: its impulse response must have decayed by then
BLOCK = 512  # samples that the high-pass gives at once


class Prepared(nn.Module):
    """Prepare a waveform as :func:`asd.features.prepare.prepare_waveform` does, channel and rate being chosen."""

    taps: Tensor

    def __init__(self, params: FrontEndParams) -> None:
        super().__init__()
        self.level = params.level == "normalise"
        self.looped, self.cut = (
            round(s * params.sample_rate) for s in (params.loop_seconds, params.trim_or_pad_seconds)
        )
        response = impulse_response(params)
        self.n_taps = len(response)
        filters = [np.pad(response[::-1], (i, BLOCK - 1 - i)) for i in range(BLOCK if self.n_taps else 0)]
        self.register_buffer("taps", torch.tensor(np.array(filters), dtype=torch.float32).unsqueeze(1))

    def forward(self, y: Tensor) -> Tensor:
        """Take ``(1, samples)`` to ``(1, samples')``."""
        if self.looped:
            samples = torch.full((), y.shape[1])  # a remainder by a mere number has no form in ONNX
            y = y[:, torch.arange(torch.sym_max(y.shape[1], self.looped)).remainder(samples)]
        if self.cut:
            y = F.pad(y, (0, self.cut))[:, : self.cut]
        if self.n_taps:
            padded = F.pad(y, (self.n_taps - 1, BLOCK - 1)).unsqueeze(1)
            y = F.conv1d(padded, self.taps, stride=BLOCK).transpose(1, 2).flatten(1)[:, : y.shape[1]]
        if self.level:
            rms = y.double().square().mean().sqrt()
            y = y * torch.where(rms > 0, LEVEL / rms, 1.0).float()
        return y


def impulse_response(params: FrontEndParams) -> np.ndarray:
    """Compute the high-pass's answer to an impulse, ``(taps,)``, up to where it has decayed; none without a high-pass.

    Raises
    ------
    ValueError
        Where it is too long, or looks ahead.
    """
    if not params.high_pass:
        return np.zeros(0)
    if params.phase == "zero":
        raise ValueError("its high-pass has zero phase")
    response = high_pass(np.eye(1, 4 * MOST_TAPS)[0], float(params.high_pass), params.sample_rate)
    heard = int(np.flatnonzero(np.abs(response) > DECAYED * np.abs(response).max())[-1]) + 1
    if heard > MOST_TAPS:
        raise ValueError(f"its high-pass at {params.high_pass:g} Hz rings for too long")
    return response[:heard]


class LogMel(nn.Module):
    """The rows of :func:`asd.features.front_ends.log_mel.log_mel`."""

    basis: Tensor
    bank: Tensor

    def __init__(self, p: LogMelParams) -> None:
        super().__init__()
        self.p, n = p, np.arange(p.n_fft)
        angles = 2 * np.pi / p.n_fft * (np.outer(np.arange(p.n_fft // 2 + 1), n) % p.n_fft)
        waves = np.concatenate([np.cos(angles), np.sin(angles)]) * _window(p)
        bank = mel_filter_bank(p.sample_rate, p.n_fft, p.n_mels, p.f_min, p.f_max, p.mel_scale)
        self.register_buffer("basis", torch.tensor(waves, dtype=torch.float32).unsqueeze(1))
        self.register_buffer("bank", torch.tensor(bank.T, dtype=torch.float32))

    def forward(self, y: Tensor) -> Tensor:
        """Take ``(1, samples)`` to ``(1, frames, mels)``."""
        p = self.p
        if p.pre_emphasis:
            y = y[:, 1:] - p.pre_emphasis * y[:, :-1]
        beyond = (p.n_fft // 2, p.n_fft // 2)
        padded = F.pad(y.unsqueeze(1), beyond, "constant" if p.padding == "zeros" else "reflect")
        real, imaginary = F.conv1d(padded, self.basis, stride=p.hop_length).chunk(2, dim=1)
        power = (real.square() + imaginary.square()).transpose(1, 2) @ self.bank
        power = power.clamp_min(p.floor) if p.floor_by == "maximum" else power + p.floor
        if p.unit == "nat":
            return power.log()
        decibel = 10 * power.log10()
        return torch.maximum(decibel, decibel.amax(dim=(1, 2), keepdim=True) - p.top_db) if p.top_db else decibel


def _window(p: LogMelParams) -> np.ndarray:
    """Make the window by which frames are multiplied, amid ``n_fft`` samples."""
    from scipy.signal import get_window

    window = get_window("hann", p.window_length or p.n_fft, fftbins=p.window == "periodic")
    before = (p.n_fft - len(window)) // 2
    return np.pad(window, (before, p.n_fft - len(window) - before))


class Texture(nn.Module):
    """The rows of :func:`asd.features.front_ends.texture.texture`, of clips with more frames than the longest lag."""

    def __init__(self, p: of_texture.TextureParams) -> None:
        super().__init__()
        shared = {key: getattr(p, key) for key in LogMelParams.model_fields.keys() & type(p).model_fields.keys()}
        self.log_mel, self.p = LogMel(LogMelParams(**shared | {"kind": "log_mel"})), p

    def forward(self, y: Tensor) -> Tensor:
        """Take ``(1, samples)`` to ``(1, banks, dims)``."""
        x = self.log_mel(y)
        squares = [(x[:, lag:] - x[:, :-lag]).square().mean(dim=1) for lag in of_texture.LAGS]
        variogram = (torch.cat(squares, dim=1) + of_texture.FLOOR).log()
        made = {"mean": x.mean(dim=1), "variogram": variogram}
        chosen = [made[bank] for bank in of_texture.chosen(self.p.banks)]
        dims = max(each.shape[1] for each in chosen)
        return torch.stack([F.pad(each, (0, dims - each.shape[1])) for each in chosen], dim=1)


class Rows(nn.Module):
    """The rows of :func:`asd.features.front_ends.waveform.waveform_rows`."""

    def __init__(self, p: FrontEndParams) -> None:
        super().__init__()
        self.row = p.n_features

    def forward(self, y: Tensor) -> Tensor:
        """Take ``(1, samples)`` to ``(1, rows, samples of a row)``."""
        return y[:, : y.shape[1] // self.row * self.row].unflatten(1, (-1, self.row))


MODULES = {"log_mel": LogMel, "dasheng_mel": LogMel, "efficientat_mel": LogMel, "texture": Texture, "waveform": Rows}


class FrontEndModule(nn.Module):
    """A front end: its preparation of the waveform, its rows and their precision.

    Raises
    ------
    ValueError
        Where it has no such form.
    """

    def __init__(self, params: FrontEndParams) -> None:
        super().__init__()
        if params.kind not in MODULES or params.channel == "cancel":
            raise ValueError(f"its front end is {params.kind}, channel {params.channel}")
        self.prepared, self.rows = Prepared(params), MODULES[params.kind](params)  # type: ignore[arg-type]
        self.precision = getattr(torch, params.precision)

    def forward(self, y: Tensor) -> Tensor:
        """Take a waveform ``(1, samples)`` to rows ``(1, n_frames, n_features)``."""
        rows: Tensor = self.rows(self.prepared(y))
        return rows.to(self.precision).float()
