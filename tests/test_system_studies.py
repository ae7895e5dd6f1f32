"""Costs of systems, counted by hand; the better baseline; other numbers of steps."""

from itertools import pairwise

import numpy as np
import pytest
import yaml
from conftest import ROOT

from asd.encoders.encoder_params import AdaptationModuleParams
from asd.evaluation.sections import LabelledSection
from asd.params import check
from studies.costs import cost
from studies.shared import Commands, with_budgets
from studies.systems import better_baseline, score_blocks


@pytest.fixture(scope="module")
def params():
    return check(yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8")))


def of(params, name, seconds=2.0):
    system = {**params.training_free, **params.systems}[name]
    trains = system.train.root if name in params.systems else None
    return cost(params.encoder(system.encoder), params.features[system.features], trains, seconds)


def test_the_autoencoder_costs_what_its_layers_say(params):
    own = of(params, "autoencoder")
    layers = [640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640]
    products = sum(a * b for a, b in pairwise(layers))
    vectors = 1 + 2 * 16000 // 512 - 4
    assert (own.stored, own.trained, own.macs) == (269_992, 267_928, vectors * products)


def test_what_has_no_weights_costs_nothing_but_time(params):
    own = of(params, "statistics")
    assert (own.stored, own.trained, own.macs) == (0, 0, 0)
    assert own.front_end > 0


def test_convolutions_are_counted(params):
    short, long = of(params, "noise_aware_cnn"), of(params, "noise_aware_cnn", 4.0)
    assert short.trained == long.trained > 100_000
    assert 1.5 < long.macs / short.macs < 2.1  # all but the spectrum's branch grows with the clip


def test_an_adaptation_module_is_counted(params):
    encoder, trains = params.encoder("initial/tiny"), params.systems["domain_adapted"].train.root
    without = cost(encoder, params.features["log_mel"], trains, 2.0)
    trains = trains.model_copy(update={"adaptation_module": AdaptationModuleParams(layers=2, dims=32)})
    own = cost(encoder, params.features["log_mel"], trains, 2.0)
    assert own.trained - without.trained == 2 * (128 * 32 + 32) + (32 * 32 + 32)
    tokens = 62 // 16 * 8
    assert own.macs - without.macs == tokens * 2 * 128 * 32 + 32 * 32


def test_of_lora_and_adapters_alone_is_said_that_they_are_trained(params):
    encoder, trains = params.encoder("initial/tiny"), params.systems["group_lora"].train.root
    trains = trains.model_copy(update={"rank": 3, "branches": 2, "mixing": "learnt", "groups": 2, "bottleneck": 5})
    own = cost(encoder, params.features["log_mel"], trains, 2.0)
    layers = [(128, 384), (128, 128), (128, 512), (512, 128)]
    lora = 4 * sum(2 * 3 * (ins + outs) + 2 * 2 for ins, outs in layers)
    adapters = 4 * 2 * 5 * (128 + 128)
    assert own.trained == lora + adapters
    without = of(params, "domain_adapted")
    assert own.stored == without.stored + adapters  # LoRA is merged
    tokens = 62 // 16 * 8 + 1  # and the class token
    assert own.macs == without.macs + 4 * tokens * 5 * (128 + 128)


def test_the_better_baseline_has_the_higher_score():
    rng = np.random.default_rng(0)
    anomalous = np.arange(80) >= 40
    quality = {"attribute_cnn": 3.0, "autoencoder": 0.5, "autoencoder (mahalanobis)": 1.5, "frozen": 1.0}
    scores = {name: (rng.standard_normal(80) + sure * anomalous)[None] for name, sure in quality.items()}
    domain = np.tile(np.array(["source", "target"], dtype=object), 40)
    section = LabelledSection("fan", "00", anomalous, domain, np.arange(80).astype(object), scores)
    assert better_baseline([section]) == "autoencoder (mahalanobis)"


def test_the_autoencoder_has_two_rows():
    found = score_blocks({"systems": {"autoencoder": {"score": {"scorer": "value", "value": "mse"}}}})
    assert [block["value"] for _, block in found.values()] == ["mse", "mahalanobis"]
    assert {system for system, _ in found.values()} == {"autoencoder"}


def test_other_budgets_stand_beside_the_systems_that_train():
    shipped = yaml.safe_load((ROOT / "params.yaml").read_text())
    both = with_budgets(shipped, [0, 50])
    check(both)
    trained = [name for name, system in shipped["systems"].items() if "steps" in system["train"]]
    beside = {f"{name}_{steps}" for name in trained for steps in (0, 50)}
    assert both["systems"].keys() - shipped["systems"].keys() == beside
    drawn, less = (both["systems"][f"noise_aware_ssl_{steps}"] for steps in (0, 50))
    assert (drawn["encoder"], less["encoder"]) == ("initial/tiny", "adapted/tiny")
    assert (drawn["train"]["steps"], drawn["train"]["freeze_steps"]) == (0, 0)
    assert (less["train"]["steps"], less["train"]["freeze_steps"]) == (50, 10)
    assert less["score"] == shipped["systems"]["noise_aware_ssl"]["score"]
    assert with_budgets(shipped, []) == shipped


def test_a_studys_help_is_its_docstring_percent_signs_included(capsys):
    def slower(_):
        """Judge records that are 1.4 % slower."""

    commands = Commands("Studies.")
    commands.add("slower", slower)
    with pytest.raises(SystemExit):
        commands.run(["--help"])
    assert "Judge records that are 1.4 % slower." in " ".join(capsys.readouterr().out.split())
