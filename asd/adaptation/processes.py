"""Several processes at one adaptation, as ``torchrun`` starts them: by hand, so that the sums can be followed."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, distributed


def rank() -> int:
    """Give this process's number; 0 is the only one that writes."""
    return int(os.environ.get("RANK", "0"))


def size() -> int:
    """Count the processes; 1 without ``torchrun``."""
    return int(os.environ.get("WORLD_SIZE", "1"))


@contextmanager
def joined(device: torch.device) -> Iterator[torch.device]:
    """Join the other processes for a while, if there are any; give this process's own device."""
    if size() == 1:
        yield device
        return
    cuda = device.type == "cuda"
    if cuda:
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if cuda else "gloo")
    try:
        yield device
    finally:
        distributed.destroy_process_group()


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
