"""Summaries of scores: thresholds, share of clips above, which rate of false alarms is guaranteed, drift."""

from typing import Any

import numpy as np
import pandas as pd

from asd.scoring.drift import drift
from asd.scoring.params import ThresholdParams
from asd.scoring.table import CALIBRATING, calibration, sections
from asd.scoring.thresholds import DOMAINS, needed

DRIFTS = 0.05  # p-value, times the number of sections looked at, up to which recordings drift


def summary(
    table: pd.DataFrame,
    clips: pd.DataFrame,
    params: ThresholdParams,
    reference: set[str],
    embeddings: np.ndarray | None = None,
) -> dict[str, Any]:
    """Summarise for each machine's section its threshold, the share of clips above, and the clips that calibrate it.

    Parameters
    ----------
    table : pd.DataFrame
        Of :func:`score_table`; figures are means over training seeds.
    clips : pd.DataFrame
        The clip table.
    params : ThresholdParams
    reference : set of str
        ``clip_id`` of clips that anything was fitted on; a machine's calibration is held out where it has none of them.
    embeddings : np.ndarray [shape=(clips, ...)], optional
        Embeddings in the order of the clip table, by which drift of the recordings is tested.

    Returns
    -------
    dict
        ``machine -> section_00 -> threshold, train_above, test_above, calibration, drift``.
    """
    result: dict[str, Any] = {}
    with_domain = table.merge(clips[["clip_id", *CALIBRATING]], on="clip_id", validate="many_to_one")
    for (machine, section), rows in with_domain.groupby(["machine", "section"]):
        entry: dict[str, Any] = {"threshold": float(rows["threshold"].mean())}
        for split in ("train", "test"):
            if (rows["split"] == split).any():
                entry[f"{split}_above"] = float(rows.loc[rows["split"] == split, "decision"].mean())
        seen = (rows["split"] == "train") & rows["clip_id"].isin(reference)
        usual = calibration(rows[rows["seed"] == rows["seed"].min()], held_out=not seen.any())
        entry["calibration"] = {
            domain: {"clips": len(usual.of(domain)), "guaranteed": sure}
            for domain, sure in usual.guaranteed(params).items()
        }
        result.setdefault(str(machine), {})[f"section_{section}"] = entry
    for group in [] if embeddings is None else sections(clips, reference, embeddings):
        tested = drift(group.embeddings[group.reference], group.domain, group.position)
        if tested is not None:
            machine, section = group.clips[["machine", "section"]].iloc[0]
            result[machine][f"section_{section}"]["drift"] = tested._asdict()
    return result


def guarantee(figures: dict[str, Any], params: ThresholdParams) -> str:
    """Say in a line for how many machine sections the stated rate of false alarms can't be guaranteed, and why.

    Parameters
    ----------
    figures : dict
        Of :func:`summary`.
    params : ThresholdParams
    """
    rate, entries = (
        f"{100 * (1 - params.quantile):.3g} %",
        [one for machine in figures.values() for one in machine.values()],
    )
    parts = []
    for domain in DOMAINS:
        counts = [entry["calibration"][domain] for entry in entries if domain in entry["calibration"]]
        short = sum(calibrating["clips"] < needed(params.quantile) for calibrating in counts)
        sure = sum(calibrating["guaranteed"] for calibrating in counts)
        if counts and sure < len(counts):
            why = f", {short} with fewer than {needed(params.quantile)} calibration clips" if short else ""
            parts.append(f"{domain} ({len(counts) - sure} of {len(counts)}{why})")
    tested = [entry["drift"]["p"] for entry in entries if "drift" in entry]
    drifting = sum(p * len(tested) <= DRIFTS for p in tested)  # Bonferroni's correction
    missing = f"a false-alarm rate of {rate} cannot be guaranteed: {'; '.join(parts)}" if parts else ""
    drift_line = f"recordings drift in {drifting} of {len(tested)}, so later ones pass more often" if drifting else ""
    return "; ".join(filter(None, [missing, drift_line]))
