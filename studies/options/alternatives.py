"""Alternatives of every key of params.yaml, read off the typed models; for :mod:`studies.options`."""

import json
from collections.abc import Iterator
from itertools import combinations
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, RootModel

from asd.params import Params
from asd.pseudo_labels.counts import RULES

Path = tuple[str, ...]
LARGE, SMALL, TINY = 1000.0, 1e-6, 1e-60  # times a number; inside of a bound; above 0, where 0 is not allowed
ENOUGH = {"steps": (0, 3), "epochs": (1, 3), "depth": (1, 3), "hop_length": (64, 10**4)}  # what a run has time for
ENOUGH |= {"loop_seconds": (0, 2), "trim_or_pad_seconds": (0, 2)}


class Change(NamedTuple):
    """A key of params.yaml and another value of it."""

    path: Path
    value: Any

    def __str__(self) -> str:
        """Write it as an override: ``decision.quantile=0.5``."""
        return f"{'.'.join(self.path)}={json.dumps(self.value)}"


def changes(params: Params, keys: tuple[str, ...]) -> list[Change]:
    """List every other value of every key that begins with one of some.

    Parameters
    ----------
    params : Params
    keys : tuple of str

    Returns
    -------
    list of Change
    """
    found = []
    for path, now, others in walk(params):
        if begins(path, keys):
            named = others + names(path, params)
            written = {json.dumps(value): value for value in named if json.dumps(value) != json.dumps(now)}
            found += [Change(path, value) for value in written.values()]
    return found


def begins(path: Path, keys: tuple[str, ...]) -> bool:
    """Tell whether a key is one of some, or stands below one."""
    return any(path[: len(key.split("."))] == tuple(key.split(".")) for key in keys)


def walk(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any, list[Any]]]:
    """Go through typed sections: each key's way, its value as params.yaml has it, and other values."""
    if isinstance(value, RootModel):
        yield from walk(value.root, path)
    elif isinstance(value, dict):
        for name, block in value.items():
            yield from walk(block, (*path, name))
    elif isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            now = getattr(value, name)
            others = alternatives(field.annotation, list(field.metadata), now)
            if isinstance(now, BaseModel) or (isinstance(now, dict) and name != "weights"):
                yield (*path, name), "a block", [value for value in others if value is None]
                yield from walk(now, (*path, name))
            else:
                yield (*path, name), now, [within(value, *ENOUGH.get(name, ())) for value in others]


def within(value: Any, *limits: float) -> Any:
    """Keep a value within limits, if there are any."""
    return type(value)(min(max(value, limits[0]), limits[1])) if limits else value


def alternatives(annotation: Any, metadata: list[Any], now: Any) -> list[Any]:
    """List values that a field's annotation allows.

    Parameters
    ----------
    annotation : type
    metadata : list
        Bounds, as pydantic has them.
    now : Any
        The present value.
    """
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return alternatives(args[0], [*metadata, *args[1:]], now)
    if origin is Literal:
        return list(args)
    if origin in (Union, UnionType):
        return [value for arg in args for value in alternatives(arg, metadata, now)]
    if origin is list:
        each = alternatives(args[0], [], None)
        return [[value] for value in each] + ([each] if each else [])
    if annotation is type(None):
        return [None]
    if annotation is bool:
        return [False, True]
    if annotation in (int, float):
        return numbers(annotation, bounds(metadata), now)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and now is None:
        return [smallest(annotation)] if annotation.model_fields else []
    return []


def bounds(metadata: list[Any]) -> dict[str, Any]:
    """Collect ``ge``, ``gt``, ``le``, ``lt``, ``multiple_of``; later ones count."""
    parts = [inner for one in metadata for inner in (one, *getattr(one, "metadata", ()))]
    known = ("ge", "gt", "le", "lt", "multiple_of")
    return {key: getattr(part, key) for part in parts for key in known if getattr(part, key, None) is not None}


def numbers(kind: type, bound: dict[str, Any], now: Any) -> list[Any]:
    """List the bounds of a number as far as they are allowed, values just inside, and a large one."""
    now = now if isinstance(now, int | float) else 1
    if kind is int:
        step = bound.get("multiple_of", 1)
        low = bound.get("ge", bound.get("gt", -1) + 1)
        high = bound.get("le", max(4 * now + 1, 33) // step * step)
        return [value for value in (-(-low // step) * step, low + step, high) if value >= low]
    low, high = (bound.get(inner, bound.get(outer)) for inner, outer in (("ge", "gt"), ("le", "lt")))
    large = LARGE * max(abs(now), 1.0)
    below = [-large, 0.0] if low is None else [float(low), low + SMALL] if "ge" in bound else [low + TINY, low + SMALL]
    above = [large] if high is None else [float(high) if "le" in bound else high - SMALL]
    return below + above


def smallest(model: type[BaseModel]) -> dict[str, Any]:
    """Make a block of a section's required keys."""
    required = {name: field for name, field in model.model_fields.items() if field.is_required()}
    return {name: alternatives(field.annotation, list(field.metadata), 1)[0] for name, field in required.items()}


def names(path: Path, params: Params) -> list[Any]:
    """List names that a key may have: of other blocks, systems, machines, years, rules, weights."""
    systems = [name for _, name, _ in params.recipes()]
    pseudo = [f"pseudo/{name}" for name in (*params.pseudo_label.labellers(), "auto")]
    pairs = [list(pair) for count in (1, 2) for pair in combinations(systems, count)]
    by_key: dict[str, list[Any]] = {
        "features": list(params.features),
        "encoder": [*(f"initial/{name}" for name in params.encoders), *(f"adapted/{name}" for name in params.adapt)],
        "labels": ["given", *pseudo],
        "n_clusters_rule": list(RULES),
        "members": ["auto", "all", *pairs],
        "weights": ["auto", "forward", "equal", *(dict.fromkeys(pair, 1.0) for pair in pairs), {"a": 1.0, "l": 1.0}],
        "scorers": ["own", "all", ["gmm"], ["knn_bands"]],
        "machines": ["all", "fan", "fan+pump", "nobody"],
        "pretrain": ["none", "2020", "2024+2025", "2099"],
        "groups": [["fan"], ["fan+pump"], ["fan", "pump"]],
        "kinds": [["machine", "machine"]],
    }
    if path[0] == "encoders":
        return {"weights": ["random", "published", "missing.pt"]}.get(path[-1], by_key.get(path[-1], []))
    return by_key.get(path[-1], [])
