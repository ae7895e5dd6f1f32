"""One machine, twenty normal clips, no attributes, no domains: every system gives scores."""

from contextlib import chdir

import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml
from conftest import ROOT

from asd.core.artifacts import write_csv
from asd.core.project import systems_of
from stages import score
from studies.shared import make

RATE, SECONDS = 16000, 2


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("machine")
    time = np.arange(RATE * SECONDS) / RATE
    for kind, count in (("normal", 24), ("abnormal", 3)):
        (folder / kind).mkdir()
        for number in range(count):
            rng = np.random.default_rng([number, count])
            sound = 0.02 * rng.standard_normal(len(time)) + 0.1 * np.sin(2 * np.pi * (300 + number) * time)
            soundfile.write(folder / kind / f"{number:02d}.wav", sound, RATE)
    return folder


def reduced(params):
    """Train everything as briefly as can be."""
    params["dataset"] |= {"name": "folder"}
    params["dataset"]["folder"] |= {"manifest": "manifest.csv"}
    for adaptation in params["adapt"].values():
        adaptation["steps"] = 1
    for system in params["systems"].values():
        system["train"].update({key: 1 for key in system["train"] if key in ("epochs", "steps", "freeze_steps")})
    return params


@pytest.mark.slow
def test_every_system_scores_twenty_clips_of_one_machine(recordings, tmp_path):
    params = reduced(yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8")))
    files = sorted(recordings.glob("*/*.wav"))
    table = pd.DataFrame({"path": list(map(str, files)), "machine": "fan", "anomaly": ""})
    table["split"] = ["train" if file.parent.name == "normal" and file.stem < "20" else "test" for file in files]
    assert (table["split"] == "train").sum() == 20
    with chdir(tmp_path):
        write_csv(tmp_path / "manifest.csv", table)
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
        make(params)
        for name in systems_of(params):
            score.main(name)
            found = pd.read_csv(tmp_path / "data" / "scores" / name / "scores.csv")
            for split, count in (("test", 7), ("train", 20)):
                own = found.loc[found["split"] == split, "score"]
                assert len(own) == count, name
                assert np.isfinite(own).all(), name
                assert (own != own.iloc[0]).any(), name
