"""The organisers' baseline of DCASE 2023 Task 2 as its users run it: librosa, a DataLoader of vectors, torch.

Written anew after the published code (nttcslab/dcase2023_task2_baseline_ae): float64 vectors in memory, batches
collated vector by vector with the clip's name, training, a pass for the covariances, and two scores clip by clip. What
is no part of the work is left out: anomaly detection of gradients, progress bars, plots and pickles.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, random_split

from asd.encoders.architectures.dense import DenseAutoencoder

MELS, FRAMES, BATCH, HELD_OUT = 128, 5, 256, 0.1


class Scores(NamedTuple):
    """Scores of clips ``(clips,)``: the mean squared error, the selective Mahalanobis distance."""

    mse: np.ndarray
    mahalanobis: np.ndarray


def baseline(train: Sequence[str], test: Sequence[str], epochs: int, seed: int) -> Scores:
    """Do the baseline's whole work for one machine.

    Parameters
    ----------
    train, test : sequence of str
        Files; those of the target domain have ``target`` in their names.
    epochs : int
    seed : int
    """
    torch.manual_seed(seed)
    clips = Vectors(train)
    held_out = round(HELD_OUT * len(clips))
    used, aside = random_split(clips, [len(clips) - held_out, held_out])
    loader = DataLoader(used, batch_size=BATCH, shuffle=True)
    watched = DataLoader(aside, batch_size=BATCH)
    network = DenseAutoencoder(MELS)  # the published network's layers
    optimiser = torch.optim.Adam(network.parameters(), lr=0.001)
    for _ in range(epochs):
        _train(network, optimiser, loader)
        _validate(network, watched)
    with torch.no_grad():
        inverse = _precisions(network.eval(), loader)
        return _scores(network, inverse, test)


class Vectors(Dataset):
    """All vectors of five frames of all files, in double precision, and the file of each."""

    def __init__(self, files: Sequence[str]) -> None:
        parts = [file_to_vectors(file) for file in files]
        self.data = np.concatenate(parts)
        self.names = [Path(file).name for file, part in zip(files, parts, strict=True) for _ in part]

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[np.ndarray, str]:
        return self.data[index], self.names[index]


def file_to_vectors(file: str) -> np.ndarray:
    """Compute the log-mel spectrogram of a file and stack five frames to a vector, ``(vectors, 640)``."""
    import librosa

    waveform, rate = librosa.load(file, sr=None, mono=True)
    mel = librosa.feature.melspectrogram(y=waveform, sr=rate, n_fft=1024, hop_length=512, n_mels=MELS, power=2.0)
    log_mel = 10 * np.log10(np.maximum(mel, sys.float_info.epsilon))
    count = log_mel.shape[1] - FRAMES + 1
    vectors = np.zeros((count, MELS * FRAMES))
    for frame in range(FRAMES):
        vectors[:, MELS * frame : MELS * (frame + 1)] = log_mel[:, frame : frame + count].T
    return vectors


def _train(network: nn.Module, optimiser: torch.optim.Optimizer, loader: DataLoader) -> float:
    network.train()
    total = 0.0
    for data, _ in loader:
        x = data.float()
        if len(x) < 2:
            continue
        optimiser.zero_grad()
        loss = F.mse_loss(network(x), x, reduction="none").mean(dim=1).mean()
        loss.backward()
        optimiser.step()
        total += loss.item()
    return total / len(loader)


def _validate(network: nn.Module, loader: DataLoader) -> float:
    network.eval()
    with torch.no_grad():
        losses = [float(F.mse_loss(network(data.float()), data.float())) for data, _ in loader]
    return sum(losses) / len(losses)


def _precisions(network: nn.Module, loader: DataLoader) -> list[Tensor]:
    """Invert the covariances of source and target, sums over batches about each batch's mean."""
    covariances, counts = [torch.zeros(MELS, MELS), torch.zeros(MELS, MELS)], [0, 0]
    for data, names in loader:
        x = data.float()
        errors = x - network(x)
        target = torch.tensor(["target" in name for name in names])
        for which, rows in enumerate((~target, target)):
            if rows.any():
                some = errors[rows].view(-1, MELS)
                centred = some - some.mean(dim=0)
                covariances[which] += centred.T @ centred
                counts[which] += int(rows.sum())
    return [torch.linalg.inv(total / (count - 1)) for total, count in zip(covariances, counts, strict=True)]


def _scores(network: nn.Module, inverse: list[Tensor], files: Sequence[str]) -> Scores:
    mse, mahalanobis = [], []
    for file in files:
        x = torch.from_numpy(file_to_vectors(file)).float()
        reconstructed = network(x)
        mse.append(F.mse_loss(reconstructed, x).item())
        errors = (reconstructed - x).view(-1, MELS)
        both = [(errors @ precision @ errors.T).mean().item() for precision in inverse]  # of all pairs of frames
        mahalanobis.append(min(both))
    return Scores(np.array(mse), np.array(mahalanobis))
