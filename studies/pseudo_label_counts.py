"""Which rule should choose the number of groups, for every machine? A comparison that leaves one machine out.

    python -m studies.pseudo_label_counts --seeds 1000 1001 ... [--machines ToyCar+fan+...] [--encoder tiny_adapted]

Machines whose attributes are given, spectra and embeddings, every rule with and without principal components, target
clips joined or apart: adjusted mutual information with the given attributes. For each machine the best setting of all
others is judged on it; the setting that is best for all is the default of params.yaml. Seeds from 1000 on alone.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_mutual_info_score

from asd.pseudo_labels.counts import RULES
from asd.pseudo_labels.hierarchical import hierarchical
from asd.pseudo_labels.params import Agglomerative
from asd.pseudo_labels.spaces import space
from studies.factory import chosen, parser, table
from studies.pseudo_label_data import GIVEN, Factory, by_machine, shipped, training_clips

COMPONENTS = (10, 20, 0)
TARGETS = ("join", "apart")
SETTING = ["rule", "components", "target"]


def main() -> None:
    """Print all settings, and what leaving one machine out chooses."""
    made = parser(__doc__)
    made.set_defaults(machines=GIVEN)
    made.add_argument("--encoder", default="tiny_adapted", help="of params.yaml")
    arguments = made.parse_args()
    rows = []
    for seed in arguments.seeds:
        for machine, factory in by_machine(training_clips(seed, "all", arguments.encoder)).items():
            if machine in chosen(arguments.machines):
                rows += [{"seed": seed, "machine": machine} | row for row in tried(factory)]
    found = pd.DataFrame(rows)
    for what, own in found.groupby("what"):
        means = own.pivot_table(index=SETTING, columns="machine", values="ami")
        means["mean"] = means.mean(axis=1)
        print(f"{what}: AMI with the given attributes\n")
        print(table(named(means.sort_values("mean", ascending=False)), digits=3), end="\n\n")
        print(table(left_out(means.drop(columns="mean")), digits=3), end="\n\n")


def tried(factory: Factory) -> Iterator[dict[str, Any]]:
    """Group one machine by every setting."""
    params = shipped()
    for what, values in (("spectrum", factory.clips.spectra), ("hierarchical", factory.clips.embeddings)):
        for components, rule in product(COMPONENTS, RULES):
            if rule == "gap_statistic" and not components:
                continue  # references of hundreds of dimensions: minutes
            x = space(values, components=components)
            for target in TARGETS:
                setting = Agglomerative(count=rule, components=components, target=target)  # type: ignore[arg-type]
                made = hierarchical(x, factory.clips.domain, setting, params.min_groups, params.max_groups)
                ami = adjusted_mutual_info_score(factory.table["truth"], made.groups)
                yield {"what": what, "rule": rule, "components": components, "target": target, "ami": ami}


def named(means: pd.DataFrame) -> pd.DataFrame:
    """Name each setting by one word."""
    words = [f"{rule} {components or 'all'} {target}" for rule, components, target in means.index]
    return means.set_axis(pd.Index(words, name="setting"))


def left_out(means: pd.DataFrame) -> pd.DataFrame:
    """Choose by all machines but one, and judge on that one."""
    rows = {}
    for machine in means.columns:
        best = means.drop(columns=machine).mean(axis=1).idxmax()
        rows[machine] = {
            "chosen by the others": " ".join(map(str, best)),
            "ami": means.loc[best, machine],
            "best there": means[machine].max(),
        }
    rows["mean"] = {
        "chosen by the others": "",
        "ami": np.mean([r["ami"] for r in rows.values()]),
        "best there": means.max().mean(),
    }
    return pd.DataFrame(rows).T.rename_axis("left out").infer_objects()


if __name__ == "__main__":
    main()
