"""Several processes at one training, as ``torchrun`` starts them.

Gradients are averaged by torch's DistributedDataParallel; on GPUs batch normalisation is torch's SyncBatchNorm.
That does not run on CPUs, where processes meet by gloo: in tests :class:`_JoinedBatchNorm` stands for it. A single
process calls none of it.
"""

import atexit
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, distributed, nn
from torch.distributed.nn.functional import all_reduce
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel


def rank() -> int:
    """Give this process's number; 0 is the only one that writes."""
    return int(os.environ.get("RANK", "0"))


def size() -> int:
    """Count the processes; 1 without ``torchrun``."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def join(device: torch.device) -> torch.device:
    """Join the other processes, if there are any, for as long as this one lives; give its own device.

    Once only: a group that is left and made anew finds the addresses of the old one, and may wait for them forever.
    """
    if size() == 1:
        return device
    cuda = device.type == "cuda"
    if cuda:
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    if not distributed.is_initialized():
        distributed.init_process_group("nccl" if cuda else "gloo")
        atexit.register(distributed.destroy_process_group)
    return device


def from_first(give: Callable[[], Any]) -> Any:
    """Let process 0 give something that is picklable, and have it everywhere."""
    if size() == 1:
        return give()
    held = [give() if rank() == 0 else None]
    distributed.broadcast_object_list(held, src=0)
    return held[0]


@torch.no_grad()
def total(values: Tensor) -> Tensor:
    """Sum a tensor over all processes."""
    if size() > 1:
        distributed.all_reduce(values)
    return values


def in_step(network: nn.Module) -> nn.Module:
    """Wrap a network so that gradients are means over processes; parameters without any are allowed."""
    return network if size() == 1 else DistributedDataParallel(network, find_unused_parameters=True)


def without_sync(network: nn.Module, wanted: bool) -> AbstractContextManager[None]:
    """Keep gradients in this process, to be averaged by a later backward pass, where that is wanted."""
    return network.no_sync() if wanted and isinstance(network, DistributedDataParallel) else nullcontext()


def local_rows(x: Tensor) -> Tensor:
    """Take this process's rows of a batch that all have."""
    return x.tensor_split(size())[rank()]


def all_rows(own: Tensor, rows: int) -> Tensor:
    """Give every process the rows of all, of which :func:`local_rows` gives each its own.

    Every process then computes the same loss of all rows. What flows back to a row is the sum over processes, of which
    :func:`in_step` takes the mean.

    Parameters
    ----------
    own : Tensor [shape=(own rows, dims)]
    rows : int
        Of all processes.

    Returns
    -------
    Tensor [shape=(rows, dims)]
    """
    if size() == 1:
        return own
    before = sum(len(part) for part in torch.arange(rows).tensor_split(size())[: rank()])
    placed: Tensor = all_reduce(F.pad(own, (0, 0, before, rows - before - len(own))))
    return placed


def normalise_together(network: nn.ModuleDict) -> None:
    """Let the batch normalisation of a network's parts see the batches of all processes as one, in place."""
    if size() == 1:
        return
    if distributed.get_backend() == "nccl":
        for name, part in network.items():
            network[name] = nn.SyncBatchNorm.convert_sync_batchnorm(part)
        return
    for layer in network.modules():
        if isinstance(layer, _BatchNorm):
            layer.__class__ = _JoinedBatchNorm


class _JoinedBatchNorm(_BatchNorm):
    """Batch normalisation over all processes, on CPUs."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        over = [axis for axis in range(x.dim()) if axis != 1]
        shape = [-1 if axis == 1 else 1 for axis in range(x.dim())]
        count = all_reduce(x.new_tensor(float(x.numel() // x.shape[1])))
        mean = all_reduce(x.sum(over)) / count  # (channels,)
        centred = x - mean.view(shape)
        variance = all_reduce(centred.square().sum(over)) / count
        with torch.no_grad():
            momentum = 0.1 if self.momentum is None else self.momentum
            self.num_batches_tracked.add_(1)  # type: ignore[union-attr]
            self.running_mean.lerp_(mean, momentum)  # type: ignore[union-attr]
            self.running_var.lerp_(variance * count / (count - 1), momentum)  # type: ignore[union-attr]
        scale = (variance + self.eps).rsqrt() * self.weight
        return centred * scale.view(shape) + self.bias.view(shape)
