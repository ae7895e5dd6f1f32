"""Several processes at one adaptation, as ``torchrun`` starts them: by hand, so that the sums can be followed."""

import atexit
import os
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, distributed


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
