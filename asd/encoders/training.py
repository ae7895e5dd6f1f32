"""Crops and the learning rate's schedule, of adaptation and classification alike."""

import math

import numpy as np


def warm_cosine(step: int, steps: int, warm: float = 0.1) -> float:
    """Compute the fraction of the highest rate: a linear rise, then half a cosine.

    Parameters
    ----------
    step, steps : int
        The step, from 0, of so many.
    warm : float
        Fraction of the steps in which the rate rises.

    Returns
    -------
    float
        Of 0 to 1.
    """
    rise = max(1, round(warm * steps))
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))


def crop(x: np.ndarray, rows: int, generator: np.random.Generator) -> np.ndarray:
    """Cut some rows of a clip at a random position; a shorter clip is repeated first.

    Parameters
    ----------
    x : np.ndarray [shape=(n_frames, ...)]
    rows : int
    generator : np.random.Generator

    Returns
    -------
    np.ndarray [shape=(rows, ...)]
    """
    if len(x) < rows:
        x = np.tile(x, (-(-rows // len(x)), 1))
    start = int(generator.integers(len(x) - rows + 1))
    return x[start : start + rows]
