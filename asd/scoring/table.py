"""From a system's embeddings to one table of scores, thresholds, decisions and p-values."""

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from asd.core.clips import training
from asd.core.compute import ComputeParams, parallel
from asd.core.errors import UserError
from asd.core.progress import progress
from asd.scoring.distances import measured_once
from asd.scoring.params import ScorerBlock, ThresholdParams
from asd.scoring.registry import create_scorer
from asd.scoring.scorer import Scorer, blocks
from asd.scoring.thresholds import DOMAINS, Calibration, p_values, threshold
from asd.scoring.unseen_clips import Gaps, all_positive, location_and_scale

P_VALUES = {domain: f"p_{domain}" for domain in DOMAINS}
KEYS = ("clip_id", "machine", "section", "split", "seed")
CALIBRATING = ("domain", "position")  # columns of the clip table that thresholds depend on
COLUMNS = (*KEYS, "score", "threshold", "decision", "nearest", *P_VALUES.values())


class MachineSection(NamedTuple):
    """One machine's section of the clip table, one training seed's embeddings or values of it.

    Attributes
    ----------
    clips : pd.DataFrame
    embeddings : np.ndarray [shape=(clips, ...)]
    reference, held_out, test : np.ndarray [shape=(clips,), dtype=bool]
        Normal clips that scorers are fitted on; normal clips kept out of training and scorers; clips to judge.
    """

    clips: pd.DataFrame
    embeddings: np.ndarray
    reference: np.ndarray
    held_out: np.ndarray
    test: np.ndarray

    @property
    def domain(self) -> np.ndarray:
        """The domain of every reference clip."""
        return self.clips["domain"].to_numpy()[self.reference]

    @property
    def block(self) -> np.ndarray:
        """The block of every reference clip, see :func:`asd.scoring.scorer.blocks`."""
        return blocks(self.domain, self.position)

    @property
    def position(self) -> np.ndarray:
        """The position of every reference clip, in the order of recording."""
        return self.clips["position"].to_numpy()[self.reference]


class FittedScorer(NamedTuple):
    """A scorer fitted on the reference clips of one machine's section.

    Attributes
    ----------
    scorer : Scorer
    clip_ids : np.ndarray [shape=(reference clips,)]
    """

    scorer: Scorer
    clip_ids: np.ndarray

    def score(self, embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Score clips ``(clips, ...)``, larger for the more anomalous, and name the reference clip that made each.

        Returns
        -------
        np.ndarray [shape=(clips,)]
        np.ndarray [shape=(clips,), dtype=str]
            ``clip_id``, empty where the scorer has none.
        """
        with measured_once():  # the nearest clip by the distances of the score
            scores = self.scorer.anomaly_score(embeddings)
            return scores, np.append(self.clip_ids, "")[self.scorer.nearest(embeddings)]


def fit_scorer(section: MachineSection, params: ScorerBlock, seed: int = 0) -> FittedScorer:
    """Fit a scorer on the reference clips of one machine's section.

    Parameters
    ----------
    section : MachineSection
    params : ScorerBlock
    seed : int
        Of a scorer that is random.
    """
    with measured_once():  # scorers of several parts share distances
        scorer = create_scorer(params, seed).fit(section.embeddings[section.reference], section.domain)
    return FittedScorer(scorer, section.clips["clip_id"].to_numpy()[section.reference])


def check_finite(embeddings: np.ndarray, machine: str, section: str) -> None:
    """Refuse embeddings ``(clips, ...)`` of a machine's section that hold a value which is not finite.

    Raises
    ------
    UserError
        Where one does.
    """
    if not np.isfinite(embeddings).all():
        raise UserError(f"{machine} section {section}: embeddings are not finite: look at its training")


def sections(clips: pd.DataFrame, reference: set[str], embeddings: np.ndarray) -> list[MachineSection]:
    """Arrange machine clips by machine and section; supplemental clips are in none.

    Parameters
    ----------
    clips : pd.DataFrame
        The clip table with ``position`` and ``fitted``, see :func:`asd.scoring.embeddings.with_fitted`.
    reference : set of str
        ``clip_id`` of the clips that scorers are fitted on; other training clips are held out.
    embeddings : np.ndarray [shape=(clips, ...)]
        In the order of the table.

    Raises
    ------
    UserError
        Where there is no normal training clip or a value is not finite.
    """
    arranged = []
    for (machine, section), rows in _by_section(clips):
        train, seen = (rows["split"] == "train").to_numpy(), rows["clip_id"].isin(reference).to_numpy()
        of_section = embeddings[clips.index.get_indexer(rows.index)]
        if not (train & seen).any():
            raise UserError(f"{machine} section {section} has test clips but no normal training clip")
        check_finite(of_section, str(machine), str(section))
        arranged.append(MachineSection(rows, of_section, train & seen, train & ~seen, ~train))
    return arranged


def n_sections(clips: pd.DataFrame) -> int:
    """Count what :func:`sections` arranges."""
    return len(_by_section(clips))


def _by_section(clips: pd.DataFrame) -> Any:
    return clips[(clips["kind"] == "machine") & (clips["split"] != "supplemental")].groupby(["machine", "section"])


def score_table(
    clips: pd.DataFrame,
    reference: set[str],
    embeddings: dict[int, np.ndarray],
    params: ScorerBlock,
    seed: int = 0,
    second: dict[int, np.ndarray] | None = None,
    compute: ComputeParams | None = None,
) -> pd.DataFrame:
    """Score all machine clips, machine by machine and section by section.

    Parameters
    ----------
    clips, reference
        See :func:`sections`.
    embeddings : dict of int to np.ndarray
        By training seed, in the order of the table: embeddings ``(clips, bands, dims)`` or values ``(clips, k)``.
    params : ScorerBlock
        The scorer and its options.
    seed : int
        Of random scorers.
    second : dict of int to np.ndarray, optional
        By training seed, embeddings of the normal training clips by a second network, in their order; it was trained
        on those that are ``fitted`` alone: by it the others are scored as if the system had not seen them.
    compute : ComputeParams, optional
        The workers; no score depends on their number.

    Returns
    -------
    pd.DataFrame
        The columns :data:`COLUMNS`, sorted by seed and ``clip_id``: test clips and the normal clips held out or, where
        there are none, all normal clips. Larger is more anomalous. Normal clips are scored by a scorer fitted without
        their block and, where there is a second network, as if none had been trained on them: by the second where it
        was not, else by :func:`as_unseen`; they set the threshold, above which ``decision`` is 1.
        ``nearest`` is the normal clip that made a test clip's score, by the distance that made it; empty where the
        scorer has none. ``p_source`` and ``p_target`` are p-values among a domain's normal clips (test clips only,
        empty where the domain has none).
    """
    table = _scores(clips, reference, embeddings, params, seed, compute)
    if second:
        normal = training(clips).reset_index(drop=True)
        table = as_unseen(carried_over(table, _scores(normal, reference, second, params, seed, compute)))
    return decided(table, params).sort_values(["seed", "clip_id"])[list(COLUMNS)].reset_index(drop=True)


def _scores(
    clips: pd.DataFrame,
    reference: set[str],
    embeddings: dict[int, np.ndarray],
    params: ScorerBlock,
    seed: int,
    compute: ComputeParams | None,
) -> pd.DataFrame:
    tasks = (
        (section, training_seed, seed + training_seed)
        for training_seed, values in embeddings.items()
        for section in sections(clips, reference, values)
    )
    done = parallel(partial(_scored, params), tasks, compute)
    return pd.concat(list(progress("score", "section", n_sections(clips) * len(embeddings), done)), ignore_index=True)


def _scored(params: ScorerBlock, task: tuple[MachineSection, int, int]) -> pd.DataFrame:
    section, training_seed, seed = task
    if len(section.domain) < 2 and not section.held_out.any():
        raise UserError(f"{section.clips['machine'].iloc[0]} has one normal training clip: its threshold needs two")
    fitted, others = fit_scorer(section, params, seed), ~section.reference
    score, nearest = np.full(len(section.clips), np.nan), np.full(len(section.clips), "", dtype=object)
    if not section.held_out.any():
        reference = section.embeddings[section.reference]
        score[section.reference] = fitted.scorer.cross_val_anomaly_score(reference, section.domain, section.block)
    score[others], nearest[others] = fitted.score(section.embeddings[others])
    nearest[section.held_out] = ""  # named for test clips alone
    table = section.clips[["clip_id", "machine", "section", "split", *CALIBRATING, "fitted"]]
    table = table.assign(seed=training_seed, score=score, nearest=nearest)
    return table[~np.isnan(score)]


def calibration(table: pd.DataFrame, held_out: bool = False) -> Calibration:
    """Collect the scores of one section's normal training clips.

    Parameters
    ----------
    table : pd.DataFrame
        ``split``, ``score`` and :data:`CALIBRATING`.
    held_out : bool
        See :class:`asd.scoring.thresholds.Calibration`.
    """
    normal = table[table["split"] == "train"]
    domain, position = normal["domain"].to_numpy(), normal["position"].to_numpy()
    return Calibration(normal["score"].to_numpy(), domain, blocks(domain, position), held_out)


def carried_over(table: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Take the scores of the clips that a second network was not trained on from that one.

    In both networks' scores the clips that both were trained on have the same mean (of logarithms, where all training
    scores are positive) and standard deviation: so the second's scores of the others are carried over to the first.

    Parameters
    ----------
    table : pd.DataFrame
        Scores by the first network, with ``fitted``.
    second : pd.DataFrame
        The same by the second, of normal training clips alone.
    """
    made, train = table.assign(score=table["score"].astype(np.float64)), table[table["split"] == "train"]
    by_second = second.set_index(["seed", "clip_id"])["score"]
    logarithmic = all_positive(train["score"].to_numpy(), by_second.to_numpy())
    for _, rows in train.groupby(["seed", "machine", "section"]):
        others = by_second.loc[list(zip(rows["seed"], rows["clip_id"], strict=True))].to_numpy()
        scores, fitted = rows["score"].to_numpy(), rows["fitted"].to_numpy(bool)
        if fitted.all() or not fitted.any():
            continue
        location, scale = location_and_scale(scores[fitted], logarithmic)
        of_second, unit = location_and_scale(others[fitted], logarithmic)
        if logarithmic:
            carried = others[~fitted] * np.exp(location - of_second)
        else:
            carried = location + scale / unit * (others[~fitted] - of_second)
        made.loc[rows.index[~fitted], "score"] = carried
    return made


def as_unseen(table: pd.DataFrame) -> pd.DataFrame:
    """Score the clips that a network was trained on as if it had not been, by the unseen ones of all sections.

    So the training scores of every system say how normal clips score, and those of several systems can be compared.
    They are predictions: no more is known than the unseen clips say.

    Parameters
    ----------
    table : pd.DataFrame
        Of :func:`carried_over`.
    """
    made, train = table.copy(), table[table["split"] == "train"]
    for _, rows in train.groupby("seed"):
        every = [own for _, own in rows.groupby(["machine", "section"])]
        parts = [(own, own["fitted"].to_numpy(bool)) for own in every if own["fitted"].any()]
        if all(fitted.all() for _, fitted in parts):
            continue
        scores = [own["score"].to_numpy() for own, _ in parts]
        pairs = list(zip(scores, (fitted for _, fitted in parts), strict=True))
        gaps = Gaps([each[~fitted] for each, fitted in pairs], [each[fitted] for each, fitted in pairs])
        for number, (own, fitted) in enumerate(parts):
            made.loc[own.index[fitted], "score"] = gaps.as_unseen(number)
    return made


def decided(table: pd.DataFrame, params: ThresholdParams) -> pd.DataFrame:
    """Add thresholds, decisions and p-values to the scores of all machines' sections, seed by seed.

    Parameters
    ----------
    table : pd.DataFrame
        Scores, with ``split`` and :data:`CALIBRATING`.
    params : ThresholdParams
        See :func:`asd.scoring.thresholds.threshold`.
    """
    return pd.concat([_decided(rows, params) for _, rows in table.groupby(["seed", "machine", "section"])])


def _decided(table: pd.DataFrame, params: ThresholdParams) -> pd.DataFrame:
    usual = calibration(table)
    limit, test, scores = threshold(usual, params), (table["split"] == "test").to_numpy(), table["score"].to_numpy()
    made = table.assign(threshold=limit, decision=(scores > limit).astype(int))
    for domain, column in P_VALUES.items():
        known = test & bool(len(usual.of(domain)))
        made[column] = np.where(known, p_values(scores, usual.of(domain)), np.nan)
    return made
