"""Own recordings through the whole pipeline, stage by stage, and what must never change a score."""

import json
import shutil
from contextlib import chdir
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml
from conftest import ROOT

from asd.cli.manifest import main as manifest
from asd.core.errors import UserError
from asd.core.project import Project, systems_of
from stages import adapt, check, download, embed, ensemble, evaluate, features, index, pseudo_label, report, score
from studies.shared import embed_clips

MACHINES = ("fan", "pump")


@pytest.fixture
def project(workdir: Path) -> Path:
    """A project with two machines' recordings of unlike lengths, and training cut short."""
    write_recordings(workdir)
    write(brief())
    return workdir


@pytest.fixture(scope="session")
def finished(made_once) -> Path:
    """The same, listed and run through all stages, once: a copy of it is written to."""

    def make(folder: Path) -> None:
        with chdir(folder):
            write_recordings(folder)
            write(brief())
            list_recordings()
            everything()

    return made_once("finished", make)


@pytest.fixture
def again(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the finished project, as working directory."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_recordings(home: Path) -> None:
    rng = np.random.default_rng(0)
    for machine in MACHINES:
        for kind, count in (("normal", 16), ("abnormal", 4)):
            folder = home / "recordings" / machine / kind
            folder.mkdir(parents=True)
            for i in range(count):
                t = np.arange(9600 + 800 * (i % 3)) / 16000
                hum = sum(np.sin(2 * np.pi * f * t) for f in (50, 100 + 50 * MACHINES.index(machine)))
                fault = 0.3 * np.sin(2 * np.pi * 900 * t) * (kind == "abnormal")
                wave = 0.05 * (hum + fault) + 0.02 * rng.normal(size=len(t))
                soundfile.write(folder / f"{i:02}.wav", wave, 16000, subtype="PCM_16")


def brief() -> dict:
    """Give the shipped params.yaml with small networks and few steps."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["dataset"]["name"] = "folder"
    params["encoders"]["tiny"] |= {"dims": 16, "depth": 1, "heads": 2, "frames": 64}
    params["adapt"]["tiny"] |= {"steps": 3, "batch": 4}
    params["encoders"]["se_resnet18"]["width"] = params["encoders"]["dual_branch"]["width"] = 4
    params["systems"]["autoencoder"]["train"]["epochs"] = 2
    for name in ("attribute_cnn", "noise_aware_cnn"):
        params["systems"][name]["train"]["steps"] = 2
    ssl = params["systems"]["noise_aware_ssl"]["train"]
    ssl |= {"steps": 4, "freeze_steps": 2, "crop": 64, "adaptation_module": {"layers": 1, "dims": 8}}
    for name in ("domain_adapted", "group_lora"):
        params["systems"][name]["train"] |= {"steps": 2, "crop": 64}
    params["features"]["log_mel_high_pass"]["loop_seconds"] = 1
    params["evaluate"]["resamples"] = 100
    return params


def write(params) -> None:
    Path("params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))


def list_recordings(*options: str) -> None:
    import argparse

    from asd.cli.manifest import add_arguments

    parser = argparse.ArgumentParser()
    add_arguments(parser)
    manifest(parser.parse_args(["recordings", "--force", *options]))


def prepare(systems) -> None:
    check.main()
    download.main()
    index.main()
    params = yaml.safe_load(Path("params.yaml").read_text())
    for front_end in params["features"]:
        features.main(front_end)
    for encoder in params["adapt"]:
        adapt.main(encoder)
    embed.main()
    pseudo_label.main()
    for system in systems:
        embed_clips(system)
        score.main(system)


def everything() -> dict:
    prepare(Project().systems)
    ensemble.main()
    evaluate.main()
    report.main()
    return json.loads(Path("metrics/evaluate.json").read_text())


def scores() -> dict[str, str]:
    """Scores of all clips, and the evidence that the ensemble is chosen by."""
    return {str(p): p.read_text() for p in sorted(Path("data/scores").rglob("*.csv"))}


def test_labels_and_names_of_test_files_change_no_score(again):
    systems = ("autoencoder", "frozen", "attribute_cnn", "domain_adapted")
    for folder in Path("data/scores").iterdir():
        if folder.name not in systems:
            shutil.rmtree(folder)
    before, ids = scores(), pd.read_csv("data/clips.csv")
    assert {Path(name).name for name in before} >= {"scores.csv", "candidates.csv", "pseudo.csv", "pseudo_aucs.csv"}

    table = pd.read_csv("data/manifest.csv", dtype=str)
    test = table["split"] == "test"
    rng = np.random.default_rng(1)
    (again / "renamed").mkdir()
    for place, row in enumerate(rng.permutation(np.flatnonzero(test))):
        new = f"renamed/{place:03}_anomaly_perhaps.wav"
        shutil.copy(again / "data" / table.loc[row, "path"], new)
        table.loc[row, "path"] = f"../{new}"
    table.loc[test, "anomaly"] = rng.permutation(table.loc[test, "anomaly"])
    table.sample(frac=1, random_state=2).to_csv("data/manifest.csv", index=False)
    for output in (
        "data/raw",
        "data/features",
        "data/models",
        "data/embeddings",
        "data/scores",
        "data/encoders",
    ):
        shutil.rmtree(output)
    prepare(systems)
    assert scores() == before
    pd.testing.assert_frame_equal(pd.read_csv("data/clips.csv"), ids)


def test_labelled_recordings_of_one_domain_give_their_own_score(again, finished):
    metrics = json.loads(Path("metrics/evaluate.json").read_text())
    for system in ("autoencoder", "frozen", "attribute_cnn", "domain_adapted", "ensemble"):
        own = metrics[system]
        assert own["score_one_domain_low"] <= own["score_one_domain"] <= own["score_one_domain_high"]
        assert "official" not in own
        assert {"auc", "pauc"} <= set(own)
    assert metrics["frozen"]["auc"] > 90  # a plain tone that normals lack
    normal = pd.read_csv("data/positions.csv")
    seen = pd.read_csv("data/embeddings/attribute_cnn/clips.csv").query("fitted == 1")["clip_id"]
    assert set(seen) < set(normal["clip_id"])
    assert set(normal.loc[~normal["clip_id"].isin(seen), "position"]) <= {6, 7}, "the last of eight set the threshold"
    assert not pd.read_csv("data/embeddings/frozen/clips.csv")["fitted"].any()
    assert len(np.load("data/embeddings/attribute_cnn/second_0.npy")) == len(normal)
    page = Path("data/report/index.html").read_text()
    assert "frozen" in page
    assert str(finished) not in page
    official = Path("data/evaluation/official/frozen/anomaly_score_fan_section_00_test.csv").read_text().splitlines()
    assert len(official) == 12
    assert all(len(line.split(",")) == 2 and line.split(",")[0].endswith(".wav") for line in official)


@pytest.mark.slow
def test_without_labels_or_anomalies_everything_runs_to_the_report(project):
    shutil.rmtree("recordings/fan/abnormal")
    shutil.rmtree("recordings/pump")
    list_recordings()
    metrics = everything()
    assert metrics["data"]["unlabelled"]["fan"]
    for system in ("frozen", "ensemble"):
        assert not {"official", "auc", "pauc", "score_one_domain"} & set(metrics[system])
        table = pd.read_csv(Path("data/scores/frozen/scores.csv"))
        assert np.isfinite(table[["score", "threshold"]]).all().all()
    assert Path("data/report/index.html").is_file()


@pytest.mark.slow
def test_unlabelled_tests_alone(project):
    shutil.move("recordings/fan/abnormal", "recordings/elsewhere")
    list_recordings()
    table = pd.read_csv("data/manifest.csv", dtype=str).drop(columns="anomaly")
    table.to_csv("data/manifest.csv", index=False)
    metrics = everything()
    assert set(metrics["data"]["unlabelled"]) >= {"fan"}
    assert "false_alarm_rate" not in metrics["frozen"]


@pytest.mark.slow
def test_several_training_seeds_stand_side_by_side(project):
    list_recordings()
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["train"]["seeds"] = [0, 1, 2]
    write(params)
    metrics = everything()
    assert metrics["attribute_cnn"]["seeds"] == 3
    assert metrics["domain_adapted"]["seed_sd"] > 0
    scores = pd.read_csv("data/scores/domain_adapted/scores.csv").groupby("seed")["score"].sum()
    assert scores.nunique() == 3
    assert metrics["frozen"]["seed_sd"] == 0
    params["evaluate"]["average_seeds"] = True
    write(params)
    evaluate.main()
    assert json.loads(Path("metrics/evaluate.json").read_text())["attribute_cnn"]["seeds"] == 1


def test_a_stage_whose_input_is_missing_says_what_to_do(project):
    for stage in (lambda: features.main("log_mel"), lambda: score.main("frozen"), evaluate.main):
        with pytest.raises(UserError, match="is missing: run dvc repro"):
            stage()


@pytest.mark.slow
def test_supplements_train_no_memory(project):
    """A clean or noise-only clip is heard by the adaptation alone; it is in no score table."""
    list_recordings()
    table = pd.read_csv("data/manifest.csv", dtype=str)
    table.loc[table.index[table["split"] == "train"][:3], ["split", "kind"]] = ["supplemental", "noise"]
    table.to_csv("data/manifest.csv", index=False)
    prepare(["frozen"])
    clips = pd.read_csv("data/clips.csv")
    supplements = set(clips.loc[clips["split"] == "supplemental", "clip_id"])
    assert len(supplements) == 3
    scored = pd.read_csv("data/scores/frozen/scores.csv", keep_default_na=False)
    assert not supplements & (set(scored["clip_id"]) | set(scored["nearest"]))


@pytest.mark.slow
def test_recordings_that_calibrate_are_seen_by_nothing_that_learns(project):
    list_recordings()
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["index"]["calibration_fraction"] = 0.25
    params["decision"] = {"threshold": "conformal", "quantile": 0.6}
    write(params)
    everything()
    clips, trained = (pd.read_csv(f"data/{name}.csv", dtype=str) for name in ("clips", "train_clips"))
    train = set(clips.loc[clips["split"] == "train", "clip_id"])
    calibrating = train - set(trained["clip_id"])
    assert len(calibrating) == len(MACHINES) * 2  # of eight
    assert not calibrating & set(pd.read_csv("data/labels/pseudo/auto.csv")["clip_id"])
    assert not calibrating & set(pd.read_csv("data/embed/adapted/tiny/clips.csv")["clip_id"])
    for system in systems_of(params):
        table = pd.read_csv(f"data/scores/{system}/scores.csv", keep_default_na=False)
        assert set(table.loc[table["split"] == "train", "clip_id"]) == calibrating
        assert not calibrating & set(table["nearest"])
        metrics = json.loads(Path(f"metrics/score/{system}.json").read_text())
        assert metrics["fan"]["section_00"]["calibration"] == {"source": {"clips": 2, "guaranteed": True}}
