"""What a classifier tells apart: machine x section x domain x attribute, and what supplements are."""

import numpy as np
import pandas as pd

from asd.classifiers.params import Classified

ANY = "any"  # stands for the domain where domains are no classes
DOMAINS = Classified.model_validate({})  # domains are classes, supplements are none


def class_names(clips: pd.DataFrame, params: Classified = DOMAINS) -> pd.Series:
    """Name the class of each clip.

    Parameters
    ----------
    clips : pd.DataFrame
        Rows of the clip table with the column ``label`` (given or pseudo-attribute, empty where there is none).
    params : Classified
        By default domains are classes and supplements are left out.

    Returns
    -------
    pd.Series of str
        ``machine|section|domain|label``; ``machine|section|clean`` of clean clips, ``machine|section|noise`` or
        ``noise`` of noise-only clips; empty where clips of that kind, or of further machines, are left out.
    """
    domain = clips["domain"] if params.domain_class else ANY
    home = clips["machine"] + "|" + clips["section"]
    normal = home + "|" + domain + "|" + clips["label"]
    clean = {"none": "", "machine": home + "|clean", "normal": normal}[params.clean_class]
    noise = {"none": "", "shared": "noise", "machine": home + "|noise"}[params.noise_class]
    if not params.further_machines:
        normal = normal.mask(clips["split"] == "supplemental", "")
    return normal.mask(clips["kind"] == "clean", clean).mask(clips["kind"] == "noise", noise)


def class_targets(clips: pd.DataFrame, confidence: str = "ignore", params: Classified = DOMAINS) -> np.ndarray:
    """Give what a classifier shall say of each clip.

    Parameters
    ----------
    clips : pd.DataFrame
        As for :func:`class_names`, with the column ``confidence`` (0 to 1) of its label.
    confidence : str
        ``ignore``: each clip is all of its class. ``weight``: it counts as far as its label is sure, since a row of
        cross-entropy scales with its target. ``soften``: what is not sure is shared by the other classes of its
        machine, section and domain, among which the label was found.
    params : Classified
        See :func:`class_names`; no clip may be without a class.

    Returns
    -------
    np.ndarray [shape=(clips, classes), dtype=float32]
        Columns in the order of the sorted names; rows sum to 1, but for ``weight``.
    """
    names = class_names(clips, params)
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
