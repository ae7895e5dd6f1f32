"""Whether thresholds hold the rate of false alarms that they state.

    python -m studies.conformal [--seeds 1000 1001 1002] [--size default] [--training-seeds 0] [--share 0.25]

A share of the normal training recordings is kept out of training and memory, and every system is scored as params.yaml
says. Two thresholds for the same scores of the same models: split conformal, of the clips held out, and in-sample, the
quantile of the scores of clips that the system was trained on (nearest neighbours: each left out of the memory, as
the pipeline does without a calibration). Rates are of normal test clips, pooled over machines, factories and training
seeds; the deviation is that of machines and factories over the root of their number.
"""

import sys
from typing import Any

import pandas as pd

from asd.base.section import checked
from asd.evaluation.joined import read_truth
from asd.scoring.params import ScoreParams
from asd.scoring.table import score_table
from studies.pipeline import embeddings, parser, project, tables

NEAR = 0.02  # of the stated rate, in the source domain
KEYS = ["system", "threshold", "domain"]


def decisions(params: dict[str, Any], factory: int) -> pd.DataFrame:
    """Decide about the normal test clips of a project by both thresholds."""
    clips, trained = tables()
    normal = read_truth().query("anomaly == 0")[["clip_id", "domain"]]
    seen = (clips["split"] != "train") | (clips["kind"] != "machine") | clips["clip_id"].isin(trained)
    parts = []
    for system, block in params["systems"].items():
        found = embeddings(system, clips)
        for name, method, some in (("split conformal", "conformal", seen | True), ("in-sample", "quantile", seen)):
            score = checked(ScoreParams, block["score"] | {"threshold": method}).root
            chosen = {seed: values[some] for seed, values in found.items()}
            table = score_table(clips[some].reset_index(drop=True), trained, chosen, score, params["seed"])
            parts.append(
                table.merge(normal, on="clip_id")
                .drop(columns="threshold")
                .assign(system=system, threshold=name, factory=factory)
            )
    return pd.concat(parts)


def rates(found: pd.DataFrame) -> pd.DataFrame:
    """Pool decisions: rate, its deviation, how many clips, by system, threshold and domain; ``all`` are all systems."""
    found = pd.concat([found, found.assign(system="all")])
    of_machines = found.groupby([*KEYS, "factory", "machine"])["decision"].mean().groupby(KEYS, sort=False)
    pooled = found.groupby(KEYS, sort=False)["decision"].agg(rate="mean", clips="size")
    return pooled.assign(deviation=of_machines.std() / of_machines.size() ** 0.5)


def main() -> int:
    """Print the table; exit status 1 where the source domain's rate is further than two points from the stated one."""
    arguments = parser(__doc__)
    arguments.set_defaults(training_seeds=[0], seeds=[1000, 1001, 1002])
    arguments.add_argument("--share", type=float, default=0.25, help="score.calibration")
    args = arguments.parse_args()
    parts = []
    for seed in args.seeds:
        with project(args, seed, calibration=args.share) as params:
            parts.append(decisions(params, seed))
            stated = {name: 1 - system["score"]["quantile"] for name, system in params["systems"].items()}
    found = rates(pd.concat(parts))
    print("| system | threshold | false alarms, source | target |\n| --- | --- | ---: | ---: |")
    for (system, name), rows in found.reset_index().groupby(["system", "threshold"], sort=False):
        own = 100 * rows.set_index("domain")[["rate", "deviation"]]
        cells = ["{:.1f} % +- {:.1f}".format(*own.loc[domain]) for domain in ("source", "target")]
        print(f"| {' | '.join([str(system), str(name), *cells])} |")
    off = abs(found.loc[("all", "split conformal", "source"), "rate"] - sum(stated.values()) / len(stated))
    print(f"\nall systems, split conformal, source: {100 * off:.1f} points from the stated rate")
    return int(off > NEAR)


if __name__ == "__main__":
    sys.exit(main())
