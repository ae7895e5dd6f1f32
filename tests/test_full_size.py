"""Published encoders go through all stages of their systems: small ones, and at full size."""

from dataclasses import replace

import pytest
import torch
import yaml
from conftest import ROOT

from asd.encoders import published
from asd.encoders.networks import create_encoder
from asd.params import check
from studies.costs import few, run, stages, training_step

FULL = ["eat_base", "beats_iter3_plus", "dasheng_base"]
SMALL = {"dims": 16, "depth": 4, "heads": 2}
STEP = {"batch": 8, "crop": 128}


@pytest.mark.parametrize("encoder", FULL)
def test_every_system_that_trains_an_adapted_encoder_trains_this_one(encoder):
    shipped = yaml.safe_load((ROOT / "params.yaml").read_text())
    adapted = {f"adapted/{name}" for name in shipped["adapt"]}
    trained = {name for name, system in shipped["systems"].items() if system["encoder"] in adapted}
    params = check(few(shipped, encoder, 1, **STEP))
    assert set(params.systems) == trained == {"domain_adapted", "noise_aware_ssl", "group_lora"}
    assert {system.encoder for system in params.systems.values()} == {f"adapted/{encoder}"}
    assert set(params.encoders) == set(params.adapt) == {encoder}
    assert params.encoders[encoder].root.weights == "random"
    names = [name.split("@")[0] for name in stages(shipped)]
    assert names[:3] == ["check", "download", "index"]
    assert {"adapt", "embed", "pseudo_label", "train", "embeddings", "score", "evaluate"} < set(names)


@pytest.mark.slow
@pytest.mark.parametrize("encoder", FULL)
def test_a_small_one_runs_through_all_stages(encoder, monkeypatch):
    entry = published.PUBLISHED[encoder]
    small = replace(entry, options=dict(entry.options) | SMALL, dims=16)
    monkeypatch.setitem(published.PUBLISHED._known, encoder, small)
    assert create_encoder(encoder).dims == 16
    said: list[str] = []
    seconds, memory = run(encoder, torch.get_num_threads(), said.append, **STEP)
    assert said[0].startswith("| check | ")
    assert said[-1].startswith("| report | ")
    assert 0 < seconds < 120
    assert memory > 0.1
    assert training_step(encoder, 2, 64) > 0


@pytest.mark.minutes
@pytest.mark.parametrize("encoder", FULL)
def test_at_full_size_within_ten_minutes_and_twelve_gibibytes(encoder):
    seconds, memory = run(encoder, 1, **STEP)
    assert seconds < 600
    assert memory < 12
