"""Simulated machines beside one's own: supplements from recordings to training material, always the same."""

from pathlib import Path

import pandas as pd
import pytest

from asd.core.clips import training
from asd.datasets.index import make_index
from asd.simulation import auxiliary
from asd.simulation.simulation import MACHINES


@pytest.fixture
def raw(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(auxiliary, "CLIPS", 2)
    auxiliary.download(Path("raw"))
    return Path("raw")


def test_they_are_further_machines_that_are_never_remembered(raw):
    found = auxiliary.recordings(raw)
    assert found["machine"].value_counts().to_dict() == {f"simulated_{name}": 2 for name in MACHINES}
    mine = found.iloc[:1].assign(machine="mine", split="train", path=found["path"].iloc[-1])  # one's own clip
    index = make_index(pd.concat([mine, found.iloc[:-1]], ignore_index=True), "fail")
    assert set(training(index.clips)["machine"]) == {"mine"}
    further = index.clips[index.clips["machine"] != "mine"]
    assert set(further["split"]) == {"supplemental"}
    assert set(further["kind"]) == {"machine"}
    assert further.loc[further["machine"] == "simulated_fan", "attributes"].str.contains("rpm=").all()


def test_they_are_always_the_same(raw):
    auxiliary.download(Path("again"))
    files = sorted(file.relative_to(raw) for file in raw.rglob("*.wav"))
    assert len(files) == 14
    assert all((raw / file).read_bytes() == (Path("again") / file).read_bytes() for file in files)
