"""The study of pre-trained encoders: its rows and differences, blocks of params.yaml, attributes by hand."""

import argparse
import copy
import sys

import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml
from conftest import ROOT

from asd.core.artifacts import write_csv
from asd.core.errors import UserError
from studies import encoders
from studies.encoders import (
    COMPARED,
    SCORERS,
    TUNED,
    attribute_table,
    attributes,
    by_title,
    encoders_of,
    of_study,
    references,
    scorer_of,
    shown,
    starts,
    with_encoders,
)
from studies.real_scores import Values

RATE = 16000


@pytest.fixture
def shipped():
    return yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """Seven normal clips (four train) and three anomalies, at twice the level of a tone, of each of two machines."""
    folder, rows = tmp_path_factory.mktemp("recordings"), []
    time = np.arange(RATE) / RATE
    for machine in ("fan", "pump"):
        for number in range(10):
            rng, anomaly = np.random.default_rng([number, len(machine)]), int(number > 6)
            sound = rng.standard_normal(RATE) + (0.2 + anomaly) * np.sin(2 * np.pi * 440 * time)
            soundfile.write(folder / f"{machine}_{number}.wav", 0.05 * sound, RATE)
            test = number > 3
            rows.append(
                (f"{machine}_{number}.wav", machine, "00", "test" if test else "train", anomaly if test else "")
            )
    write_csv(folder / "manifest.csv", pd.DataFrame(rows, columns=["path", "machine", "section", "split", "anomaly"]))
    return folder / "manifest.csv"


def run(monkeypatch, capsys, *words):
    monkeypatch.setattr(sys, "argv", ["encoders", *map(str, words)])
    encoders.main()
    return capsys.readouterr().out


def table_of(printed):
    lines = printed.split("\n\n")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return pd.DataFrame(cells[2:], columns=cells[0]).set_index(["system", "scorer"])


def options(*words, fine_tuned=False, mn04=None, scorers=SCORERS):
    return argparse.Namespace(encoders=list(words), mn04=mn04, scorers=scorers, fine_tuned=fine_tuned)


def test_every_encoder_has_a_row_a_scorer_and_a_difference_to_the_first(manifest, tmp_path, monkeypatch, capsys):
    chosen = ("--encoders", "mean_log_mel", "texture", "--out", tmp_path / "scores.csv", "-S", "compute.jobs=1")
    printed = run(monkeypatch, capsys, "real", manifest, *chosen, "-S", "compute.threads=1")
    found = table_of(printed)
    assert set(found.index) == {(name, scorer) for name in ("mean_log_mel", "texture") for scorer in SCORERS}
    for scorer in SCORERS:
        assert found.loc[("mean_log_mel", scorer), "AUC less frozen mean_log_mel [95 %]"].startswith(
            "+0.0 [+0.0, +0.0]"
        )
        first, other = (float(found.loc[(n, scorer), "AUC [95 %]"].split()[0]) for n in ("mean_log_mel", "texture"))
        difference = float(found.loc[("texture", scorer), "AUC less frozen mean_log_mel [95 %]"].split()[0])
        assert difference == pytest.approx(other - first, abs=0.11)  # each is rounded
    assert "| fan 00 |" in printed
    assert found.loc[("mean_log_mel", "knn_bands"), "AUC [95 %]"] == "100.0 [100.0, 100.0]"
    assert run(monkeypatch, capsys, "real", "--scores", tmp_path / "scores.csv", *chosen[:3]) == printed


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["real"], "asd: give manifests, or --scores alone"),
        (["real", "manifest", "--encoders", "none"], "'none' is no encoder"),
        (["real", "manifest", "--encoders", "texture_drawn"], "'texture_drawn' is no encoder"),
        (["simulated", "--encoders", "none"], "'none' is no encoder"),
    ],
)
def test_wrong_arguments_are_one_line(words, message, manifest, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["encoders", *(str(manifest) if word == "manifest" else word for word in words)])
    with pytest.raises(SystemExit) as end:
        encoders.main()
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_frozen_encoders_are_blocks_of_params_that_the_pipeline_takes(shipped):
    before = copy.deepcopy(shipped)
    made = of_study(shipped, options("mean_log_mel", "texture", "mn04_drawn", "adapted/tiny"))
    assert shipped == before
    assert made["systems"] == {}
    names = ("mean_log_mel", "texture", "mn04_drawn", "adapted_tiny")
    assert list(made["training_free"]) == [f"{name}-{scorer}" for name in names for scorer in SCORERS]
    assert made["encoders"]["mn04_drawn"]["weights"] == "random"
    assert made["encoders"]["mean_log_mel"]["pooling"] == {"kind": "mean", "per_band": True}
    assert made["features"]["efficientat_mel"] == {"kind": "efficientat_mel", "low_rate": "resample"}
    assert "log_mel_two_scales" not in of_study(shipped, options("texture"))["features"]
    assert made["training_free"]["adapted_tiny-density_whitened"]["score"]["whiten"] is True


def test_weights_are_given_by_a_path(shipped, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights.pt").touch()
    names, files = encoders_of(options("machine_small=weights.safetensors", "texture", mn04="weights.pt"))
    assert names == ["machine_small", "texture", "mn04", "mn04_preset"]
    made = with_encoders(shipped, [*names, "machine_small_drawn"], files)["encoders"]
    assert made["machine_small"]["weights"] == str(tmp_path / "weights.safetensors")
    assert made["machine_small_drawn"] == made["machine_small"] | {"weights": "random"}
    assert made["mn04"]["weights"] == made["mn04_preset"]["weights"] == str(tmp_path / "weights.pt")


def test_blocks_of_params_yaml_come_before_those_of_the_study(shipped):
    own = {"architecture": "machine_small", "features": "log_mel", "weights": "random"}
    made = with_encoders(shipped | {"encoders": shipped["encoders"] | {"machine_small": own}}, ["machine_small"], {})
    assert made["encoders"]["machine_small"] == own


def test_systems_are_fine_tuned_from_the_first_encoder_drawn_weights_and_what_was_before(shipped):
    assert starts(shipped, "machine_small", "group_lora") == ["machine_small", "machine_small_drawn", "adapted/tiny"]
    assert starts(shipped, "machine_small", "domain_adapted")[2:] == [
        "adapted/machine_small",
        "adapted/machine_small_drawn",
        "adapted/tiny",
    ]
    assert starts(shipped, "tiny", "noise_aware_ssl") == ["tiny", "adapted/tiny"]
    made = of_study(shipped, options("tiny", "texture", fine_tuned=True))
    for name in TUNED:
        of_name = {key: block for key, block in made["systems"].items() if key.startswith(f"{name}-")}
        assert {block["encoder"] for block in of_name.values()} == {"initial/tiny", "adapted/tiny"}
        assert all(block["train"] == shipped["systems"][name]["train"] for block in of_name.values())
        assert all(references(key, "tiny")["frozen tiny"] in made["training_free"] for key in of_name)
    assert made["training_free"]["tiny-kmeans"]["score"] == shipped["systems"]["noise_aware_ssl"]["score"]
    assert "texture-kmeans" not in made["training_free"]


def test_an_adapted_encoder_has_the_settings_of_tiny(shipped):
    made = with_encoders(shipped, ["adapted/machine_small", "adapted/tiny"], {})
    assert made["adapt"]["machine_small"] == shipped["adapt"]["tiny"] | {"features": "log_mel_two_scales"}
    assert made["adapt"]["tiny"] == shipped["adapt"]["tiny"]


def test_scorers_are_named_as_candidates(shipped):
    assert [scorer_of(shipped["systems"][name]) for name in TUNED] == ["kmeans", "knn_cosine", "knn_cosine"]
    assert scorer_of(shipped["training_free"]["texture"]) == "shrunk_mahalanobis_bands"


def test_each_difference_has_its_reference_among_the_systems():
    starts_of = ("machine_small", "machine_small_drawn", "adapted_machine_small", "adapted_machine_small_drawn")
    systems = [f"{name}-knn_cosine" for name in COMPARED]
    systems += [f"domain_adapted-{start}-knn_cosine" for start in (*starts_of, "adapted_tiny")]
    found = by_title(systems, "machine_small")
    assert list(found) == ["frozen machine_small", "drawn weights", "adapted/tiny"]
    assert found["frozen machine_small"] == dict.fromkeys(systems, "machine_small-knn_cosine")
    assert set(found["adapted/tiny"].values()) == {systems[-1]}
    assert found["drawn weights"] == {
        f"domain_adapted-{start}-knn_cosine": f"domain_adapted-{drawn}-knn_cosine"
        for start, drawn in zip(starts_of, np.repeat(starts_of[1::2], 2), strict=True)
    }


def test_a_difference_says_whether_it_is_resolved():
    values = Values(pd.Series([0.5, 0.7]), np.array([[0.4, 0.6], [0.6, 0.8]]))
    lower = Values(values.sections - 0.2, values.resampled - 0.2)
    assert shown(values).startswith("60.0 [")
    assert shown(values.minus(lower), True) == "+20.0 [+20.0, +20.0]"
    assert shown(values.minus(values), True) == "+0.0 [+0.0, +0.0] not resolved"


def test_attributes_that_embeddings_tell_and_those_that_they_do_not(monkeypatch, shipped):
    rng, truth = np.random.default_rng(0), np.repeat(["speed_1", "speed_2"], 20)
    clips = pd.DataFrame({"clip_id": [f"c{i:02d}" for i in range(41)], "machine": "fan", "section": "00"})
    clips = clips.assign(split=["test"] + ["train"] * 40, domain="source", kind="machine")
    told = np.concatenate([[9.0], np.where(truth == "speed_1", 1.0, -1.0)])[:, None, None] * np.ones((1, 1, 8))
    embeddings = {"heard-knn_bands": told + 0.1 * rng.standard_normal((41, 1, 8)), "deaf-knn_bands": None}
    embeddings["deaf-knn_bands"] = rng.standard_normal((41, 1, 8))
    monkeypatch.setattr(encoders.shared, "tables", lambda: (clips, set()))
    monkeypatch.setattr(encoders.shared, "system_embeddings", lambda name, _: {0: embeddings[name]})
    monkeypatch.setattr(encoders, "true_attributes", lambda _: np.array(["", *truth]))
    found = attributes(shipped, list(embeddings)).set_index("system")
    assert found.loc["heard", ["1-NN", "AMI"]].tolist() == [1, 1]
    assert found.loc["deaf", "AMI"] < 0.3
    assert 0.2 < found.loc["deaf", "1-NN"] < 0.8


def test_the_table_of_attributes_has_paired_differences():
    rows = [(name, f, "fan", 0.5 + 0.1 * f + gain, 0.4) for name, gain in (("b", 0.0), ("a", 0.2)) for f in (0, 1, 2)]
    found = attribute_table(pd.DataFrame(rows, columns=["system", "factory", "machine", "1-NN", "AMI"]))
    assert list(found.index) == ["b", "a"]
    assert found.loc["b", "1-NN less b"] == "+0.0 [+0.0, +0.0]"
    assert found.loc["a", "1-NN"] == "80.0"
    assert found.loc["a", "1-NN less b"] == "+20.0 [+20.0, +20.0]"


def test_no_encoder_without_a_name():
    with pytest.raises(UserError, match="with _drawn if it is published"):
        with_encoders({"encoders": {}, "adapt": {}, "features": {}}, ["mine"], {})
