"""Collapse and probes: known embeddings, known answers."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from adaptation_runs import BANDS, BLOCK, PARAMS, Store, adapted
from committed_run import committed, committed_names

from asd.adaptation.loop import Step
from asd.adaptation.measures import (
    MOST,
    alignment,
    compare,
    curve,
    losses,
    probe,
    sample,
    signs_of_collapse,
    spread_of,
    statistics,
    uniformity,
)
from asd.adaptation.objective import Targets, UtteranceFrame
from asd.encoders.networks import create_encoder

HEALTHY = np.random.default_rng(0).normal(size=(200, 16)) + 1.0
CPU = torch.device("cpu")


def test_spread_of_known_embeddings():
    found = spread_of(HEALTHY)
    assert found.spread == pytest.approx(1, abs=0.05)
    assert found.effective_rank == pytest.approx(16, abs=0.3)
    unit = HEALTHY / np.linalg.norm(HEALTHY, axis=1, keepdims=True)
    pairs = (unit @ unit.T)[np.triu_indices(200, 1)]
    assert found.mean_cosine == pytest.approx(pairs.mean())
    line = spread_of(np.outer(np.arange(50.0), np.ones(16)))
    assert line.effective_rank == pytest.approx(1)


@pytest.mark.parametrize(
    ("collapsed", "signs"),
    [
        (np.ones((200, 16)), ["spread", "mean_cosine", "effective_rank"]),
        (np.zeros((200, 16)), ["spread", "effective_rank"]),  # without a direction there is no angle
        (np.outer(np.random.default_rng(1).normal(size=200), np.ones(16)), ["effective_rank"]),
        (1 + 0.05 * HEALTHY, ["spread", "mean_cosine"]),  # the rank, which knows no scale, sees nothing
        (HEALTHY, []),
        (3 * HEALTHY, []),
    ],
)
def test_the_detector_names_the_signs(collapsed, signs):
    assert signs_of_collapse(spread_of(HEALTHY), spread_of(collapsed)) == signs


def test_no_encoder_of_the_committed_run_has_collapsed():
    found = [json.loads(committed(name)) for name in committed_names("metrics/adapt")]
    adapted_ones = [metrics["collapse"] for metrics in found if metrics["steps"]]
    assert adapted_ones
    assert not any(sign for collapse in adapted_ones for sign in collapse.values())


def test_alignment_and_uniformity():
    assert alignment(HEALTHY, 2 * HEALTHY) == pytest.approx(0)
    assert alignment(HEALTHY, -HEALTHY) == pytest.approx(4)
    assert uniformity(np.ones((5, 3))) == pytest.approx(0)
    assert uniformity(np.eye(4)) == pytest.approx(-4)  # all pairs are sqrt(2) apart


class WithoutStop(UtteranceFrame):
    """Nothing keeps this one from giving the same for everything."""

    def targets(self, batch):
        real = super().targets(batch).real
        raw = torch.stack([grid.values.flatten(1, 2) for grid in self.student.hidden(batch.x)]).mean(dim=0)
        return Targets(raw, raw.mean(dim=1), real)


def embedded(weights) -> np.ndarray:
    encoder = create_encoder(BLOCK, BANDS)
    encoder.load_state_dict(weights)
    with torch.inference_mode():
        clips = [torch.from_numpy(Store()[clip])[None] for clip in sorted(Store().clips)]
        return np.concatenate([encoder(x).flatten(1).numpy() for x in clips])


def signs(tmp_path, **changes) -> list[str]:
    before = embedded(create_encoder(BLOCK, BANDS, seed=3).state_dict())
    after = embedded(adapted(tmp_path, steps=200, **changes)[0])
    return signs_of_collapse(spread_of(before), spread_of(after))


@pytest.mark.slow
def test_the_detector_fires_on_a_run_that_was_made_to_collapse(tmp_path):
    own = {"ema_decay": 0.0, "ema_decay_end": 0.0, "frame_weight": 0.0, "learning_rate": 0.003}
    found = signs(tmp_path, objective=WithoutStop, **own)
    assert "spread" in found
    assert "mean_cosine" in found


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_the_detector_is_silent_on_healthy_runs(tmp_path, seed):
    assert signs(tmp_path, seed=seed) == []


def table() -> pd.DataFrame:
    clips = sorted(Store().clips)
    attributes = [("" if clip[0] == "b" else f"speed={int(clip[1:]) % 2}") for clip in clips]
    return pd.DataFrame({"clip_id": clips, "machine": [c[0] for c in clips], "attributes": attributes})


def test_probes_of_embeddings_that_know_all_and_nothing():
    clips = pd.DataFrame({"machine": ["m"] * 200, "attributes": [f"speed={i % 4}" for i in range(200)]})
    rng = np.random.default_rng(0)
    known = np.eye(4)[np.arange(200) % 4] + 0.01 * rng.normal(size=(200, 4))
    assert probe(known, clips)["accuracy"] == 1
    assert probe(known, clips)["ami"] == pytest.approx(1)
    nothing = probe(rng.normal(size=(200, 4)), clips)
    assert nothing["accuracy"] < 0.4
    assert abs(nothing["ami"]) < 0.1


def test_machines_without_given_attributes_are_not_probed():
    clips = table()
    asked = probe(statistics(Store(), clips), clips)
    assert list(asked["machines"]) == ["a"]
    assert probe(statistics(Store(), clips), clips.assign(attributes="")) == {}


def test_at_most_so_many_clips_of_a_machine_are_measured():
    clips = pd.DataFrame({"clip_id": [f"{i:05d}" for i in range(3 * MOST)], "machine": ["a"] * MOST + ["b"] * 2 * MOST})
    assert sample(clips).groupby("machine").size().to_dict() == {"a": MOST, "b": MOST}
    pd.testing.assert_frame_equal(sample(clips), sample(clips))


def test_what_is_noted_is_fit_for_a_metric_file(tmp_path: Path, capsys):
    class Described(Store):
        clip_ids = sorted(Store().clips)

    encoders = {name: create_encoder(BLOCK, BANDS, seed=n) for n, name in enumerate(("random", "start", "adapted"))}
    noted = compare(encoders, Described(), table(), CPU)
    assert set(noted["probes"]) == {"random", "log_mel", "start", "adapted"}
    assert noted["collapse"] == {"collapsed": False, "spread": False, "mean_cosine": False, "effective_rank": False}
    json.dumps(noted, allow_nan=False)
    for parameter in encoders["adapted"].parameters():
        parameter.data.zero_()
    assert compare(encoders, Described(), table(), CPU)["collapse"]["collapsed"]
    assert "has collapsed, by spread and" in capsys.readouterr().err


def test_losses_and_curve():
    history = [Step(1 / (1 + i), 2.0, 0.1 * (i + 1)) for i in range(1000)]
    found = losses(history)
    assert found["losses"]["utterance"] == 2
    assert found["losses"]["frame"] == pytest.approx(np.mean([1 / (1 + i) for i in range(950, 1000)]))
    assert found["targets"]["start"]["spread"] == pytest.approx(0.1)
    drawn = curve(history)
    assert len(drawn) == 200
    assert drawn["step"].iloc[-1] == 1000
    assert math.isclose(drawn["frame_loss"].iloc[0], np.mean([1, 1 / 2, 1 / 3, 1 / 4, 1 / 5]), rel_tol=1e-3)
    assert list(curve([]).columns) == list(drawn.columns)
    assert PARAMS.steps < 1000
