"""From what a system extracted to one table of scores, thresholds, decisions and p-values."""

from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from asd.base.compute import parallel
from asd.base.errors import UserError
from asd.clips import training
from asd.scoring.distances import distances
from asd.scoring.params import ScorerBlock, ThresholdParams
from asd.scoring.registry import create_scorer
from asd.scoring.scorer import blocks, rows
from asd.scoring.thresholds import DOMAINS, Calibration, needed, p_values, pooled_thresholds, threshold

P_VALUES = {domain: f"p_{domain}" for domain in DOMAINS}
KEYS = ("clip_id", "machine", "section", "split", "seed")
CALIBRATING = ("domain", "position", "fitted")  # of the clip table, what thresholds take
COLUMNS = (*KEYS, "score", "threshold", "decision", "nearest", *P_VALUES.values())


class MachineSection(NamedTuple):
    """One machine's section of the clip table, one training seed's embeddings or values of it.

    Attributes
    ----------
    clips : pd.DataFrame
    embeddings : np.ndarray [shape=(clips, ...)]
    memory, held_out, test : np.ndarray [shape=(clips,), dtype=bool]
        Normal clips to remember; normal clips kept out of training and memory; clips to judge.
    """

    clips: pd.DataFrame
    embeddings: np.ndarray
    memory: np.ndarray
    held_out: np.ndarray
    test: np.ndarray

    @property
    def domain(self) -> np.ndarray:
        """The domain of every clip of the memory."""
        return self.clips["domain"].to_numpy()[self.memory]

    @property
    def block(self) -> np.ndarray:
        """The block of every clip of the memory, see :func:`asd.scoring.scorer.blocks`."""
        return blocks(self.domain, self.position)

    @property
    def position(self) -> np.ndarray:
        """The position of every clip of the memory, in the order of recording."""
        return self.clips["position"].to_numpy()[self.memory]


def sections(clips: pd.DataFrame, trained: set[str], extracted: np.ndarray) -> list[MachineSection]:
    """Arrange machine clips by machine and section; supplemental clips are in none, and never in a memory.

    Parameters
    ----------
    clips : pd.DataFrame
        The clip table with ``position`` and ``fitted``, see :func:`asd.scoring.extracted.with_fitted`.
    trained : set of str
        ``clip_id`` of the clips that are remembered; other training clips are held out.
    extracted : np.ndarray [shape=(clips, ...)]
        In the order of the table.

    Raises
    ------
    UserError
        Where there is no clip to remember or a value is not finite.
    """
    found = []
    machine_clips = clips[(clips["kind"] == "machine") & (clips["split"] != "supplemental")]
    for (machine, section), own in machine_clips.groupby(["machine", "section"]):
        train, seen = (own["split"] == "train").to_numpy(), own["clip_id"].isin(trained).to_numpy()
        embeddings = extracted[clips.index.get_indexer(own.index)]
        if not (train & seen).any():
            raise UserError(f"{machine} section {section} has test clips but no normal training clip")
        if not np.isfinite(embeddings).all():
            raise UserError(f"{machine} section {section}: what was extracted is not finite: look at its training")
        found.append(MachineSection(own, embeddings, train & seen, train & ~seen, ~train))
    return found


def score_table(
    clips: pd.DataFrame,
    trained: set[str],
    extracted: dict[int, np.ndarray],
    params: ScorerBlock,
    seed: int = 0,
    second: dict[int, np.ndarray] | None = None,
) -> pd.DataFrame:
    """Score all machine clips, machine by machine and section by section.

    Parameters
    ----------
    clips, trained
        See :func:`sections`.
    extracted : dict of int to np.ndarray
        For each training seed what the system made of the clips, in the order of the table: embeddings
        ``(clips, bands, dims)`` or values ``(clips, k)``.
    params : ScorerBlock
        Which scorer and its options.
    seed : int
        Of what a scorer draws.
    second : dict of int to np.ndarray
        For each training seed what a second network made of the normal training clips, in their order; it was trained
        on those that are ``fitted`` alone, and says how the others would score if the system had not seen them.

    Returns
    -------
    pd.DataFrame
        The columns :data:`COLUMNS`, sorted by seed and ``clip_id``: test clips and the normal clips held out or, where
        there are none, all normal clips, each scored by a memory without its block. Larger is more anomalous.
        ``decision`` is 1 above the threshold, which those normal clips set that no network was trained on. ``nearest``
        is the most similar normal clip. ``p_source`` and ``p_target`` say how rare such a score is among a domain's
        normal clips (test clips only, empty where the domain has none).
    """
    table = _scores(clips, trained, extracted, params, seed)
    if second:
        table = as_unseen(table, _scores(training(clips).reset_index(drop=True), trained, second, params, seed))
    return decided(table, params).sort_values(["seed", "clip_id"])[list(COLUMNS)].reset_index(drop=True)


def _scores(
    clips: pd.DataFrame, trained: set[str], extracted: dict[int, np.ndarray], params: ScorerBlock, seed: int
) -> pd.DataFrame:
    asked = (
        (section, training_seed, seed + training_seed)
        for training_seed, values in extracted.items()
        for section in sections(clips, trained, values)
    )
    return pd.concat(list(parallel(partial(_scored, params), asked)), ignore_index=True)


def _scored(params: ScorerBlock, one: tuple[MachineSection, int, int]) -> pd.DataFrame:
    section, training_seed, seed = one
    if len(section.domain) < 2 and not section.held_out.any():
        raise UserError(f"{section.clips['machine'].iloc[0]} has one normal training clip: its threshold needs two")
    scorer = create_scorer(params, seed)
    memory = section.embeddings[section.memory]
    score, nearest = np.full(len(section.clips), np.nan), np.full(len(section.clips), "", dtype=object)
    if not section.held_out.any():
        score[section.memory] = scorer.score_left_out(memory, section.domain, section.block)
    scorer.fit(memory, section.domain)
    apart = ~section.memory
    score[apart] = scorer.score(section.embeddings[apart])
    if params.scorer != "value" and section.test.any():
        far = distances(rows(section.embeddings[section.test]), rows(memory), getattr(params, "metric", "euclidean"))
        nearest[section.test] = section.clips["clip_id"].to_numpy()[section.memory][far.argmin(axis=1)]
    table = section.clips[["clip_id", "machine", "section", "split", *CALIBRATING]]
    table = table.assign(seed=training_seed, score=score, nearest=nearest)
    return table[~np.isnan(score)]


def calibration(table: pd.DataFrame, held_out: bool = False) -> Calibration:
    """Collect the scores of one machine's normal training clips; of clips trained on only where there are no others."""
    normal = table[table["split"] == "train"]
    normal = normal if normal["fitted"].all() else normal[~normal["fitted"]]
    domain = normal["domain"].to_numpy()
    return Calibration(normal["score"].to_numpy(), domain, blocks(domain, normal["position"].to_numpy()), held_out)


def as_unseen(table: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Score the clips that a second network was not trained on as if the first had not been, either.

    In both networks' scores the clips that both were trained on have the same mean (of logarithms, where all scores
    are positive) and deviation: so the second's scores of the others are carried over.

    Parameters
    ----------
    table : pd.DataFrame
        Scores by the first network, with :data:`CALIBRATING`.
    second : pd.DataFrame
        The same by the second, of normal training clips alone.
    """
    made = table.assign(score=table["score"].astype(np.float64))
    by_second = second.set_index(["seed", "clip_id"])["score"]
    positive = bool((table["score"] > 0).all() and (by_second > 0).all())
    for _, own in table[table["split"] == "train"].groupby(["seed", "machine", "section"]):
        others = by_second.loc[list(zip(own["seed"], own["clip_id"], strict=True))].to_numpy()
        scores, fitted = own["score"].to_numpy(), own["fitted"].to_numpy()
        if fitted.all() or not fitted.any():
            continue
        if positive:
            carried = others[~fitted] * np.exp(np.log(scores[fitted]).mean() - np.log(others[fitted]).mean())
        else:
            unit = scores[fitted].std() / (others[fitted].std() or 1.0)
            carried = scores[fitted].mean() + unit * (others[~fitted] - others[fitted].mean())
        made.loc[own.index[~fitted], "score"] = carried
    return made


def decided(table: pd.DataFrame, params: ThresholdParams) -> pd.DataFrame:
    """Add thresholds, decisions and p-values to the scores of all machines' sections, seed by seed.

    The scores come with ``split`` and :data:`CALIBRATING`. Where a network was trained on some of the normal clips, a
    section with few others has the threshold of :func:`asd.scoring.thresholds.pooled_thresholds`.
    """
    return pd.concat([_decided(rows, params) for _, rows in table.groupby("seed")])


def _decided(table: pd.DataFrame, params: ThresholdParams) -> pd.DataFrame:
    parts = [rows for _, rows in table.groupby(["machine", "section"])]
    usual = [calibration(rows) for rows in parts]
    limits = [threshold(own, params) for own in usual]
    fitted = [rows.loc[(rows["split"] == "train") & rows["fitted"], "score"].to_numpy() for rows in parts]
    unseen = [rows.loc[(rows["split"] == "train") & ~rows["fitted"], "score"].to_numpy() for rows in parts]
    if all(map(len, fitted)) and sum(len(own) > 0 for own in unseen) > 1:
        pooled = pooled_thresholds(unseen, fitted, params.quantile)
        few = [len(own) < needed(params.quantile) for own in unseen]
        limits = [pooled[i] if few[i] else limits[i] for i in range(len(limits))]
    return pd.concat(map(_beside, parts, usual, limits))


def _beside(table: pd.DataFrame, usual: Calibration, limit: float) -> pd.DataFrame:
    """Add a section's threshold, decisions and p-values."""
    test, scores = (table["split"] == "test").to_numpy(), table["score"].to_numpy()
    made = table.assign(threshold=limit, decision=(scores > limit).astype(int))
    for domain, column in P_VALUES.items():
        known = test & bool(len(usual.of(domain)))
        made[column] = np.where(known, p_values(scores, usual.of(domain)), np.nan)
    return made
