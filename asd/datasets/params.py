"""The sections ``dataset``, ``index`` and ``score`` of params.yaml."""

from typing import Literal

from pydantic import Field, model_validator

from asd.base.section import Section


class SimulatedParams(Section):
    """The simulated factory."""

    size: Literal["tiny", "default", "study", "full"]
    seed: int = Field(ge=0)
    channels: Literal[1, 2] = 1
    severity: float = Field(1.0, ge=0, le=1, description="factor of every fault's; 0: a factory without faults")


class FolderParams(Section):
    """Own recordings, where they lie."""

    manifest: str = Field(min_length=1)
    clip_seconds: float = Field(0, ge=0, allow_inf_nan=False, description="[s] longer recordings are cut; 0: never")


class DatasetParams(Section):
    """The section ``dataset``; ``split`` to ``mirror`` are for the challenge's data, dcase2020 to dcase2026."""

    name: Literal[
        "simulated", "folder",
        "dcase2020", "dcase2021", "dcase2022", "dcase2023", "dcase2024", "dcase2025", "dcase2026",
    ]  # fmt: skip
    machines: str = Field(pattern=r"^[A-Za-z0-9_.-]+(\+[A-Za-z0-9_.-]+)*$", description="all, or names joined by +")
    split: Literal["dev", "eval"] = Field("dev", description="whose test clips are scored")
    train_on: list[Literal["dev", "additional"]] = Field(["dev"], min_length=1)
    pretrain: str = Field("none", pattern=r"^(none|20\d\d(\+20\d\d)*)$", description="none, or years joined by +")
    auxiliary: Literal["none", "simulated"] = Field("none", description="further machines to train on")
    mirror: str = Field("none", min_length=1, description="none, a folder, or a base URL with the archives")
    simulated: SimulatedParams
    folder: FolderParams

    @model_validator(mode="after")
    def _tested_machines_train(self) -> "DatasetParams":
        needed = {"dev": "dev", "eval": "additional"}[self.split]
        if self.year and needed not in self.train_on:
            raise ValueError(f"split is {self.split!r}, whose machines train on {needed!r}: add it to dataset.train_on")
        return self

    @property
    def year(self) -> int:
        """The challenge's year; 0 for other data."""
        return int(self.name.removeprefix("dcase")) if self.name.startswith("dcase") else 0


class CalibrationParams(Section):
    """The section ``score``: what every system keeps for its thresholds; systems have the rest in their own blocks."""

    calibration: float = Field(0, ge=0, lt=1, description="share of the normal training recordings of each machine")


class IndexParams(Section):
    """The section ``index``."""

    on_bad_clip: Literal["fail", "drop"]
