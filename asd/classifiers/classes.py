"""The classes of a classifier: machine x section x domain x attribute, and those of supplemental clips."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from asd.classifiers.params import ClassParams

ANY = "any"  # stands for the domain where domains are no classes
DOMAINS = ClassParams.model_validate({})  # domains are classes, supplements are none


class SoundClass(NamedTuple):
    """One class of sounds.

    Attributes
    ----------
    machine, section : str
        Empty where noise of all machines is one class.
    domain : str
        :data:`ANY` where domains are no classes; empty of clean and noise-only clips.
    label : str
        Given or pseudo-attribute, empty where there is none.
    kind : str
        ``machine``, or ``clean`` or ``noise`` where these clips have a class of their own.
    """

    machine: str
    section: str
    domain: str = ""
    label: str = ""
    kind: str = "machine"

    def __str__(self) -> str:
        """Name it: ``machine|section|domain|label``, ``machine|section|clean``, ``noise``."""
        parts = self[:4] if self.kind == "machine" else (self.machine, self.section, self.kind)
        return "|".join(parts) if self.machine else self.kind


def sound_classes(clips: pd.DataFrame, params: ClassParams = DOMAINS) -> list[SoundClass | None]:
    """Find the class of each clip.

    Parameters
    ----------
    clips : pd.DataFrame
        Rows of the clip table with the column ``label`` (given or pseudo-attribute, empty where there is none).
    params : ClassParams
        By default domains are classes and supplements are left out.

    Returns
    -------
    list of SoundClass or None
        None where clips of that kind, or of further machines, are left out.
    """
    columns = (clips[name] for name in ("machine", "section", "domain", "label", "kind", "split"))
    return [_class_of(params, *row) for row in zip(*columns, strict=True)]


def _class_of(
    params: ClassParams, machine: str, section: str, domain: str, label: str, kind: str, split: str
) -> SoundClass | None:
    normal = SoundClass(machine, section, domain if params.domain_class else ANY, label)
    if kind == "clean":
        own = SoundClass(machine, section, kind="clean")
        return {"none": None, "machine": own, "normal": normal}[params.clean_class]
    if kind == "noise":
        own = SoundClass(machine, section, kind="noise")
        return {"none": None, "machine": own, "shared": SoundClass("", "", kind="noise")}[params.noise_class]
    return normal if params.further_machines or split != "supplemental" else None


def class_list(of_clips: Sequence[SoundClass]) -> list[SoundClass]:
    """List every class once, in the order of their names: the columns of :func:`class_targets`."""
    return sorted(set(of_clips), key=str)


def class_targets(of_clips: Sequence[SoundClass], sure: np.ndarray, confidence: str = "ignore") -> np.ndarray:
    """Make the targets of a classifier.

    Parameters
    ----------
    of_clips : sequence of SoundClass [shape=(clips,)]
    sure : np.ndarray [shape=(clips,)]
        Confidence of each clip's label, 0 to 1.
    confidence : str
        ``ignore``: each clip is all of its class. ``weight``: it counts as far as its label is sure, since a row of
        cross-entropy scales with its target. ``soften``: what is not sure is shared by the other classes of its
        machine, section and domain, among which the label was chosen.

    Returns
    -------
    np.ndarray [shape=(clips, classes), dtype=float32]
        Columns in the order of :func:`class_list`; rows sum to 1, but for ``weight``.
    """
    classes = class_list(of_clips)
    column = {one: number for number, one in enumerate(classes)}
    own = np.array([column[one] for one in of_clips])
    targets = np.eye(len(classes), dtype=np.float32)[own]
    if confidence == "ignore":
        return targets
    weight = sure.astype(np.float32)[:, None]
    if confidence == "weight":
        return weight * targets
    without_label = [one._replace(label="") for one in classes]  # machine, section, domain
    peer = np.array([without_label.index(one) for one in without_label])
    others = (peer[own][:, None] == peer) & (targets == 0)
    count = others.sum(axis=1, keepdims=True)
    left = np.where(count > 0, 1 - weight, 0)
    softened: np.ndarray = ((1 - left) * targets + left * others / np.maximum(count, 1)).astype(np.float32)
    return softened
