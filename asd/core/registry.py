"""Registries: variants that params.yaml chooses by name, each in one file of a folder that is imported when asked."""

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules
from threading import RLock
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, RootModel, model_validator

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """Name -> variant; every module of a package is imported on first use, and registers what it has.

    Parameters
    ----------
    package : str
        Dotted name of the package whose modules hold the variants.

    Examples
    --------
    >>> losses = Registry("asd.classifiers.losses")
    >>> @losses.register("mine")
    ... class Mine:
    ...     pass
    >>> losses["mine"] is Mine
    True
    """

    def __init__(self, package: str) -> None:
        self.package = package
        self._known: dict[str, T] = {}
        self._complete = self._importing = False
        self._lock = RLock()  # workers wait until all is there; a module that is imported may ask

    def register(self, *names: str) -> Callable[[T], T]:
        """Decorate a variant: it is known by these names."""

        def known(variant: T) -> T:
            if taken := [name for name in names if name in self._known]:
                raise ValueError(f"{self.package}: {taken[0]!r} is registered twice")
            self._known |= dict.fromkeys(names, variant)
            return variant

        return known

    def __getitem__(self, name: str) -> T:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> dict[str, T]:
        with self._lock:
            if not (self._complete or self._importing):
                self._importing = True
                try:
                    for module in iter_modules(import_module(self.package).__path__):
                        import_module(f"{self.package}.{module.name}")
                    self._complete = True
                finally:
                    self._importing = False
        return self._known


def chosen(key: str, configs: Mapping[str, type[BaseModel]]) -> type[RootModel]:
    """Make the type of a block of params.yaml whose config class is chosen by one of its keys.

    Parameters
    ----------
    key : str
        The key that names the variant: ``scorer``.
    configs : mapping
        Name of the variant -> config class.

    Returns
    -------
    type of RootModel
        Its ``root`` is an instance of the chosen config class.
    """
    choose = by_name(key, configs)

    class Chosen(RootModel[Any]):
        @model_validator(mode="before")
        @classmethod
        def _by_name(cls, block: Any) -> Any:
            return choose(block)

    return Chosen


def by_name(key: str, configs: Mapping[str, type[BaseModel]]) -> Callable[[Any], Any]:
    """Make a validator that makes of a block of keys an instance of the config class that one of them names.

    See :func:`chosen` for its parameters; for a field: ``Annotated[Base, BeforeValidator(by_name(key, configs))]``.
    """

    def choose(block: Any) -> Any:
        if isinstance(block, BaseModel):
            return block
        if not isinstance(block, dict):
            raise ValueError(f"a block of keys is wanted, {key} among them")
        if key not in block:
            raise ValueError(f"{key} is missing: choose among {', '.join(sorted(configs))}")
        name = block[key]
        if not isinstance(name, str) or name not in configs:
            raise ValueError(f"{key} is {name!r}: choose among {', '.join(sorted(configs))}")
        return configs[name].model_validate(block)

    return choose
