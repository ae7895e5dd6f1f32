"""``python -m asd compare``: the paired difference of two revisions or experiments, with interval and verdict."""

import argparse
import json
from pathlib import Path

import pandas as pd

from asd.cli.difference_chart import text_chart, write_chart
from asd.cli.revisions import WORKSPACE, Revision, read_revision
from asd.cli.text_tables import markdown, plain
from asd.core.errors import UserError
from asd.evaluation import official
from asd.evaluation.bootstrap import resampled_scores
from asd.evaluation.difference import ENOUGH, MARGIN, Difference, difference, seed_error
from asd.evaluation.labelled_scores import labelled_sections
from asd.evaluation.sections import LabelledSection

RESAMPLES = 2000
SAME = ("name", "split", "size", "seed", "clips", "digest")  # of metrics' data: what must not differ
EXAMPLE = "python -m asd compare main --markdown"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        "Paired difference of the stored scores of two revisions or experiments, with a 95 % interval of test clips "
        f"and training seeds: {ENOUGH} or more seeds on each side, or else the stored seed_sd."
    )
    parser.add_argument("base", metavar="REV_OR_EXP", help="what to compare with")
    parser.add_argument("head", metavar="REV_OR_EXP", nargs="?", default=WORKSPACE, help="default: the workspace")
    parser.add_argument("--system", action="append", help="only this system (may be given several times)")
    parser.add_argument("--markdown", action="store_true", help="as for a pull request")
    parser.add_argument("--json", action="store_true", help="an object a system, of scores from 0 to 1")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the differences, too: .svg or .png")
    parser.add_argument("--resamples", type=int, default=RESAMPLES, help="of the bootstrap (default: %(default)s)")


def main(args: argparse.Namespace) -> int:
    """Print a row a system: both scores, their difference, the basis of its seed error, the verdict; then a chart."""
    base, head = read_revision(args.base), read_revision(args.head)
    score, compared = differences(base, head, args.system, args.resamples)
    if args.picture:
        write_chart(args.picture, compared, f"{score} of {head.name} less {base.name} [points of 100]")
    if args.json:
        found = {name: gain._asdict() | {"verdict": gain.verdict} for name, gain in compared.items()}
        print(json.dumps({"score": score, "differences": found}, indent=2))
        return 0
    lines = difference_rows(base, head, score, compared)
    print("\n".join(markdown(lines) if args.markdown else plain(lines)))
    chart = text_chart(compared)
    print("", *(["```text", *chart, "```"] if args.markdown else chart), "", sep="\n")
    print(legend(score, base, head, compared))
    return 0


def differences(
    base: Revision, head: Revision, systems: list[str] | None = None, resamples: int = RESAMPLES
) -> tuple[str, dict[str, Difference]]:
    """Compute the paired difference, head less base, of every system that both sides have.

    Parameters
    ----------
    base, head : Revision
    systems : list of str, optional
        By default all.
    resamples : int
        Of the bootstrap.

    Returns
    -------
    score : str
        ``official``, or ``score_one_domain``.
    compared : dict of Difference
        By system, of scores from 0 to 1.

    Raises
    ------
    UserError
        Where the two are of different data, or have no system or no labels in common.
    """
    check_same_data(base, head)
    chosen = _chosen(base, head, systems or [])
    year = official.year_of(base.metrics["data"]["name"])
    score, entering = _entering(base, head, chosen, year)
    values = official.official_scores(official.point_values(entering, year), score, year)
    resampled = resampled_scores(entering, official.score_metrics(year)[score], resamples, seed=0)
    compared = {}
    for name in chosen:
        ours, theirs = values[f"head {name}"], values[f"base {name}"]
        same = len(ours) == len(theirs) and base.models.get(name) == head.models.get(name, "")
        seeds = seed_error(ours, theirs, stored_deviation(name, base, head), same)
        if same and not head.models[name]:
            seeds = seeds._replace(basis="not trained")
        paired = resampled[f"head {name}"] - resampled[f"base {name}"]
        compared[name] = difference(ours.mean() - theirs.mean(), paired, seeds)
    return score, compared


def _chosen(base: Revision, head: Revision, systems: list[str]) -> list[str]:
    common = [name for name in head.scores["system"].unique() if name in set(base.scores["system"])]
    for name in systems or common or ["any system"]:
        if name not in common:
            raise UserError(
                f"{base.name} and {head.name} do not both have {name}: both have {', '.join(common) or '-'}"
            )
    return systems or common


def _entering(base: Revision, head: Revision, systems: list[str], year: int) -> tuple[str, list[LabelledSection]]:
    """Arrange both sides' scores of the same clips: the sections that enter the official score, else of one domain."""
    sides = {"base": base.scores, "head": head.scores}
    tables = [
        scores[scores["system"].isin(systems)].assign(system=f"{name} " + scores["system"])
        for name, scores in sides.items()
    ]
    sections = [s for s in labelled_sections(pd.concat(tables)) if not s.unlabelled]
    for score in official.score_metrics(year):
        if entering := [s for s in sections if official.score_name(s, year) == score]:
            return score, entering
    raise UserError(f"{base.name} and {head.name} have no labels: there is nothing to compare by")


def check_same_data(base: Revision, head: Revision) -> None:
    """Refuse two sides that were not evaluated on the same clips.

    Parameters
    ----------
    base, head : Revision
    """
    ours, theirs = head.metrics["data"], base.metrics["data"]
    for key in SAME:
        if ours.get(key) != theirs.get(key):
            both = f"{base.name} has {key} {theirs.get(key)}, {head.name} {ours.get(key)}"
            raise UserError(f"not the same data: {both}: compare runs on the same data")


def stored_deviation(system: str, *sides: Revision) -> float | None:
    """Look up the standard deviation over training seeds, 0 to 1, that one side stored; the larger of two."""
    figures = [side.metrics.get(system, {}) for side in sides]
    known = [figure.get("seed_sd") for figure in figures if figure["seeds"] >= ENOUGH]
    return max(known) / 100 if known else None


def difference_rows(base: Revision, head: Revision, score: str, compared: dict[str, Difference]) -> list[list[str]]:
    """Arrange the differences in rows, heading first, in points of 100.

    Parameters
    ----------
    base, head : Revision
    score : str
        ``official``, or ``score_one_domain``.
    compared : dict of Difference
        By system.
    """
    table = [["system", base.name, head.name, "difference [95 %]", "training seeds", "verdict"]]
    for name, gain in compared.items():
        scores = [f"{side.metrics[name][score]:.2f}" for side in (base, head)]
        interval = f"{100 * gain.value:+.2f} [{100 * gain.low:+.2f}, {100 * gain.high:+.2f}]"
        table.append([name, *scores, interval, gain.basis or "unknown", gain.verdict])
    return table


def legend(score: str, base: Revision, head: Revision, compared: dict[str, Difference]) -> str:
    """Explain the verdicts, and how to resolve those that are not resolved for want of seeds.

    Parameters
    ----------
    score, base, head, compared
        As for :func:`difference_rows`.
    """
    text = (
        f"{score}, head less base, in points: real = the interval of clips and seeds leaves 0 out; "
        f"noise = it holds 0 and nothing beyond {100 * MARGIN:g} point; not resolved = neither."
    )
    unknown = [name for name, gain in compared.items() if not gain.basis]
    if unknown:
        text += (
            f" {', '.join(unknown)}: retrained, and how far training seeds move them is unknown, so nothing is real: "
            f"run {base.name} and {head.name} with {ENOUGH} or more train.seeds."
        )
    return text
