"""The sections ``dataset`` and ``index`` of params.yaml."""

from collections.abc import Iterable
from typing import Literal

from pydantic import Field, model_validator

from asd.core.errors import UserError
from asd.core.section import Section

SIMULATED = ("ToyCar", "ToyTrain", "bearing", "fan", "gearbox", "slider", "valve")  # machines of asd/simulation


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
    machines: str = Field(pattern=r"^[^\s+]+(\+[^\s+]+)*$", description="all, or names joined by +")
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


class IndexParams(Section):
    """The section ``index``."""

    on_bad_clip: Literal["fail", "drop"]
    calibration_fraction: float = Field(
        0, ge=0, lt=1, description="of each machine's normal training recordings, kept for thresholds alone"
    )


def selected_machines(names: str, known: Iterable[str]) -> list[str]:
    """Choose the machines that ``dataset.machines`` names among those of a data set.

    Parameters
    ----------
    names : str
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
        Where a name is not among them.
    """
    known = list(dict.fromkeys(known))
    if names == "all":
        return known
    chosen = names.split("+")
    if unknown := [name for name in chosen if name not in known]:
        raise UserError(f"dataset.machines names {unknown[0]}, which is not there: choose among {', '.join(known)}")
    return [name for name in known if name in chosen]
