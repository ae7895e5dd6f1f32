"""Is there nothing to find where nothing is wrong? See docs/simulated_factory.md.

    python -m studies.factory_null [--seeds 1000 1001 1002 1003 1004] [--machines all]

The same factory, names and labels with ``dataset.simulated.severity`` 0. The autoencoder's within-domain AUCs, pAUC and
the mean of both official AUCs, averaged over machines and seeds, must lie within the 99 % interval of the same averages
under labels permuted within each domain.
"""

from dataclasses import replace

import numpy as np

from asd.base.compute import rng
from asd.evaluation.sections import LabelledSection, measured
from studies.factory import parser, project, scored, verdict

MEASURES = {
    "AUC source within": ("auc_source_within",),
    "AUC target within": ("auc_target_within",),
    "pAUC": ("pauc",),
    "mean of both AUCs": ("auc_source", "auc_target"),
}
CONFIDENCE = 0.99


def averages(sections: list[LabelledSection]) -> np.ndarray:
    """Average each of :data:`MEASURES` over sections, in percent."""
    values = [
        [np.mean([measured(section, name, scores)[0] for name in names]) for names in MEASURES.values()]
        for section in sections
        for scores in section.scores["autoencoder"]
    ]
    return 100 * np.mean(values, axis=0)


def permuted(section: LabelledSection, generator: np.random.Generator) -> LabelledSection:
    """Deal out a section's labels anew, within each domain."""
    anomalous = section.anomalous.copy()
    for domain in np.unique(section.domain):
        own = section.domain == domain
        anomalous[own] = generator.permutation(anomalous[own])
    return replace(section, anomalous=anomalous)


def windows(sections: list[LabelledSection], permutations: int) -> dict[str, tuple[float, float, float]]:
    """Give each measure's value and its interval under permuted labels."""
    generator = rng("null factory")
    draws = [averages([permuted(section, generator) for section in sections]) for _ in range(permutations)]
    low, high = np.quantile(draws, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=0)
    found = averages(sections)
    return {name: (found[i], low[i], high[i]) for i, name in enumerate(MEASURES)}


def main() -> None:
    """Print the verdict."""
    made = parser(__doc__)
    made.add_argument("--permutations", type=int, default=1000)
    args = made.parse_args()
    sections = []
    for seed in args.seeds:
        with project(seed, args.machines, severity=0.0):
            own = scored()
        said = zip(MEASURES, averages(own), strict=True)
        print(f"seed {seed}: " + ", ".join(f"{name} {value:.1f}" for name, value in said), flush=True)
        sections += own
    verdict(windows(sections, args.permutations))


if __name__ == "__main__":
    main()
