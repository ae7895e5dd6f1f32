"""``python -m asd compare``: say whether two revisions or experiments really differ, or it is noise."""

import argparse
from typing import Any

import pandas as pd

from asd.base.errors import UserError
from asd.commands.results import markdown, plain
from asd.evaluation import joined, official
from asd.evaluation.bootstrap import resampled_scores
from asd.evaluation.difference import ENOUGH, MARGIN, Difference, difference, seed_error
from asd.evaluation.sections import LabelledSection
from asd.evaluation.stored import WORKSPACE, Stored, read_stored

RESAMPLES = 2000
SAME = ("name", "split", "size", "seed", "clips", "digest")  # of metrics' data: what must not differ


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
    parser.add_argument("--resamples", type=int, default=RESAMPLES, help="of the bootstrap (default: %(default)s)")


def main(args: argparse.Namespace) -> int:
    """Print a row a system: both scores, their difference, what it was taken from, the verdict."""
    base, head = read_stored(args.base), read_stored(args.head)
    headline, found = differences(base, head, args.system, args.resamples)
    lines = rows(base, head, headline, found)
    print("\n".join(markdown(lines) if args.markdown else plain(lines)))
    print("\n" * args.markdown + legend(headline, base, head, found))
    return 0


def differences(
    base: Stored, head: Stored, systems: list[str] | None = None, resamples: int = RESAMPLES
) -> tuple[str, dict[str, Difference]]:
    """Compute the paired difference, head less base, of every system that both sides have.

    Parameters
    ----------
    base, head : Stored
    systems : list of str, optional
        By default all.
    resamples : int
        Of the bootstrap.

    Returns
    -------
    headline : str
        Which score: ``official``, or ``score_one_domain``.
    found : dict of Difference
        By system, shares of 1.

    Raises
    ------
    UserError
        Where the two are of different data, or have no system or no labels in common.
    """
    check(base, head)
    chosen = _chosen(base, head, systems or [])
    year = official.year_of(base.metrics["data"]["name"])
    headline, entering = _entering(base, head, chosen, year)
    values = official.headline_values(official.point_values(entering, year), headline, year)
    resampled = resampled_scores(entering, official.headlines(year)[headline], resamples, seed=0)
    found = {}
    for name in chosen:
        ours, theirs = values[f"head {name}"], values[f"base {name}"]
        same = len(ours) == len(theirs) and base.models.get(name) == head.models.get(name, "")
        seeds = seed_error(ours, theirs, stored_deviation(name, base, head), same)
        paired = resampled[f"head {name}"] - resampled[f"base {name}"]
        found[name] = difference(ours.mean() - theirs.mean(), paired, seeds)
    return headline, found


def _chosen(base: Stored, head: Stored, systems: list[str]) -> list[str]:
    common = [name for name in head.scores["system"].unique() if name in set(base.scores["system"])]
    for name in systems or common or ["any system"]:
        if name not in common:
            raise UserError(
                f"{base.name} and {head.name} do not both have {name}: both have {', '.join(common) or '-'}"
            )
    return systems or common


def _entering(base: Stored, head: Stored, systems: list[str], year: int) -> tuple[str, list[LabelledSection]]:
    """Put both sides' scores of the same clips side by side: the sections that enter the first headline there is."""
    sides = {"base": base.scores, "head": head.scores}
    tables = [
        scores[scores["system"].isin(systems)].assign(system=f"{name} " + scores["system"])
        for name, scores in sides.items()
    ]
    sections = [s for s in joined.labelled_sections(pd.concat(tables)) if not s.unlabelled]
    for headline in official.headlines(year):
        if entering := [s for s in sections if official.headline_of(s, year) == headline]:
            return headline, entering
    raise UserError(f"{base.name} and {head.name} have no labels: there is nothing to compare by")


def check(base: Stored, head: Stored) -> None:
    """Refuse two sides that were not evaluated on the same clips."""
    ours, theirs = head.metrics["data"], base.metrics["data"]
    for key in SAME:
        if ours.get(key) != theirs.get(key):
            said = f"{base.name} has {key} {theirs.get(key)}, {head.name} {ours.get(key)}"
            raise UserError(f"not the same data: {said}: compare runs on the same data")


def stored_deviation(system: str, *sides: Stored) -> float | None:
    """Find the deviation between training seeds that one side stored, as a share of 1; the larger of two."""
    known = [own.get("seed_sd") for own in (side.metrics.get(system, {}) for side in sides) if own["seeds"] >= ENOUGH]
    return max(known) / 100 if known else None


def rows(base: Stored, head: Stored, headline: str, found: dict[str, Difference]) -> list[list[str]]:
    """Arrange the differences in rows, heading first, in points of 100."""
    table = [["system", base.name, head.name, "difference [95 %]", "training seeds", "verdict"]]
    for name, own in found.items():
        scores = [_score(side.metrics, name, headline) for side in (base, head)]
        interval = f"{100 * own.value:+.2f} [{100 * own.low:+.2f}, {100 * own.high:+.2f}]"
        table.append([name, *scores, interval, own.basis or "unknown", own.verdict])
    return table


def _score(metrics: dict[str, Any], system: str, headline: str) -> str:
    return f"{metrics[system][headline]:.2f}"


def legend(headline: str, base: Stored, head: Stored, found: dict[str, Difference]) -> str:
    """Say what the verdicts mean, and what to do about those that are not resolved for want of seeds."""
    said = (
        f"{headline}, head less base, in points: real = the interval of clips and seeds leaves 0 out; "
        f"noise = it holds 0 and nothing beyond {100 * MARGIN:g} point; not resolved = neither."
    )
    unknown = [name for name, own in found.items() if not own.basis]
    if unknown:
        said += (
            f" {', '.join(unknown)}: retrained, and how far training seeds move them is unknown, so nothing is real: "
            f"run {base.name} and {head.name} with {ENOUGH} or more train.seeds."
        )
    return said
