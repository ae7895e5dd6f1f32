"""Which scorer suits which system, and what it trades between the domains.

    python -m studies.scorers [--seeds 1000] [--size default] [--training-seeds 0 1 2] [--systems NAME ...]

Every system's embeddings are scored by every scorer. Figures are means over machines, factories and training seeds;
differences are to the system's cosine nearest neighbour, or reconstruction error, of the same trained models on the
same clips: 95 % intervals over clips and training seeds.
"""

from typing import Any

import pandas as pd

from asd.evaluation.sections import LabelledSection
from asd.scoring.trade_off import trade_off
from studies import comparison
from studies.pipeline import embeddings, gathered, parser, tables

REFERENCES = ("knn_cosine", "mse")  # what a system's other scorers are held against


def labelled(params: dict[str, Any], factory: int) -> list[LabelledSection]:
    """Score all systems of a project by all scorers and set the scores beside the truth."""
    clips, trained = tables()
    parts = []
    for system in params["systems"]:
        found = trade_off(clips, trained, embeddings(system, clips), params["seed"])
        parts.append(found.assign(system=system + "/" + found["scorer"]))
    return comparison.labelled(pd.concat(parts), clips, factory)


def main() -> None:
    """Print the table."""
    arguments = parser(__doc__)
    arguments.add_argument("--resamples", type=int, default=1000)
    args = arguments.parse_args()
    sections = gathered(args, labelled)
    names = set(sections[0].scores)

    def reference_of(name: str) -> str:
        system = name.split("/")[0]
        return next(f"{system}/{other}" for other in REFERENCES if f"{system}/{other}" in names)

    comparison.show(comparison.rows(sections, reference_of, args.resamples, same_models=True))


if __name__ == "__main__":
    main()
