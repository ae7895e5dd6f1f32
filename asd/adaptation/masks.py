"""Inverse block masking: what the student sees is a few whole blocks of the patch grid."""

import numpy as np


def visible_patches(rng: np.random.Generator, time: int, bands: int, mask: float, block: int) -> np.ndarray:
    """Draw the patches that the student sees: square blocks, until at least a share ``1 - mask`` is covered.

    Exactly ``round((1 - mask) * time * bands)`` patches, at least one and never all of several, are kept, so that
    the clones of a batch stack; which ones of the last block are given up is drawn.

    Parameters
    ----------
    rng : np.random.Generator
        Where the draw comes from.
    time, bands : int
        Size of the patch grid.
    mask : float
        Share of patches that are hidden.
    block : int
        [patches] Side of a block.

    Returns
    -------
    np.ndarray [shape=(visible,)], int
        Flat indices, sorted; index = time index * bands + band index.

    References
    ----------
    Baevski et al., "Efficient self-supervised learning with contextualized target representations" (data2vec 2.0),
    ICML 2023; used by EAT.
    """
    patches = time * bands
    wanted = max(1, min(round((1 - mask) * patches), patches - 1))
    seen = np.zeros((time, bands), dtype=bool)
    while (before := seen.copy()).sum() < wanted:
        t, f = rng.integers(time), rng.integers(bands)
        half = block // 2
        seen[max(0, t - half) : max(0, t - half + block), max(0, f - half) : max(0, f - half + block)] = True
        if seen.sum() > wanted:
            new = np.flatnonzero(seen & ~before)
            seen.flat[rng.choice(new, size=int(seen.sum()) - wanted, replace=False)] = False
    return np.flatnonzero(seen)
