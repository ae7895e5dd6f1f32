"""What the folders above a recording, or else the recording's name, say: normal or faulty, training or test."""

import re
from pathlib import Path
from typing import NamedTuple

from asd.core.errors import UserError
from asd.datasets.trees import shown
from asd.datasets.words import Said, said_by

UNSAID = (("", "train"), ("", "supplemental"))  # label and split: a folder below may be of a faulty machine
Words = tuple[str, ...]


class Place(NamedTuple):
    """What the folders of one recording say; ``below`` are the words behind those that say something."""

    said: Said
    above: Words
    below: Words
    marks: tuple[Words, ...]  # the folders that say something


def places_of(audio: list[Path], folder: Path, alone: bool) -> tuple[dict[Path, Place], list[str]]:
    """Read folders' names and, where none says anything, files' names.

    Parameters
    ----------
    audio : list of Path
        The recordings.
    folder : Path
        They are below it.
    alone : bool
        Whether no other recording is understood by its name; only then may names say normal or faulty.

    Returns
    -------
    places : dict
        By recording; those that say nothing are left out.
    notes : list of str
        The folders that are left out, since they say nothing beside those that do.

    Raises
    ------
    UserError
        Where what says nothing may be faulty, or a folder says two things.
    """
    words = {file: file.relative_to(folder).parts[:-1] for file in audio}
    folders = set(words.values())
    pairs, named = _pairs(folders), _above_labels(folders)
    places = {file: place for file in audio if (place := _place(words[file], pairs, named))}
    if not places:
        return (_places_by_name(words) if alone else {}), []
    silent = {file for file in audio if file not in places or places[file].said[:2] in UNSAID}
    left_out = _silent({words[file] for file in silent}, places, folder)
    left = {file for file in silent for depth in range(len(words[file])) if words[file][: depth + 1] in left_out}
    return {file: place for file, place in places.items() if file not in left}, list(left_out.values())


def _above_labels(folders: set[Words]) -> set[Words]:
    """Find the folders above normal/ or faulty/: names there, such as ``fault_simulator``, are those of machines."""
    every = {words[:depth] for words in folders for depth in range(1, len(words) + 1)}
    marks = [words for words in every if (said := said_by(words[-1])) and said.whole and said.label]
    return {mark[:depth] for mark in marks for depth in range(1, len(mark))}


def _pairs(folders: set[Words]) -> set[Words]:
    """Find folders as ``fan_train`` beside ``fan_test``: one alone may be the name of a machine, as ``test_rig``."""
    every = {words[:depth] for words in folders for depth in range(1, len(words) + 1)}
    partial = {words: said for words in every if (said := said_by(words[-1])) and not said.whole and not said.label}
    splits: dict[tuple[Words, str, str], set[str]] = {}
    for words, said in partial.items():
        splits.setdefault((words[:-1], said.before, said.behind), set()).add(said.split)
    return {w for w, said in partial.items() if {"train", "test"} <= splits[w[:-1], said.before, said.behind]}


def _place(words: Words, pairs: set[Words], named: set[Words]) -> Place | None:
    """Take the folders above a recording apart: what the deepest say of label and split counts."""
    said = [said_by(word) for word in words]
    whole = [at for at, one in enumerate(said) if one and one.whole]
    partial = [
        at
        for at, one in enumerate(said)
        if one and not one.whole and words[: at + 1] not in named and (one.label or words[: at + 1] in pairs)
    ]
    label = _deepest(said, whole, "label") or _deepest(said, partial, "label")
    split = _deepest(said, whole, "split") or _deepest(said, partial, "split")
    used = sorted({*whole, *(at - 1 for at in (label, split) if at)})
    if not label and not split:
        return None
    labels = {one.label for at, one in enumerate(said) if one and (one.whole or at >= label > 0)}
    if {"normal", "anomalous"} <= labels:
        where = shown("/".join(words))
        raise UserError(f"{where} says both normal and faulty: rename a folder, or list all in a manifest")
    above: list[str] = []
    below: list[str] = []
    for at, word in enumerate(words):
        one = said[at]
        if at not in used:
            (above if at < used[-1] else below).append(word)
        elif one and not one.whole:
            above += [one.before] if one.before else []
            below += [one.behind] if one.behind else []
    meant = Said(getattr(label and said[label - 1], "label", ""), getattr(split and said[split - 1], "split", ""), True)
    named_below = tuple(word for word in below if re.search(r"[^\W\d_]{2}", word))  # no numbers and dates
    return Place(meant, tuple(above), named_below, tuple(words[: at + 1] for at in used))


def _deepest(said: list[Said | None], among: list[int], what: str) -> int:
    """Find the deepest folder that says something, from 1 on; 0: none."""
    return max((at + 1 for at in among if getattr(said[at], what)), default=0)


def _silent(others: set[Words], places: dict[Path, Place], folder: Path) -> dict[Words, str]:
    """Name folders of recordings that say nothing beside one that does; refuse them where they may be its counterpart.

    Beside normal *and* faulty ones, or training and test, such a folder is something else, and left out.
    """
    known: dict[Words, dict[Words, Said]] = {}
    for place in places.values():
        for mark in place.marks:
            known.setdefault(mark[:-1], {})[mark] = place.said
    left_out = {}
    for silent in sorted({above[:depth] for above in others for depth in range(1, len(above) + 1)}):
        marks = known.get(silent[:-1], {})
        if not marks or silent in marks:
            continue
        said = {word for one in marks.values() for word in (one.label, one.split)}
        mark, meant = min(marks.items())
        line = (
            f"{shown(folder.joinpath(*silent))} stands beside {shown(folder.joinpath(*mark))} ({meaning(meant)}) and "
            "says neither normal nor faulty, training nor test"
        )
        if not ({"normal", "anomalous"} <= said or {"train", "test"} <= said):
            raise UserError(f"{line}: rename it, take it out, or list all in a manifest")
        left_out[silent] = f"left out: {line}"
    return left_out


def meaning(said: Said) -> str:
    """Say what a name was taken for."""
    names = {"train": "training", "test": "test", "supplemental": "supplement", "noise": "noise alone"}
    split = "" if said.label == "anomalous" else said.split  # wherever it stands, it tests
    parts = [names.get(part, part) for part in (split, said.label) if part]
    return ", ".join(parts) or "normal"


def _places_by_name(words: dict[Path, Words]) -> dict[Path, Place]:
    """Read files' names, where one is called faulty or some train and some test; all must say as much then."""
    said = {file: one for file in words if (one := said_by(file.stem))}
    labels, splits = {one.label for one in said.values()}, {one.split for one in said.values()}
    if "anomalous" not in labels and not {"train", "test"} <= splits:
        return {}
    by = "anomalous" if "anomalous" in labels else "test"
    if silent := [file for file in words if file not in said or not (said[file].label or by == "test")]:
        like = next(file for file, one in said.items() if by in (one.label, one.split))
        raise UserError(
            f"{shown(silent[0])} says neither normal nor faulty in its name, which {like.name} does ({by}): rename it, "
            "or put normal and faulty recordings into folders of these names"
        )
    kept = {file: Said(one.label, one.split if {"train", "test"} <= splits else "", True) for file, one in said.items()}
    return {file: Place(one, words[file], (), ()) for file, one in kept.items()}


def names_machines(places: list[Place]) -> bool:
    """Say whether folders below normal/ or train/ are machines, not sessions: those that test are among them."""
    if not places or any(place.above or not place.below for place in places):
        return False
    tested = {place.below[0] for place in places if _tests(place.said)}
    return bool(tested) and tested <= {place.below[0] for place in places if not _tests(place.said)}


def _tests(said: Said) -> bool:
    return said.label == "anomalous" or said.split == "test"
