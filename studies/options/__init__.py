"""Search for options of params.yaml that ``check`` accepts and a later stage refuses: :mod:`studies.options.search`."""

from studies.options.search import main

__all__ = ["main"]
