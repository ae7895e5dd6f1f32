"""Several processes at one training, as ``torchrun`` starts them: by hand, so that the sums can be followed."""

import atexit
import os
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.autograd import Function
from torch.nn.modules.batchnorm import _BatchNorm


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
def sum_up(tensors: Iterable[Tensor]) -> None:
    """Replace tensors by their sums over all processes, in one go."""
    if size() == 1:
        return
    parts = list(tensors)
    flat = torch.cat([part.flatten() for part in parts])
    distributed.all_reduce(flat)
    for part, total in zip(parts, flat.split([part.numel() for part in parts]), strict=True):
        part.copy_(total.view_as(part))


def share(x: Tensor) -> Tensor:
    """Take this process's rows of a batch that all have."""
    return x.tensor_split(size())[rank()]


def put_together(own: Tensor, rows: int) -> Tensor:
    """Give every process the rows of all, of which :func:`share` gives each its own.

    Every process then computes the same of all rows; what flows back to a process are the gradients of its own.
    """
    return own if size() == 1 else _PutTogether.apply(own, rows)


def normalise_together(network: nn.Module) -> None:
    """Let a network's batch normalisation see the batches of all processes as one, in place."""
    if size() > 1:
        for layer in network.modules():
            if isinstance(layer, _BatchNorm):
                layer.__class__ = _JoinedBatchNorm


class _PutTogether(Function):
    @staticmethod
    def forward(context: Any, own: Tensor, rows: int) -> Tensor:
        everyone = own.new_zeros(rows, *own.shape[1:])
        share(everyone).copy_(own)
        distributed.all_reduce(everyone)
        return everyone

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return share(gradients[0]), None


class _Sum(Function):
    """A sum over processes of what each of them goes on with: so are the gradients."""

    @staticmethod
    def forward(context: Any, own: Tensor) -> Tensor:
        total = own.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous()
        distributed.all_reduce(total)
        return total


class _JoinedBatchNorm(_BatchNorm):
    """Batch normalisation over all processes (torch's own needs GPUs)."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        over = [axis for axis in range(x.dim()) if axis != 1]
        shape = [-1 if axis == 1 else 1 for axis in range(x.dim())]
        wide = x if x.dtype == torch.float64 else x.float()
        count: Tensor = _Sum.apply(wide.new_tensor(float(x.numel() // x.shape[1])))
        mean: Tensor = _Sum.apply(wide.sum(over)) / count
        centred = wide - mean.view(shape)
        variance: Tensor = _Sum.apply(centred.square().sum(over)) / count
        self._remember(mean.detach(), variance.detach() * count / (count - 1))
        scale = (variance + self.eps).rsqrt() * self.weight
        return (centred * scale.view(shape) + self.bias.view(shape)).to(x.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        momentum = 0.1 if self.momentum is None else self.momentum
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean.to(self.running_mean), momentum)
        self.running_var.lerp_(variance.to(self.running_var), momentum)
