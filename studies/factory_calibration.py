"""Is the simulated factory as hard as the real task, rung by rung? See docs/simulated_factory.md.

    python -m studies.factory_calibration [--seeds 1000 1001 ...] [--machines all] [--systems NAME ...]

For each seed one run of download, index, features, train, extract and score, with the shipped params.yaml. Rungs:

- the autoencoder as on the DCASE 2025 development set (the organisers' baseline, MSE: AUC source 66.8, AUC target 51.4,
  pAUC 52.9, official 56.3);
- Mahalanobis distance of the mean log-mel spectrum and of its variogram, within 10 points of each other in the mean of
  both AUCs within a domain: neither how machines sound on average nor how their sound changes is favoured;
- systems without training: none above an official score of 66.

No system that is trained otherwise is looked at here.
"""

import pandas as pd

from asd.evaluation.official import mean
from studies.factory import BANKS, SYSTEM, UNTRAINED, measures, parser, project, scored, table, verdict

OFFICIAL = ["auc_source", "auc_target", "pauc"]
WITHIN = ["auc_source_within", "auc_target_within"]
WINDOWS = {"official": (53.0, 61.0), "pauc": (50.0, 57.0), "mean of both AUCs": (55.0, 63.0)}
APART = 10.0  # largest difference of the two references in "mean within"
MOST = 66.0  # official score of a system without training


def figures(found: pd.DataFrame) -> dict[str, float]:
    """Average the measures of one run over machines as the challenge does, harmonic means; "mean within" plainly."""
    values = {name: 100 * mean(found[name].to_numpy() / 100) for name in (*OFFICIAL, *WITHIN)}
    values["official"] = 100 * mean(found[OFFICIAL].to_numpy().ravel() / 100)
    values["mean of both AUCs"] = (values["auc_source"] + values["auc_target"]) / 2
    values["mean within"] = float(found[WITHIN].to_numpy().mean())
    return values


def windows(rungs: pd.DataFrame) -> dict[str, tuple[float, float, float]]:
    """Give value and window of every rung; ``rungs`` has a row a system."""
    made = {}
    if SYSTEM in rungs.index:
        made = {f"{SYSTEM}: {name}": (rungs.loc[SYSTEM, name], *window) for name, window in WINDOWS.items()}
    if set(BANKS) <= set(rungs.index):
        mean_spectrum, variogram = (rungs.loc[name, "mean within"] for name in BANKS)
        made["variogram less mean log-mel: mean within"] = (variogram - mean_spectrum, -APART, APART)
    untrained = rungs.index.intersection(UNTRAINED)
    return made | {f"{name}: official": (rungs.loc[name, "official"], 0.0, MOST) for name in untrained}


def main() -> None:
    """Print a line a seed and system, the ladder, a table of machines and the verdict."""
    made = parser(__doc__)
    made.add_argument("--systems", nargs="+", default=[SYSTEM, *UNTRAINED], choices=[SYSTEM, *UNTRAINED])
    args = made.parse_args()
    runs: dict[tuple[str, int], pd.DataFrame] = {}
    for seed in args.seeds:
        with project(seed, args.machines):
            sections = scored(args.systems)
        for system in args.systems:
            runs[system, seed] = measures(sections, system)
            values = figures(runs[system, seed]).items()
            print(f"seed {seed} {system}: " + ", ".join(f"{k} {v:.1f}" for k, v in values), flush=True)
    seeds = pd.DataFrame({key: figures(found) for key, found in runs.items()}).T
    rungs = seeds.groupby(level=0, sort=False).mean()
    deviation = seeds["official"].groupby(level=0).std()
    print(table(rungs.assign(**{"deviation of official": deviation}).rename_axis("system")), end="\n\n")
    within = {s: pd.concat([found for (system, _), found in runs.items() if system == s])[WITHIN] for s in args.systems}
    machines = pd.DataFrame({name: found.mean(axis=1).groupby(level=0).mean() for name, found in within.items()})
    print(table(machines.rename_axis("mean within")), end="\n\n")
    verdict(windows(rungs))


if __name__ == "__main__":
    main()
