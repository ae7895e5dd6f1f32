"""``python -m asd submission`` and ``table``, and the published scores they stand beside."""

import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
import yaml
from scored import write_project

from asd.__main__ import main
from asd.classifiers.augmentations import AUGMENTATIONS
from asd.cli import submission
from asd.cli.table import years_of
from asd.core.artifacts import read_json, write_json
from asd.core.errors import UserError
from asd.core.section import read_params
from asd.evaluation.official import YEARS
from asd.evaluation.official_files import section_stem
from asd.evaluation.published_scores import compare_with_published, published_scores
from stages import evaluate


def submit(*words, status=0):
    assert main(["submission", "--out", "package", *words]) == status


def test_package_holds_what_was_scored_and_decided(workdir, capsys):
    write_project()
    evaluate.main()
    submit("--system", "frozen", "--label", "Doe_ACME_task2_2")
    assert "48 clips of frozen" in capsys.readouterr().out
    package = Path("package/task2/Doe_ACME_task2_2")
    official = Path("data/evaluation/official/frozen")
    assert {f.name for f in package.iterdir()} == {f.name for f in official.iterdir()} | {"Doe_ACME_task2_2.meta.yaml"}
    for file in official.iterdir():
        assert (package / file.name).read_bytes() == file.read_bytes()
    meta = yaml.safe_load((package / "Doe_ACME_task2_2.meta.yaml").read_text())
    assert meta["submission"]["label"] == "Doe_ACME_task2_2"
    fan = read_json("metrics/evaluate.json")["frozen"]["machines"]["fan"]["section_00"]
    assert meta["results"]["development_dataset"]["fan"]["pauc"] == fan["pauc"]


def test_own_fields_are_laid_over(workdir):
    write_project()
    evaluate.main()
    Path("own.yaml").write_text("submission:\n  name: Ours\nsystem:\n  source_code: here\n")
    submit("--system", "ensemble", "--meta", "own.yaml")
    meta = yaml.safe_load(next(Path("package").rglob("*.meta.yaml")).read_text())
    assert (meta["submission"]["name"], meta["submission"]["abbreviation"]) == ("Ours", "ensemble")
    assert meta["system"]["source_code"] == "here"
    assert meta["system"]["description"]["ensemble_method_subsystem_count"] == 2


def declared(system):
    submit("--system", system)
    meta = yaml.safe_load(next(Path("package").rglob("*.meta.yaml")).read_text())
    return meta["system"]["description"]["data_augmentation"]


def test_every_augmentation_that_is_on_is_declared(workdir):
    params = read_params()
    params["systems"]["attribute_cnn"]["train"] |= {"featex": 0.0, "spec_augment": 0.1, "noise_mix": 0.5}
    Path("params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    write_project()
    evaluate.main()
    assert declared("attribute_cnn") == "mixup, StatEx, SpecAugment, noise mixing"
    assert set(submission.AUGMENTATIONS) == {*AUGMENTATIONS, "noise_mix"}


def test_an_ensemble_declares_the_augmentations_of_its_members(workdir):
    write_project()
    evaluate.main()
    write_json("metrics/ensemble.json", read_json("metrics/ensemble.json") | {"weights": {"frozen": 1.0}})
    assert declared("ensemble") is None
    write_json("metrics/ensemble.json", read_json("metrics/ensemble.json") | {"weights": {"attribute_cnn": 1.0}})
    shutil.rmtree("package")
    assert declared("ensemble") == "mixup, StatEx, FeatEx"


def lost_line(text):
    return text.split("\n", 1)[1]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--system", "nobody"], "--system is one of those evaluated: attribute_cnn"),
        (["--system", "frozen", "--label", "me"], "--label is 'me'"),
        (["--system", "frozen", "--meta", "nowhere.yaml"], "--meta nowhere.yaml can't be read"),
    ],
)
def test_mistakes_are_said_in_one_line(workdir, capsys, words, says):
    write_project()
    evaluate.main()
    submit(*words, status=2)
    said = capsys.readouterr().err
    assert says in said
    assert len(said.splitlines()) == 1
    assert not Path("package/task2").exists()


@pytest.mark.parametrize(
    ("content", "says"), [("anomaly_score", "lacks 1 of 24"), ("decision_result", "lacks 1 of 24")]
)
def test_an_incomplete_package_is_not_left_behind(workdir, capsys, content, says):
    write_project()
    evaluate.main()
    file = Path(f"data/evaluation/official/frozen/{content}_fan_section_00_test.csv")
    file.write_text(lost_line(file.read_text()))
    submit("--system", "frozen", status=2)
    assert says in capsys.readouterr().err
    assert not list(Path("package").iterdir())


@pytest.mark.parametrize(
    ("year", "name"),
    [
        (2020, "fan_id_01"),
        (2021, "fan_section_01_target_test"),
        (2022, "fan_section_01_test"),
        (2026, "fan_section_01_test"),
    ],
)
def test_official_names_of_every_year(year, name):
    assert section_stem("fan", "01", "target", year) == name


def challenge_metrics(year, official, split="dev"):
    figures = {"official": official, "official_low": official - 1, "official_high": official + 1, "seeds": 1}
    return {"data": {"name": f"dcase{year}", "split": split, "clips": 9, "digest": "0"}, "frozen": figures}


def test_table_takes_each_year_from_where_it_is_stored(workdir, capsys, monkeypatch):
    for variable in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{variable}_NAME", "test")
        monkeypatch.setenv(f"GIT_{variable}_EMAIL", "test@localhost")
    subprocess.run(["git", "init", "--quiet"], check=True)
    for year, official in ((2021, 60.0), (2025, 61.5)):
        write_json("metrics/evaluate.json", challenge_metrics(year, official))
        subprocess.run(["git", "add", "metrics"], check=True)
        subprocess.run(["git", "commit", "--quiet", "--message", str(year)], check=True)
        subprocess.run(["git", "update-ref", f"refs/exps/ab/cd/exp-{year}", "HEAD"], check=True)
    write_json("metrics/evaluate.json", challenge_metrics(2020, 70.25, "eval"))
    assert main(["table", "--years", "2020-2025", "--markdown"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "| system | 2020 eval | 2021 dev | 2025 dev |"
    assert lines[2] == "| frozen | 70.25 [69.2, 71.2] | 60.00 [59.0, 61.0] | 61.50 [60.5, 62.5] |"
    assert "| published: mse |  |  | 56.26 |" in lines
    assert main(["table", "--years", "2022"]) == 2
    assert "no stored metrics of dcase2022" in capsys.readouterr().err


def test_years():
    assert years_of("2020-2022") == [2020, 2021, 2022]
    assert years_of("2020,2025") == [2020, 2025]
    for wrong in ("2019", "twenty", "2025-2020", "2020-"):
        with pytest.raises(UserError, match="--years is"):
            years_of(wrong)


@pytest.mark.parametrize(
    ("dataset", "score", "says"),
    [
        ({"name": "dcase2025", "split": "dev"}, 56.1, "2025 dev 56.10, published 56.26: within +-1.2"),
        ({"name": "dcase2025", "split": "eval"}, 56.1, "2025 eval 56.10, published 54.43: not within +-1.2"),
        ({"name": "dcase2023", "split": "eval"}, 61.0, "2023 eval 61.00, published 61.05: within +-1.2"),
        ({"name": "dcase2020", "split": "dev"}, 61.0, ""),
        ({"name": "dcase2025", "split": "dev", "machines": "fan+valve"}, 56.1, ""),
        ({"name": "simulated"}, 56.1, ""),
    ],
)
def test_the_autoencoder_is_compared_with_its_published_score(dataset, score, says):
    assert compare_with_published(dataset, "mse", {"official": score}) == says


def test_further_published_scores_have_a_source():
    scores = {
        (year, split, name): system
        for year in YEARS
        for split in ("dev", "eval")
        for name, system in published_scores(year, split).get("systems", {}).items()
    }
    assert all(set(system) == {"score", "source"} and len(system["source"]) > 10 for system in scores.values())
    found = {(year, split, system["score"]) for (year, split, _), system in scores.items()}
    assert found >= {(2025, "eval", score) for score in (62.60, 62.4, 55.83)} | {(2025, "dev", 64.0)}
    assert found >= {(2026, "eval", score) for score in (65.46, 60.10, 58.97)}
    assert (published_scores(2025, "eval")["winner"], published_scores(2026, "eval")["winner"]) == (61.63, 70.24)


def test_published_totals_are_the_harmonic_means_of_the_published_machines():
    for split in ("dev", "eval"):
        known = published_scores(2025, split)
        for mode, machines in known["machines"].items():
            values = pd.DataFrame(machines).to_numpy().ravel()
            assert len(values) / (1 / values).sum() == pytest.approx(known[mode], abs=0.02)
