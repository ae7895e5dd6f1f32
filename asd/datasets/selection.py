"""The machines that ``dataset.machines`` chooses."""

from collections.abc import Iterable

from asd.base.errors import UserError


def selected(wanted: str, known: Iterable[str]) -> list[str]:
    """Choose among the machines of a data set.

    Parameters
    ----------
    wanted : str
        ``all``, or names joined by ``+``.
    known : iterable of str
        The machines that there are.

    Returns
    -------
    list of str
        In the order of ``known``.

    Raises
    ------
    UserError
        Where a name is wanted that there is not.
    """
    known = list(dict.fromkeys(known))
    if wanted == "all":
        return known
    names = wanted.split("+")
    if unknown := [name for name in names if name not in known]:
        raise UserError(f"dataset.machines names {unknown[0]}, which is not there: choose among {', '.join(known)}")
    return [name for name in known if name in names]
