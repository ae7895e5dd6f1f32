"""From what a system extracted to one table of scores, thresholds, decisions and p-values."""

from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from asd.base.compute import parallel
from asd.base.errors import UserError
from asd.scoring.distances import distances
from asd.scoring.params import ScorerBlock, ThresholdParams
from asd.scoring.registry import create_scorer
from asd.scoring.scorer import blocks, rows
from asd.scoring.thresholds import DOMAINS, Calibration, p_values, threshold

P_VALUES = {domain: f"p_{domain}" for domain in DOMAINS}
KEYS = ("clip_id", "machine", "section", "split", "seed")
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
        The clip table.
    trained : set of str
        ``clip_id`` of clips that models were trained on; other training clips are held out.
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
    clips: pd.DataFrame, trained: set[str], extracted: dict[int, np.ndarray], params: ScorerBlock, seed: int = 0
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

    Returns
    -------
    pd.DataFrame
        The columns :data:`COLUMNS`, sorted by seed and ``clip_id``: test clips and the normal clips that calibrate,
        which are those held out or, where there are none, all, each scored by a memory without its block. Larger is
        more anomalous, ``decision`` is 1 above the threshold, ``nearest`` is the most similar normal clip,
        ``p_source`` and ``p_target`` say how rare such a score is among a domain's normal clips (test clips only,
        empty where the domain has none).
    """
    asked = (
        (section, training_seed, seed + training_seed)
        for training_seed, values in extracted.items()
        for section in sections(clips, trained, values)
    )
    parts = list(parallel(partial(_scored, params), asked))
    return pd.concat(parts).sort_values(["seed", "clip_id"])[list(COLUMNS)].reset_index(drop=True)


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
    table = section.clips[["clip_id", "machine", "section", "split", "domain", "position"]]
    table = table.assign(seed=training_seed, score=score, nearest=nearest)
    return decided(table[~np.isnan(score)], params, bool(section.held_out.any()))


def calibration(table: pd.DataFrame, held_out: bool) -> Calibration:
    """Collect the scores of one machine's normal training clips."""
    normal = table[table["split"] == "train"]
    domain = normal["domain"].to_numpy()
    return Calibration(normal["score"].to_numpy(), domain, blocks(domain, normal["position"].to_numpy()), held_out)


def decided(table: pd.DataFrame, params: ThresholdParams, held_out: bool) -> pd.DataFrame:
    """Add threshold, decision and p-values to one machine's scores.

    These come with ``split``, ``domain`` and ``position``.
    """
    usual = calibration(table, held_out)
    limit, test = threshold(usual, params), (table["split"] == "test").to_numpy()
    found = table.assign(threshold=limit, decision=(table["score"] > limit).astype(int))
    for domain, column in P_VALUES.items():
        known = test & bool(len(usual.of(domain)))
        found[column] = np.where(known, p_values(table["score"].to_numpy(), usual.of(domain)), np.nan)
    return found
