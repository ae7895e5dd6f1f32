"""Names of machines: every letter of every script is kept, and no two folders get one name."""

import re
import unicodedata
from collections.abc import Iterable

BARRED = (  # in paths, keys, lists and command lines: blanks, control characters, signs of ASCII but _ . -
    "\x00-,/:-@\\[-\\^`{-\xa0\u1680\u2000-\u200b\u2028-\u202f\u205f\u2060\u3000\ufeff\ufffd\ud800-\udfff"
)
PATTERN = f"[^{BARRED}]+"
ALLOWED = "letters of any script, digits and _ . -"
Folders = tuple[str, ...]
LONGEST = 120  # [bytes in UTF-8] as part of a file's name


def sanitised(name: str) -> str:
    r"""Make a machine's name fit for paths and keys, in Unicode's composed form (NFC).

    Examples
    --------
    >>> sanitised("Lu\u0308fter 1")
    'Lüfter_1'
    """
    name = re.sub(f"[{BARRED}]+", "_", unicodedata.normalize("NFC", name))
    while len(name.encode()) > LONGEST:
        name = name[:-1]
    return name or "machine"


def is_fit(name: str) -> bool:
    """Say whether a name can stay as it is."""
    return name == sanitised(name)


def names_of(keys: Iterable[Folders], alone: Iterable[Folders], root: str) -> dict[Folders, str]:
    """Name machines after their folders, each unlike all others, also where capitals make no difference.

    Parameters
    ----------
    keys : iterable of Folders
        The folders that make each machine, from the top; empty for the root.
    alone : iterable of Folders
        Those that are named after the last folder, where no other machine is.
    root : str
        The name of the root.

    Returns
    -------
    dict
        Names by key. Folders whose name needs no change keep it; others may get a number.
    """
    keys, alone = set(keys), set(alone)
    first = {key: (key[-1] if key in alone else "_".join(key)) if key else root for key in keys}
    names: dict[Folders, str] = {}
    taken: set[str] = set()
    for key in sorted(keys, key=lambda key: (first[key] != sanitised(first[key]), len(key), key)):
        tried = [sanitised(first[key]), sanitised("_".join(key) or root)]
        tried += [f"{tried[-1]}-{number}" for number in range(2, len(keys) + 3)]
        names[key] = next(name for name in tried if name.casefold() not in taken)
        taken.add(names[key].casefold())
    return names
