"""Pseudo-labels: all methods, their evidence and their figures, on fifteen machines of a thousand clips."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from asd.core.section import load
from asd.pseudo_labels.grouping import Clips
from asd.pseudo_labels.label import label
from asd.pseudo_labels.params import PseudoLabelParams
from bench.harness import Row, in_turns

MACHINES, CLIPS, DIMS, BANDS, FAMILIES, GROUPS = 15, 1000, 768, 256, 6, 8
RUNS = 1
MOST = 60_000 / MACHINES  # [ms/machine]: all of them in a minute


def rows() -> list[Row]:
    """Measure the labels of a whole year's machines against one matrix product per machine."""
    params = load(PseudoLabelParams, "pseudo_label")
    made = [_machine(number) for number in range(MACHINES)]

    def ours(numbers: Sequence[int]) -> None:
        tables, clips = zip(*(made[number] for number in numbers), strict=True)
        label(pd.concat(tables), Clips(*map(np.concatenate, zip(*clips, strict=True))), params)

    def products(numbers: Sequence[int]) -> None:
        for number in numbers:
            x = made[number][1].embeddings
            x @ x.T

    times = in_turns({"ours": ours, "products": products}, range(MACHINES), RUNS)
    name = f"pseudo-labels, {MACHINES} machines of {CLIPS} clips x {DIMS} dimensions, all methods"
    return [Row(name, "ms/machine", times["ours"], "all distances once", times["products"], limit=MOST)]


def _machine(number: int) -> tuple[pd.DataFrame, Clips]:
    """Simulate the clips of one machine: groups of speeds and of sounds, in noise."""
    draw = np.random.default_rng(number)
    speed, sound = draw.integers(GROUPS // 2, size=CLIPS), draw.integers(2, size=CLIPS)
    means = {dims: draw.standard_normal((GROUPS, dims)) for dims in (DIMS, BANDS)}
    group = 2 * speed + sound
    embeddings, spectra = (means[dims][group] + draw.standard_normal((CLIPS, dims)) for dims in (DIMS, BANDS))
    frequency = draw.uniform(5, 200, (CLIPS, FAMILIES))
    frequency[:, 0] = (17 + 6.1 * speed) * draw.normal(1, 0.001, CLIPS)
    names = {"clip_id": [f"{number:02d}{clip:05d}" for clip in range(CLIPS)], "machine": f"machine{number:02d}"}
    domain = np.where(np.arange(CLIPS) % 100, "source", "target")
    table = pd.DataFrame(names).assign(section="00", domain=domain, label="")
    return table, Clips(domain, embeddings, spectra, frequency, draw.uniform(3, 20, (CLIPS, FAMILIES)))
