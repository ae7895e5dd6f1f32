"""Typed sections of params.yaml. Each package types its own beside its code; asd/params.py puts them together."""

import re
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, RootModel, ValidationError

from asd.core.errors import UserError

PARAMS = Path("params.yaml")


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # ten times as fast
    """Reads ``5e-05`` as a number, as YAML 1.2 does: it is what ``dvc exp run -S`` writes for 5.0e-5."""


Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+[eE][-+]?[0-9]+$"), list("-+0123456789")
)


class Section(BaseModel):
    """A section of params.yaml: unknown keys and wrong types are refused, values never change.

    Defaults are checked like values, since they may not fit what stands beside them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, validate_default=True, allow_inf_nan=False)

    @classmethod
    def read_by(cls) -> type[BaseModel] | None:
        """Name the type that reads a block of this one, where types like it are made at run time; else None."""
        return None

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Travel to another process as a block of params.yaml, where types made at run time, too, can't be pickled."""
        reader = self.read_by()
        return (_of_block, (reader, self.model_dump())) if reader else super().__reduce_ex__(protocol)


S = TypeVar("S", bound=BaseModel)


def read_params(path: Path = PARAMS) -> dict[str, Any]:
    """Read params.yaml as plain dicts.

    Raises
    ------
    UserError
        Where the file is missing or is no YAML mapping.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader)
    except FileNotFoundError:
        raise UserError(f"{path} is missing: run from the project's root") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path} is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} is no YAML mapping")
    return content


def load(section: type[S], *keys: str, path: Path = PARAMS) -> S:
    """Read and check one section of params.yaml.

    Parameters
    ----------
    section : type
        The :class:`Section` that types it.
    *keys : str
        The way to it: ``load(ScoreParams, "systems", "frozen", "score")``.

    Raises
    ------
    UserError
        With the first wrong key's full name, its value and what is allowed.
    """
    return part(section, read_params(path), *keys, path=path)


def part(section: type[S], content: Any, *keys: str, path: Path = PARAMS) -> S:
    """Check one section of params.yaml that is read already; see :func:`load`."""
    for depth, key in enumerate(keys):
        if not isinstance(content, dict) or key not in content:
            known = ", ".join(map(str, content)) if isinstance(content, dict) else "nothing"
            raise UserError(f"{path}: there is no {'.'.join(keys[: depth + 1])} (there is: {known})")
        content = content[key]
    return checked(section, content, ".".join(keys), path)


def checked(section: type[S], content: Any, name: str = "", path: Path = PARAMS) -> S:
    """Check content against a section; see :func:`load`."""
    try:
        return section.model_validate(content)
    except ValidationError as error:
        raise UserError(f"{path}: {explain(error, name, content)}") from None


def _of_block(reader: type[BaseModel], block: dict[str, Any]) -> BaseModel:
    """Make a section of its block; a variant that its block names is the ``root`` of what reads it."""
    made = checked(reader, block)
    root: BaseModel = made.root if isinstance(made, RootModel) else made
    return root


def explain(error: ValidationError, name: str, content: Any) -> str:
    """Say what is wrong in one line: full key, value, what is allowed."""
    first = error.errors()[0]
    keys = _written(first["loc"], content, not isinstance(first["input"], dict) or first["type"] == "missing")
    full = ".".join([*([name] if name else []), *keys]) or "the file"
    more = len(error.errors()) - 1
    tail = f" (and {more} more)" if more else ""
    message = first["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if first["type"] == "missing":
        return f"{full} is missing{tail}"
    if first["type"] == "extra_forbidden":
        return f"{full} is unknown: check its spelling{tail}"
    value = first["input"]
    if isinstance(value, dict | list):
        return f"{full}: {message[0].lower()}{message[1:]}{tail}"
    return f"{full} is {value!r}: {message[0].lower()}{message[1:]}{tail}"


def _written(loc: tuple[int | str, ...], content: Any, of_value: bool) -> list[str]:
    """Keep of pydantic's location what stands in the file, or could: a value's key, but not the tags of unions."""
    keys = []
    for i, part in enumerate(loc):
        if isinstance(content, dict) and part not in content and not (of_value and i == len(loc) - 1):
            continue
        keys.append(str(part))
        if isinstance(content, dict):
            content = content.get(part)
        elif isinstance(content, list) and isinstance(part, int):
            content = content[part]
    return keys
