"""What the stages say of scores: thresholds, how many clips pass them, which rate of false alarms is guaranteed."""

from typing import Any

import pandas as pd

from asd.scoring.params import ThresholdParams
from asd.scoring.table import CALIBRATING, calibration
from asd.scoring.thresholds import DOMAINS, needed

DRIFTS = 0.05  # p-value, times the number of sections looked at, up to which recordings are said to drift


def summary(table: pd.DataFrame, clips: pd.DataFrame, params: ThresholdParams, trained: set[str]) -> dict[str, Any]:
    """Say for each machine where the threshold lies, how many clips pass it, and what calibrates it.

    Parameters
    ----------
    table : pd.DataFrame
        Of :func:`score_table`; figures are means over training seeds.
    clips : pd.DataFrame
        The clip table.
    params : ThresholdParams
    trained : set of str
        ``clip_id`` of clips that anything was fitted to; a machine's calibration is held out where it has none of them.
    """
    result: dict[str, Any] = {}
    with_domain = table.merge(clips[["clip_id", *CALIBRATING]], on="clip_id", validate="many_to_one")
    for (machine, section), rows in with_domain.groupby(["machine", "section"]):
        entry: dict[str, Any] = {"threshold": float(rows["threshold"].mean())}
        for split in ("train", "test"):
            if (rows["split"] == split).any():
                entry[f"{split}_above"] = float(rows.loc[rows["split"] == split, "decision"].mean())
        seen = (rows["split"] == "train") & rows["clip_id"].isin(trained)
        usual = calibration(rows[rows["seed"] == rows["seed"].min()], held_out=not seen.any())
        entry["calibration"] = {
            domain: {"clips": len(usual.of(domain)), "guaranteed": sure}
            for domain, sure in usual.guaranteed(params).items()
        }
        result.setdefault(str(machine), {})[f"section_{section}"] = entry
    return result


def promise(found: dict[str, Any], params: ThresholdParams) -> str:
    """Say in a line for how many machine sections the stated rate of false alarms can't be guaranteed, and why."""
    rate, entries = f"{100 * (1 - params.quantile):.3g} %", [own for of in found.values() for own in of.values()]
    parts = []
    for domain in DOMAINS:
        own = [entry["calibration"][domain] for entry in entries if domain in entry["calibration"]]
        short = sum(calibrating["clips"] < needed(params.quantile) for calibrating in own)
        sure = sum(calibrating["guaranteed"] for calibrating in own)
        if own and sure < len(own):
            why = f", {short} with fewer than {needed(params.quantile)} calibration clips" if short else ""
            parts.append(f"{domain} ({len(own) - sure} of {len(own)}{why})")
    tested = [entry["drift"]["p"] for entry in entries if "drift" in entry]
    drifting = sum(p * len(tested) <= DRIFTS for p in tested)  # Bonferroni's correction
    said = f"a false-alarm rate of {rate} cannot be guaranteed: {'; '.join(parts)}" if parts else ""
    drifts = f"recordings drift in {drifting} of {len(tested)}, so later ones pass more often" if drifting else ""
    return "; ".join(filter(None, [said, drifts]))
