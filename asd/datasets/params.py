"""The sections ``dataset`` and ``index`` of params.yaml."""

from typing import Literal

from pydantic import Field

from asd.section import Section


class SimulatedParams(Section):
    """The simulated factory."""

    size: Literal["default", "tiny"]
    seed: int = Field(ge=0)


class FolderParams(Section):
    """Own recordings, where they lie."""

    manifest: str = Field(min_length=1)


class DatasetParams(Section):
    """The section ``dataset``."""

    name: Literal["simulated", "folder"]
    machines: str = Field(pattern=r"^[A-Za-z0-9_.-]+(\+[A-Za-z0-9_.-]+)*$", description="all, or names joined by +")
    simulated: SimulatedParams
    folder: FolderParams


class IndexParams(Section):
    """The section ``index``."""

    on_bad_clip: Literal["fail", "drop"]
