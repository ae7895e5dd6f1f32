"""The two views of Wang 2025 against librosa and numpy, their standardisation, attention, branches."""

import librosa
import numpy as np
import pytest
import torch

from asd.encoders.architectures.dual_branch import DualBranch, MultiDimensionalAttention, Spectrogram, Spectrum
from asd.encoders.standardise import fit


def waveform(samples=32000, seed=0):
    noise = np.random.default_rng(seed).standard_normal(samples)
    return (0.1 * noise + 0.3 * np.sin(2 * np.pi * 1234 * np.arange(samples) / 16000)).astype(np.float32)


@pytest.mark.parametrize(("n_fft", "hop_length", "first"), [(1024, 512, 13), (256, 64, 4)])
def test_the_spectrogram_is_librosas_from_200_hz(n_fft, hop_length, first):
    x = waveform()
    view = Spectrogram(2, n_fft=n_fft, hop_length=hop_length).view(torch.from_numpy(x)[None])[0].numpy()
    expected = np.abs(librosa.stft(x.astype(np.float64), n_fft=n_fft, hop_length=hop_length)).T
    np.testing.assert_allclose(view, expected[:, first:], atol=1e-4)


def test_the_spectrum_keeps_the_power_within_its_cells():
    x = waveform()
    view = Spectrum(2, 2000).view(torch.from_numpy(x)[None])[0].numpy()
    power = np.abs(np.fft.rfft(x.astype(np.float64)))[:-1].reshape(2000, -1) ** 2
    np.testing.assert_allclose(view[0], np.sqrt(power.mean(axis=1)) * 2 / len(x), atol=1e-6)


@pytest.mark.parametrize("samples", [320, 9999, 48000])
@pytest.mark.parametrize(("branches", "dims"), [("both", 32), ("stft", 16), ("spectrum", 16)])
def test_clips_of_any_length_give_directions(branches, dims, samples):
    torch.manual_seed(0)  # so few channels can all be dead as they are drawn
    network = DualBranch(1, 2, branches, points=512).eval()
    found = network(torch.from_numpy(waveform(samples))[None, :, None])
    assert found.shape == (1, 1, dims)
    torch.testing.assert_close(found.unflatten(2, (-1, 16)).norm(dim=3), torch.ones(1, 1, dims // 16))


class Store:
    clip_ids = ("a", "b", "c")

    def __getitem__(self, clip):
        return waveform(16000, ord(clip)).reshape(-1, 320) * ord(clip) / 100


def test_every_bin_is_standardised_over_the_training_set():
    store, network = Store(), DualBranch(320, 2, points=512)
    fit(network, store)
    for branch in network.branches.values():
        waves = [torch.from_numpy(store[clip]).reshape(1, -1) for clip in store.clip_ids]
        rows = torch.cat([branch.standardise(branch.view(wave))[0] for wave in waves]).double()
        torch.testing.assert_close(rows.mean(dim=0), torch.zeros(rows.shape[1]).double(), atol=1e-3, rtol=0)
        torch.testing.assert_close(rows.std(dim=0, correction=0), torch.ones(rows.shape[1]).double(), atol=1e-3, rtol=0)


def test_attention_weighs_each_dimension_by_itself():
    torch.manual_seed(0)
    attention, x = MultiDimensionalAttention(4), torch.rand(2, 4, 9, 11) + 0.5
    ratio = (attention(x) / x).log()
    assert ratio.std() > 0
    for dim in (1, 2, 3):  # log weights add up: without the means along a dimension nothing is left but two of them
        ratio = ratio - ratio.mean(dim=dim, keepdim=True)
    torch.testing.assert_close(ratio, torch.zeros_like(ratio), atol=1e-5, rtol=0)


def test_the_papers_width_has_the_sizes_of_its_reference():
    network = DualBranch(320)
    assert network.dims == 2 * 128
    (stages,) = (part for part in network.branches["stft"].body if isinstance(part, torch.nn.Sequential))
    assert [stage[-1].conv2.out_channels for stage in stages] == [16, 32, 64, 128]
    convolutions = [part for part in network.branches["spectrum"].body if isinstance(part, torch.nn.Conv1d)]
    shapes = [(part.out_channels, *part.kernel_size, *part.stride) for part in convolutions]
    assert shapes == [(128, 256, 64), (128, 64, 32), (128, 16, 4)]
