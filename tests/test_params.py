"""params.yaml is checked whole, and what is wrong is said in one line with the key's full name."""

import os
import pickle
import re
import subprocess
import sys

import pytest
import yaml
from conftest import ROOT

from asd.core.errors import UserError
from asd.core.section import read_params
from asd.params import check


def shipped():
    return yaml.safe_load((ROOT / "params.yaml").read_text())


def put(content, key, value):
    *way, last = key.split(".")
    for part in way:
        content = content[part]
    content[last] = value


def test_what_is_shipped_is_right():
    params = check(shipped())
    assert set(params.training_free) == {"frozen", "statistics", "texture"}
    networks = {"attribute_cnn", "noise_aware_cnn", "noise_aware_ssl", "domain_adapted", "group_lora"}
    assert set(params.systems) == networks | {"autoencoder"}


def test_sections_travel_to_other_processes():
    """Those of a type that is made when params are read, too."""
    params = check(shipped())
    blocks = [block.train.root for block in params.systems.values()]
    for own in (params.compute, params.pseudo_label, *blocks):
        again = pickle.loads(pickle.dumps(own))
        assert again == own
        assert type(again) is type(own)


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("sead", 1, "sead is unknown"),
        ("seed", "one", "seed is 'one'"),
        ("seed", -1, "seed is -1"),
        ("dataset.name", "dcase1999", "dataset.name is 'dcase1999'"),
        ("dataset.simulated.size", "huge", "dataset.simulated.size is 'huge'"),
        ("index.on_bad_clip", "ignore", "index.on_bad_clip is 'ignore'"),
        ("features.texture.n_mels", 0, "features.texture.n_mels is 0"),
        ("features.log_mel.f_max", 9000, "features.log_mel.f_max is 9000"),
        ("features.frequencies.candidates", 0, "features.frequencies.candidates is 0"),
        ("encoders.se_resnet18.width", 1.5, "encoders.se_resnet18.width is 1.5"),
        ("encoders.se_resnet18.depth", 3, "encoders.se_resnet18.depth is unknown"),
        ("adapt.tiny.mask", 1.0, "adapt.tiny.mask is 1.0"),
        (
            "adapt.tiny.features",
            "waveform",
            "adapt.tiny.features is 'waveform': the encoder initial/tiny takes",
        ),
        ("encoders.dense.features", "log_mell", "encoders.dense.features is 'log_mell': one of log_mel,"),
        ("features.log_mel.clips", "train", "encoders.mel_bands.features is 'log_mel': made of normal training clips"),
        ("encoders.dense.architecture", "transformer", "encoders.dense"),
        ("embed.encoder", "beats", "embed.encoder is 'beats': one of initial/mel_bands"),
        ("embed.features", "waveform", "embed.features is 'waveform': the encoder adapted/tiny takes 'log_mel"),
        ("pseudo_label.max_groups", 1, "pseudo_label.max_groups is 1"),
        ("pseudo_label.frequency.features", "log_mel", "pseudo_label.frequency.features"),
        ("pseudo_label.spectrum.features", "frequencies", "pseudo_label.spectrum.features"),
        ("pseudo_label.spectrum.n_clusters_rule", "elbow", "pseudo_label.spectrum.n_clusters_rule is 'elbow'"),
        ("systems.group_lora.train.fine_tune", "half", "systems.group_lora.train.fine_tune is 'half'"),
        ("systems.group_lora.train.mixing", "mixed", "systems.group_lora.train.mixing is 'mixed'"),
        ("systems.group_lora.train.n_levels", 3, "systems.group_lora.train.n_levels is 3"),
        ("systems.group_lora.train.groups", ["a+b", "b"], "systems.group_lora.train.groups: 'b': each machine once"),
        ("systems.group_lora.train.groups", -1, "systems.group_lora.train.groups"),
        ("systems.group_lora.train.mixup", 0.5, "mixup blends classes, which dual_contrastive can't compare: set it"),
        ("systems.group_lora.train.batch", 31, "systems.group_lora.train: batch is 31: views come in twos"),
        ("systems.group_lora.train.scale", 30.0, "scale is an option of arcface, sub_center_arcface, not of dual_con"),
        (
            "systems.attribute_cnn.train.fine_tune",
            "lora",
            "attribute_cnn.train.fine_tune is 'lora': se_resnet18 is none",
        ),
        ("systems.noise_aware_cnn.train.groups", 2, "noise_aware_cnn.train.groups is 2: dual_branch is none of"),
        ("train.seeds", [], "train.seeds"),
        ("train.seeds", [1, 1], "train: training seeds are distinct"),
        ("systems.domain_adapted.labels", "guessed", "systems.domain_adapted.labels is 'guessed': one of given"),
        ("systems.domain_adapted.train.learning_rate", "fast", "learning_rate is 'fast'"),
        ("systems.domain_adapted.score.n_neighbors", 0, "systems.domain_adapted.score.n_neighbors is 0"),
        ("systems.domain_adapted.score.quantile", 1, "systems.domain_adapted.score.quantile is 1"),
        ("decision.quantile", 1, "decision.quantile is 1"),
        ("decision.threshold", "best", "decision.threshold is 'best'"),
        ("training_free.frozen.paper", 2025, "training_free.frozen.paper is 2025: input should be a valid string"),
        ("training_free.frozen.papers", "BEAM", "training_free.frozen.papers is unknown"),
        ("training_free.frozen.train", {"objective": "arcface"}, "training_free.frozen.train is unknown"),
        ("training_free.frozen.encoder", "initial/dense", "training_free.frozen.encoder is 'initial/dense': it recons"),
        ("training_free.frozen.encoder", "adapted/mel_bands", "frozen.encoder is 'adapted/mel_bands': one of initial/"),
        ("systems.domain_adapted.encoder", "initial/mel_bands", "mel_bands': it has no weights to train, its pl"),
        ("adapt.texture", None, "adapt.texture"),
        ("training_free.frozen.score", {"scorer": "value"}, "training_free.frozen.score.scorer is 'value'"),
        ("ensemble.members", ["nobody"], "ensemble.members is 'nobody': one of texture"),
        ("ensemble.members", ["frozen", "frozen"], "ensemble.members: auto, all, or a list of distinct"),
        ("ensemble.weights", {"frozen": 1.0}, "ensemble: weights by name are those of the members in a list"),
        ("ensemble.weights", "best", "ensemble.weights is 'best': auto, forward, equal, or a number"),
        ("ensemble.weights", {"frozen": 0}, "ensemble.weights: auto, forward, equal, or a number above 0"),
        ("ensemble.members", "best", "ensemble.members is 'best': auto, all, or a list"),
        ("ensemble.fusion", "median", "ensemble.fusion is 'median': input should be 'mean', 'log' or 'rank'"),
        ("selection.labels", "guessed", "selection.labels is 'guessed': one of given"),
        ("selection.kinds", ["noise"], "selection.kinds"),
        ("selection.folds", 1, "selection.folds is 1"),
        ("compute.threads", True, "compute.threads is True"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(key, value, says):
    content = shipped()
    put(content, key, value)
    with pytest.raises(UserError, match=re.escape(says)) as caught:
        check(content)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("params.yaml: ")


def test_statistics_of_bands_need_a_spectrogram():
    content = shipped()
    put(content, "features.wave", {"kind": "waveform", "sample_rate": 16000, "channel": "near"})
    put(content, "encoders.speech", {"architecture": "wavlm_base", "features": "wave"})
    content["systems"]["attribute_cnn"] |= {"encoder": "initial/speech", "features": "wave"}
    with pytest.raises(UserError, match=r"attribute_cnn\.train\.statex is 0\.5: wave is no spectrogram, set it to 0$"):
        check(content)
    put(content, "systems.attribute_cnn.train.statex", 0.0)
    check(content)


def test_options_of_another_objective_are_refused_in_one_line():
    content = shipped()
    put(content, "systems.attribute_cnn.train.margin", 0.5)
    with pytest.raises(
        UserError, match=r"train: margin is an option of arcface, sub_center_arcface, not of adacos"
    ) as caught:
        check(content)
    assert "\n" not in str(caught.value)


def test_a_system_may_name_no_paper():
    content = shipped()
    del content["training_free"]["frozen"]["paper"]
    params = check(content)
    assert params.training_free["frozen"].paper == ""
    assert params.training_free["statistics"].paper == "hand-crafted"


def test_a_missing_key_is_named():
    content = shipped()
    del content["training_free"]["frozen"]["encoder"]
    with pytest.raises(UserError, match=r"params.yaml: training_free.frozen.encoder is missing"):
        check(content)


def python(*arguments: str) -> tuple[subprocess.CompletedProcess, float]:
    """Run Python; give the seconds of a processor that it took, too."""
    start, environment = os.times().children_user, {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False)
    return done, os.times().children_user - start


@pytest.mark.slow
def test_the_stage_refuses_within_seconds(workdir):
    content = shipped()
    put(content, "systems.domain_adapted.score.n_neighbors", 0)
    (workdir / "params.yaml").write_text(yaml.safe_dump(content))
    _, libraries = python("-c", "import torch, sklearn.base, pandas, pydantic")
    done, seconds = python("-m", "stages.check")
    assert seconds < 2 * libraries, "of a processor, whatever else it does: 3 s on a slow one"
    assert done.returncode == 2
    assert done.stderr.startswith("asd: params.yaml: systems.domain_adapted.score.n_neighbors is 0")
    assert done.stderr.count("\n") == 1
    assert not (workdir / "data").exists()


def test_a_number_is_read_as_dvc_writes_it(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("a: 5e-05\nb: 1E3\nc: 1.5e-3\nd: 12e4b\n", encoding="utf-8")
    assert read_params(path) == {"a": 5e-05, "b": 1000.0, "c": 0.0015, "d": "12e4b"}
