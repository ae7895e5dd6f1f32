"""What a later stage would refuse about params.yaml is refused by ``check``, in one line that names the key."""

import re
from dataclasses import dataclass

import numpy as np
import pytest

from asd.core.errors import UserError
from asd.core.registry import Registry
from asd.datasets.dataset_params import SIMULATED
from asd.params import check
from asd.scoring.params import Count
from asd.scoring.registry import SCORERS, register
from asd.scoring.scorer import Scorer
from asd.simulation.simulation import MACHINES
from studies.options.alternatives import Change, changes
from studies.options.search import changed, outcome, search
from studies.options.units import Unit, small, units

UNITS = dict(units())
FAST = ("front/kaldi", "front/waveform", "score/knn", "train/tuned", "adapt", "ensemble")
SAMPLE = 15  # pairs of a unit


def pair(*overrides):
    """Changes of the small params.yaml: key and value in turn."""
    each = zip(overrides[::2], overrides[1::2], strict=True)
    return tuple(Change(tuple(key.split(".")), value) for key, value in each)


@pytest.mark.parametrize(
    ("unit", "overrides", "says"),
    [
        ("ensemble", ("ensemble.members", "all", "ensemble.weights", "auto"), "ensemble.weights is 'auto': auto"),
        ("ensemble", ("ensemble.members", ["net", "auto"], "ensemble.weights", "forward"), "weights is 'forward'"),
        ("ensemble", ("ensemble.members", "all", "ensemble.weights", {"a": 1.0, "l": 1.0}), "weights by name"),
        ("ensemble", ("selection.kinds", ["machine", "machine"]), "selection.kinds: 'machine': each kind once"),
        ("adapt/net", ("adapt.net.batch", 5, "adapt.net.accumulate", 2), "adapt.net: batch is 5: it must div"),
        ("adapt/net", ("adapt.net.crop", 8), "adapt.net.crop is 8: a token takes 16 rows"),
        ("adapt/net", ("encoders.net.dims", 24), "encoders.net.dims is 24: to be adapted it must be a mul"),
        ("adapt/net", ("adapt.net.learning_rate", 10.0), "adapt.net.learning_rate is 10.0"),
        ("labels", ("embed.encoder", "initial/dense"), "embed.encoder is 'initial/dense': it reconstructs"),
        ("train/module", ("encoders.net.layers", [1, 2]), "encoders.net: layers: tiny has no layer 2: it has 1"),
        ("train/module", ("encoders.net.dims", 8, "encoders.net.heads", 3), "encoders.net: dims is 8: it must d"),
        ("train/module", ("systems.net.train.adaptation_module.layers", 2), "adaptation_module.layers is 2"),
        ("train/module", ("encoders.net.pooling.gamma", 8000.0), "encoders.net.pooling.gamma is 8000.0"),
        ("train/module", ("systems.net.train.learning_rate", 1000.0), "systems.net.train.learning_rate is 1000.0"),
        ("train/module", ("systems.net.train.learning_rate", float("inf")), "systems.net.train.learning_rate is inf"),
        ("objective/dual_contrastive", ("systems.net.train.temperature", 1e-60), "train.temperature is 1e-60"),
        ("encoder/mel_bands", ("encoders.bands.pooling.kind", "cls"), "encoders.bands: pooling.kind is 'cls'"),
        ("front/envelope_spectrum", ("features.x.resolution", 1e-6), "features.x.resolution is 1e-06"),
        ("front/efficientat_mel", ("features.x.n_fft", 512), "features.x.window_length is 800: must be at most n_fft"),
        ("front/statistics", ("features.x.f_min", 50000.0), "features.x.f_max is 8000: must be above f_min"),
        ("front/kaldi_fbank", ("features.x.sample_rate", 100, "features.x.frame_shift", 1.0), "frame_shift is 1"),
        ("front/kaldi_fbank", ("features.x.f_max", 10.0), "features.x.f_max is 10.0: must be above the lower edge"),
        ("front/kaldi_fbank", ("features.x.trim_or_pad_seconds", 0.01), "features.x: trim_or_pad_seconds is 0.01"),
        ("front/waveform", ("features.x.trim_or_pad_seconds", 0.01), "features.x: trim_or_pad_seconds is 0.01"),
        ("front/log_mel", ("features.x.floor", 1e-60), "features.x.floor is 1e-60"),
        ("front/log_mel", ("features.x.f_max", 0.5), "features.x.f_max is 0.5: must be above f_min + 1"),
        ("dataset/dcase2026", ("dataset.pretrain", "2025"), "dataset.pretrain names 2025, which the rules"),
        ("dataset/dcase2025", ("dataset.machines", "nobody"), "dataset.machines names nobody"),
        ("dataset/simulated", ("dataset.machines", "nobody"), "dataset.machines names nobody"),
        ("compute", ("features.a/b", {"kind": "waveform"}), "features.a/b: a name is of letters"),
    ],
)
def test_what_a_later_stage_would_refuse_is_refused_by_check(unit, overrides, says):
    content = changed(UNITS[unit].content, pair(*overrides))
    with pytest.raises(UserError, match=re.escape(says)) as caught:
        check(content)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("params.yaml: ")


def test_files_of_weights_and_names_of_systems():
    content = small()
    content["features"]["eat"] = {"kind": "kaldi_fbank"}
    content["encoders"]["eat"] = {"architecture": "eat_base", "features": "eat", "weights": "publishd"}
    with pytest.raises(UserError, match=r"encoders\.eat\.weights is 'publishd': published, random, or the path of a"):
        check(content)
    content["encoders"]["eat"]["weights"] = "published"
    check(content)
    content["features"]["two"] = {"kind": "log_mel_two_scales"}
    content["encoders"]["ours"] = {"architecture": "machine_base", "features": "two"}
    with pytest.raises(
        UserError, match=r"encoders\.ours\.weights is 'published': machine_base has none, say random or"
    ):
        check(content)
    content["encoders"]["ours"]["architecture"] = "machine_small"
    check(content)
    content["systems"]["ensemble"] = content["systems"].pop("net")
    content["ensemble"]["members"] = ["free"]
    with pytest.raises(UserError, match=r"systems\.ensemble: that is the fused system's name"):
        check(content)


def test_the_machines_of_the_simulated_factory_are_those_that_params_name():
    assert set(SIMULATED) == set(MACHINES)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in UNITS if name.startswith(FAST)])
def test_a_sample_of_pairs_finds_nothing(name, capsys):
    unit = UNITS[name]
    counts = search(name, unit._replace(keys=unit.keys), SAMPLE, seed=1)
    assert counts["failed"] == 0, capsys.readouterr().out
    assert counts["run"] > SAMPLE


def test_every_bound_choice_and_name_of_another_block_is_tried():
    unit = Unit(small(), ("systems.net", "selection.folds"), lambda params: None)
    found = {str(change) for change in changes(check(unit.content), unit.keys)}
    wanted = {'score.metric="euclidean"', "score.per_band=true", "score.n_neighbors=2", "score.n_neighbors=33"}
    wanted |= {'encoder="initial/dense"', 'labels="pseudo/auto"', "train.mixup=1.0", "train.rank=1"}
    wanted |= {'train.groups=["fan", "pump"]', 'train.adaptation_module={"layers": 1, "dims": 1}'}
    assert {f"systems.net.{key}" for key in wanted} <= found
    assert {"selection.folds=2", "selection.folds=3", "selection.folds=33"} <= found
    assert "systems.net.score.n_neighbors=1" not in found  # as it is
    assert "systems.net.score.n_neighbors=0" not in found  # below its bound


@pytest.fixture
def planted():
    """A scorer whose two options do not go together, which only ``fit`` says."""

    @register("planted")
    @dataclass(eq=False, repr=False)
    class Planted(Scorer):
        count: Count = 1
        turned: bool = False

        def _fit(self, x: np.ndarray, domain: np.ndarray) -> None:
            if self.count == 33 and self.turned:
                raise UserError("count does not go with turned")

        def _anomaly_score(self, x: np.ndarray) -> np.ndarray:
            return x[:, 0].astype(np.float64)

    yield
    assert isinstance(SCORERS, Registry)
    del SCORERS._known["planted"]


@pytest.mark.usefixtures("planted")
def test_a_planted_pair_is_found(capsys):
    unit = dict(units())["score/planted"]
    assert outcome(unit, pair("systems.net.score.count", 33)) == ("run", "")
    unit = unit._replace(keys=("systems.net.score.count", "systems.net.score.turned"))
    counts = search("score/planted", unit, None, 0)
    assert (counts["tried"], counts["failed"]) == (1 + 3 + 2, 1)
    said = "systems.net.score.count=33 systems.net.score.turned=true: UserError: count does not go with turned"
    assert said in capsys.readouterr().out
