"""What adaptation and classification share: crops and the course of the learning rate."""

import math

import numpy as np


def warm_cosine(step: int, steps: int, warm: float = 0.1) -> float:
    """Give the share of the highest learning rate: linear rise over a tenth of the steps, then half a cosine."""
    rise = max(1, round(warm * steps))
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))


def crop(x: np.ndarray, rows: int, draw: np.random.Generator) -> np.ndarray:
    """Cut ``rows`` rows at a drawn place; a shorter clip is repeated first."""
    if len(x) < rows:
        x = np.tile(x, (-(-rows // len(x)), 1))
    start = int(draw.integers(len(x) - rows + 1))
    return x[start : start + rows]
