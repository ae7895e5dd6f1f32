"""What a classifier tells apart: machine x section x domain x attribute."""

import numpy as np
import pandas as pd


def class_names(clips: pd.DataFrame) -> pd.Series:
    """Name the class of each clip.

    Parameters
    ----------
    clips : pd.DataFrame
        Rows of the clip table with the column ``label`` (given or pseudo-attribute, empty where there is none).

    Returns
    -------
    pd.Series of str
        ``machine|section|domain|label``.
    """
    return clips["machine"] + "|" + clips["section"] + "|" + clips["domain"] + "|" + clips["label"]


def class_targets(clips: pd.DataFrame, confidence: str = "ignore") -> np.ndarray:
    """Give what a classifier shall say of each clip.

    Parameters
    ----------
    clips : pd.DataFrame
        As for :func:`class_names`, with the column ``confidence`` (0 to 1) of its label.
    confidence : str
        ``ignore``: each clip is all of its class. ``weight``: it counts as far as its label is sure, since a row of
        cross-entropy scales with its target. ``soften``: what is not sure is shared by the other classes of its
        machine, section and domain, among which the label was found.

    Returns
    -------
    np.ndarray [shape=(clips, classes), dtype=float32]
        Columns in the order of the sorted names; rows sum to 1, but for ``weight``.
    """
    names = class_names(clips)
    classes, own = np.unique(names, return_inverse=True)
    targets = np.eye(len(classes), dtype=np.float32)[own]
    if confidence == "ignore":
        return targets
    sure = clips["confidence"].to_numpy(dtype=np.float32)[:, None]
    if confidence == "weight":
        return sure * targets
    peer = pd.Series(classes).str.rsplit("|", n=1).str[0].to_numpy()
    others = (peer[own][:, None] == peer) & (targets == 0)
    count = others.sum(axis=1, keepdims=True)
    left = np.where(count > 0, 1 - sure, 0)
    softened: np.ndarray = ((1 - left) * targets + left * others / np.maximum(count, 1)).astype(np.float32)
    return softened
