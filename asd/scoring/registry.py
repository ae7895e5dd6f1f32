"""Scorers by name: classes in files of ``asd/scoring/scorers``, whose fields are the keys of a block of params.yaml."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from pydantic import create_model

from asd.core.registry import Registry, chosen
from asd.core.section import checked
from asd.scoring.params import ScorerBlock
from asd.scoring.scorer import Scorer
from asd.scoring.wrappers import DomainCalibrated, PerBand, Whitened

S = TypeVar("S", bound=type[Scorer])
SCORERS: Registry[type[ScorerBlock]] = Registry("asd.scoring.scorers")


def register(name: str) -> Callable[[S], S]:
    """Decorate a scorer, a dataclass: its fields but ``random_state`` are the options of its block of params.yaml."""

    def known(scorer: S) -> S:
        options: dict[str, Any] = {f.name: (f.type, f.default) for f in fields(cast(Any, scorer))}
        options.pop("random_state", None)
        options["scorer"] = (Literal[name], ...)
        model = create_model(f"{scorer.__name__}Params", __base__=ScorerBlock, **options)
        model.estimator = scorer
        SCORERS.register(name)(model)
        return scorer

    return known


class ScoreParams(chosen("scorer", SCORERS)):  # type: ignore[misc]  # its root is a ScorerBlock
    """The block ``score`` of a system, whose keys depend on its scorer."""


def create_scorer(params: ScorerBlock | str, seed: int = 0, **options: Any) -> Scorer:
    """Make an estimator.

    Parameters
    ----------
    params : ScorerBlock or str
        Its block of params.yaml, or its name.
    seed : int
        The ``random_state`` of a scorer that has one.
    **options
        Keys of the block, where it is given by name.

    Raises
    ------
    UserError
        Where the name or an option is unknown.

    Examples
    --------
    >>> create_scorer("knn", n_neighbors=3)
    KNN(n_neighbors=3)
    """
    block: ScorerBlock = (
        checked(ScoreParams, {"scorer": params, **options}, path=Path("create_scorer")).root
        if isinstance(params, str)
        else params
    )
    made: Scorer = block.estimator(**block.options())
    if "random_state" in made.get_params():
        made.set_params(random_state=seed)
    made = Whitened(made) if block.whiten else made
    made = PerBand(made) if block.per_band else made
    return made if block.domain_quantiles == "none" else DomainCalibrated(made, block.domain_quantiles, block.pooling)
