"""The upper limit of a processor or GPU: products of large square matrices."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

SIZE = {"cpu": 2048, "cuda": 8192}  # of the matrices


def operations_of(work: Callable[[], object]) -> int:
    """Count the floating-point operations of some work."""
    mapping = {torch.ops.aten.convolution_backward: _convolution_backward}
    with FlopCounterMode(display=False, custom_mapping=mapping) as counted:
        work()
    return int(counted.get_total_flops())


def _convolution_backward(out: Sequence[int], _: Any, weight: Sequence[int], *others: Any, **__: Any) -> int:
    """Count the operations of the gradients that are needed; torch's own count leaves the groups out."""
    mask: Sequence[bool] = others[7]
    return 2 * math.prod(out) * math.prod(weight[1:]) * sum(mask[:2])


def products(operations: float, device: str, precision: torch.dtype | None = None) -> Callable[[Sequence], None]:
    """Multiply square matrices for so many operations an item; on a GPU in bfloat16 by default."""
    n = SIZE[device]
    precision = precision or (torch.bfloat16 if device == "cuda" else torch.float32)
    a, b = (torch.randn(n, n, device=device, dtype=precision) for _ in range(2))

    def work(items: Sequence) -> None:
        whole, part = divmod(operations * len(items) / (2 * n * n), n)
        for _ in range(int(whole)):
            a @ b
        a[: int(part)] @ b
        wait(device)

    return work


def wait(device: str) -> None:
    """Wait until a GPU has finished."""
    if device == "cuda":
        torch.cuda.synchronize()
