"""What the name of a folder says: normal or faulty, noise alone, training or test, in the languages of factories."""

import re
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import yaml

WORDS = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
SPLITS = ("train", "test", "supplemental")
LONGEST = 3  # words that are read as one: n. i. O.


class Said(NamedTuple):
    """What a name says.

    Attributes
    ----------
    label : str
        ``normal``, ``anomalous``, ``noise`` or empty.
    split : str
        ``train``, ``test``, ``supplemental`` or empty.
    whole : bool
        Whether it says nothing else: no machine, no part.
    before, behind : str
        The other words, as they stand there, of a name that is not ``whole``.
    """

    label: str
    split: str
    whole: bool
    before: str = ""
    behind: str = ""


def folded(text: str) -> str:
    """Fold capitals, widths and accents: ``Défectueux`` -> ``defectueux``."""
    letters = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold().replace("\u0131", "i"))
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def _table(lists: dict[str, str]) -> dict[str, str]:
    return {folded(word): meaning for meaning, words in lists.items() for word in words.split()}


STRONG_WORDS = _table(WORDS["strong"])
ALL_WORDS = _table(WORDS["weak"]) | STRONG_WORDS
NOT_WORDS, FREE_WORDS, FILLER_WORDS, PHRASE_WORDS, TAILS = (
    tuple(map(folded, WORDS[kind].split())) for kind in ("not", "free", "fillers", "phrases", "tails")
)
OPPOSITE = {"normal": "anomalous", "anomalous": "normal"}
_UNSPACED = "|".join(  # words of scripts that put no blanks between words
    sorted(
        (word for words in WORDS["strong"].values() for word in words.split() if word >= "\u3040" and len(word) > 1),
        key=len,
        reverse=True,
    )
)
_WORD = re.compile(rf"{_UNSPACED}|[^\W\d_]+?(?=(?<=[a-z])[A-Z][a-z]|{_UNSPACED}|[\W\d_]|$)")


class _Word(NamedTuple):
    start: int
    end: int
    text: str  # folded
    joint: str  # what stands between it and the word before


@lru_cache(maxsize=65536)
def said_by(name: str) -> Said | None:
    """Read what the name of a folder, or of a file without its suffix, says; None: nothing, or two things.

    Examples
    --------
    >>> said_by("OK_01").label, said_by("n.i.O.").label, said_by("no fault").label, said_by("Train").split
    ('normal', 'anomalous', 'normal', 'train')
    >>> said_by("fan_faulty").before
    'fan'
    """
    name = unicodedata.normalize("NFKC", name)
    words = _words(name)
    meanings = _meanings(words, ALL_WORDS)
    others = [word for word, meaning in zip(words, meanings, strict=True) if meaning == "other"]
    if others:
        meanings = _beside_others(words, _meanings(words, STRONG_WORDS | _table({"noise": WORDS["weak"]["noise"]})))
    labels = {meaning for meaning in meanings if meaning in OPPOSITE}
    labels = labels or {meaning for meaning in meanings if meaning == "noise"}
    splits = {meaning for meaning in meanings if meaning in SPLITS}
    if len(labels) > 1 or len(splits) > 1 or not labels | splits:
        return None
    said = Said("".join(labels), "".join(splits), not others)
    return Said(*said[:3], *_parted(name, words, meanings)) if others else said


def _words(name: str) -> list[_Word]:
    found = list(_WORD.finditer(name))
    starts = [0, *(match.end() for match in found)]
    return [
        _Word(match.start(), match.end(), folded(match.group()), name[before : match.start()])
        for before, match in zip(starts, found, strict=False)
    ]


def _meanings(words: list[_Word], table: dict[str, str]) -> list[str]:
    """Give each word its meaning: one of the table's, ``filler``, ``other``, or ``part`` of the one behind it."""
    meanings: list[str] = []
    while len(meanings) < len(words):
        at = len(meanings)
        joined = {n: "".join(word.text for word in words[at : at + n]) for n in range(LONGEST, 0, -1)}
        length = next((n for n, text in joined.items() if n > 1 and text in PHRASE_WORDS and text in table), 1)
        length = min(length, len(words) - at)
        meanings += ["part"] * (length - 1) + [_looked_up(joined[length], table) or _plain(words, at)]
    return _negated(words, meanings)


def _looked_up(text: str, table: dict[str, str]) -> str:
    while text not in table:
        tail = next((tail for tail in TAILS if text.endswith(tail) and len(text) > len(tail)), "")
        if not tail:
            return ""
        text = text.removesuffix(tail)
    return table[text]


def _plain(words: list[_Word], at: int) -> str:
    text = words[at].text
    if text in NOT_WORDS or text in FREE_WORDS:
        return "not" if text in NOT_WORDS else "free"
    numbering = len(text) == 1 and text.isascii() and at > 0  # OK_a, OK_b
    return "filler" if text in FILLER_WORDS or numbering else "other"


def _negated(words: list[_Word], meanings: list[str]) -> list[str]:
    """Turn ``no fault`` and ``fault-free`` round."""
    turned = list(meanings)
    for at, meaning in enumerate(meanings):
        if meaning not in ("not", "free"):
            continue
        other = at + 1 if meaning == "not" else at - 1
        while meaning == "not" and other < len(words) - 1 and meanings[other] == "part":
            other += 1
        near = 0 <= other < len(words) and not re.search(r"\d", words[max(at, other)].joint)
        if near and meanings[other] in OPPOSITE:
            turned[other], turned[at] = OPPOSITE[meanings[other]], "part"
        else:
            turned[at] = "filler" if meaning == "not" else "other"
    return turned


def _beside_others(words: list[_Word], meanings: list[str]) -> list[str]:
    """Keep what a name may say beside other words: training or test after a separator, noise in front."""
    kept: list[str] = []
    for at, (word, meaning) in enumerate(zip(words, meanings, strict=True)):
        split = ALL_WORDS.get(word.text, "")
        if split in SPLITS and meaning == "other":  # ToyTrain is a machine
            behind = words[at + 1].joint if at + 1 < len(words) else "_"
            meaning = split if behind and (at == 0 or word.joint) else meaning
        if meaning == "noise" and any(other not in ("part", "filler") for other in kept):
            meaning = "other"
        kept.append(meaning)
    return kept


def _parted(name: str, words: list[_Word], meanings: list[str]) -> tuple[str, str]:
    """Give the other words before and behind those that say something."""
    marks = [at for at, meaning in enumerate(meanings) if meaning in OPPOSITE or meaning == "noise"]
    marks = marks or [at for at, meaning in enumerate(meanings) if meaning in SPLITS]
    middle, place, parts = marks[0], 0, ["", ""]
    for at, (word, meaning) in enumerate(zip(words, meanings, strict=True)):
        parts[at > middle] += name[place : word.start]
        parts[at >= middle] += name[word.start : word.end] if meaning == "other" else ""
        place = word.end
    parts[1] += name[place:]
    before, behind = (_trimmed(part) for part in parts)
    return before if "other" in meanings[:middle] else "", behind if "other" in meanings[middle:] else ""


def _trimmed(text: str) -> str:
    return re.sub(r"([\s_.-])[\s_.-]+", r"\1", text).strip(" _.-")
