"""Attributes of recordings, such as speed and microphone, from the names and tables of DCASE data."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from asd.core.errors import UserError

HIDDEN = "noAttribute"
SUFFIX = ".wav"
ATTRIBUTE = re.compile(r"[a-z]([a-z0-9-]*[a-z])?")  # its name: vel, m-n, v1pat
JOINED = re.compile(r"(?P<name>[A-Za-z][a-z]*)(?P<value>[A-Z]|\d.*)")  # spd1900, BckgE


def attributes_of_name(text: str | None) -> str:
    """Read the attributes behind the index: ``"vel_6_loc_A"`` -> ``"vel=6;loc=A"``; hidden or none -> empty.

    Most texts are pairs of words; some have names of two words (``mic_pos_A``) or none (``spd1900_BckgE``).

    Examples
    --------
    >>> attributes_of_name("vel_6_loc_A")
    'vel=6;loc=A'
    >>> attributes_of_name("spd1900_BckgE")
    'spd=1900;Bckg=E'
    """
    words = [word for word in (text or "").split("_") if word]
    if not words or text == HIDDEN:
        return ""
    pairs = list(zip(words[::2], words[1::2], strict=False))
    if len(words) % 2 or not all(ATTRIBUTE.fullmatch(name) for name, _ in pairs):
        pairs = list(_irregular(words))
    return ";".join(f"{name}={value}" for name, value in pairs)


def _irregular(words: list[str]) -> Iterator[tuple[str, str]]:
    """Pair words where names and values do not alternate: a name has small letters only, a value digits or capitals."""
    name: list[str] = []
    for word in words:
        if word.islower() and word.isalpha():
            name.append(word)
        elif name:
            yield "_".join(name), word
            name = []
        elif joined := JOINED.fullmatch(word):
            yield joined["name"], joined["value"]
        else:
            yield "attribute", word
    if name:
        yield "_".join(name[:-1]) or "attribute", name[-1]


def stem(file: str) -> str:
    """Strip folder and suffix off a file name (a value may hold a dot: ``volt_1.5``)."""
    return re.split(r"[/\\]", file.strip())[-1].removesuffix(SUFFIX)


def read_attributes(path: Path) -> dict[str, str]:
    """Read an ``attributes_00.csv`` of any of its three flavours.

    Parameters
    ----------
    path : Path
        Header ``file_name,d1p,d1v,d2p,d2v,...``; names with folders and suffix, or bare stems; or names alone, where
        the attributes are hidden.

    Returns
    -------
    dict
        Attributes (``vel=6;loc=A``) by :func:`stem`; files without any are left out.
    """
    pairs = {stem(row[0]): zip(row[1::2], row[2::2], strict=False) for row in table_rows(path)}
    texts = {name: ";".join(f"{k.strip()}={v.strip()}" for k, v in row if k.strip()) for name, row in pairs.items()}
    return {name: text for name, text in texts.items() if text and HIDDEN not in text}


def table_rows(path: Path) -> list[list[str]]:
    """Read the rows below the head of a table."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            return [row for row in csv.reader(file) if row][1:]
    except (UnicodeDecodeError, csv.Error):
        raise UserError(f'{path} is no CSV table in UTF-8: save it as "CSV UTF-8"') from None
