"""Is the simulated factory as hard for the autoencoder as the real task? Must show 1 of docs/simulated_factory.md.

    python -m studies.factory_calibration [--seeds 1000 1001 1002 1003 1004] [--machines all]

One run of download, index, features, train, extract and score for each seed, with the shipped params.yaml but for the
autoencoder, trained as when the factory was set (20 epochs at 1e-3). The pattern to match is the organisers' baseline
(MSE) on the DCASE 2025 development set: AUC source 66.8, AUC target 51.4, pAUC 52.9, official 56.3. No other system is
looked at here.
"""

import pandas as pd

from asd.evaluation.official import mean
from studies.factory import autoencoder, measures, parser, project, table, verdict

OFFICIAL = ["auc_source", "auc_target", "pauc"]
WITHIN = ["auc_source_within", "auc_target_within"]
WINDOWS = {"official": (53.0, 61.0), "pauc": (50.0, 57.0), "mean of both AUCs": (55.0, 63.0)}


def figures(found: pd.DataFrame) -> dict[str, float]:
    """Average the measures of one run over machines as the challenge does: harmonic means."""
    values = {name: 100 * mean(found[name].to_numpy() / 100) for name in (*OFFICIAL, *WITHIN)}
    values["official"] = 100 * mean(found[OFFICIAL].to_numpy().ravel() / 100)
    values["mean of both AUCs"] = (values["auc_source"] + values["auc_target"]) / 2
    return values


def main() -> None:
    """Print a table of seeds, one of machines and the verdict."""
    args = parser(__doc__).parse_args()
    runs = {}
    for seed in args.seeds:
        with project(seed, args.machines):
            runs[seed] = measures(autoencoder())
        print(f"seed {seed}: " + ", ".join(f"{k} {v:.1f}" for k, v in figures(runs[seed]).items()), flush=True)
    seeds = pd.DataFrame({seed: figures(found) for seed, found in runs.items()}).T
    seeds.loc["mean"], seeds.loc["deviation"] = seeds.mean(), seeds.std()
    print(table(seeds.rename_axis("seed")), end="\n\n")
    machines = pd.concat(runs).groupby(level=1)[[*OFFICIAL, *WITHIN]].mean()
    print(table(machines), end="\n\n")
    verdict({name: (seeds.loc["mean", name], *window) for name, window in WINDOWS.items()})


if __name__ == "__main__":
    main()
