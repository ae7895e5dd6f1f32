"""``python -m asd ensemble``: score folders of other code bases, fused without a label."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata
from test_score_folders import SUBMITTED, write_folder

from asd.__main__ import main
from asd.cli.ensemble import fuse_folders
from asd.cli.evaluate import official_figures
from asd.datasets.published_labels import read_labels
from asd.evaluation.official_files import read_official

YEARS = (2020, 2021, 2023)


def write_folders(year=2023):
    """Folders a and b with the same clips, b in another order and with other scores."""
    shutil.move(write_folder(year), "a")
    shutil.move(write_folder(year, reverse=True, decisions=False), "b")
    for number, path in enumerate(sorted(Path("b").iterdir())):
        lines = [line.split(",") for line in path.read_text().splitlines()]
        draw = np.random.default_rng(number).normal(size=len(lines))
        path.write_text("".join(f"{name},{100 * value}\n" for (name, _), value in zip(lines, draw, strict=True)))


def numbers(folder):
    files = sorted(Path(folder).glob("anomaly_score_*"))
    return {file.name: pd.read_csv(file, header=None, index_col=0)[1] for file in files}


def fused(*words, status=0):
    assert main(["ensemble", "a", "b", "--out", "both", *words]) == status


@pytest.mark.parametrize("year", YEARS)
def test_standardised_over_the_test_clips_of_a_section(year, workdir, capsys):
    write_folders(year)
    fused()
    assert "mean over each section's test clips" in capsys.readouterr().out
    parts = {name: numbers(name) for name in ("a", "b", "both")}
    assert set(parts["both"]) == set(parts["a"])
    for machine in ("fan", "ToyCar"):
        a, b, both = (pd.concat([t for name, t in parts[n].items() if machine in name]) for n in ("a", "b", "both"))
        z = [(own - own.mean()) / own.std(ddof=0) for own in (a, b.reindex(a.index))]
        np.testing.assert_allclose(both.reindex(a.index), (z[0] + z[1]) / 2)
    assert {p.name for p in Path("both").iterdir()} == set(parts["both"])


def test_ranks_and_weights(workdir):
    write_folders()
    fused("--fusion", "rank", "--weights", "3", "1")
    for name, both in numbers("both").items():
        a, b = numbers("a")[name], numbers("b")[name].reindex(numbers("a")[name].index)
        shares = [(rankdata(own) - 0.5) / len(own) for own in (a, b)]
        np.testing.assert_allclose(both.reindex(a.index), 0.75 * shares[0] + 0.25 * shares[1])


def test_the_fused_folder_is_one_that_evaluate_reads(workdir, capsys):
    write_folders()
    fused()
    assert main(["evaluate", "--year", "2023", "--labels", "labels.csv", "--scores", "both", "--resamples", "20"]) == 0
    assert "official" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "words", "says"),
    [
        (lambda: Path("both").mkdir(), (), "both is there already"),
        (lambda: None, ("--weights", "1"), "--weights are [1.0]: one above 0 for each of 2 folders"),
        (lambda: None, ("--weights", "1", "0"), "--weights are [1.0, 0.0]"),
        (lambda: next(Path("b").iterdir()).unlink(), (), "b lacks the anomaly_score file of"),
        (lambda: shutil.rmtree("a"), (), "a holds no anomaly_score_"),
    ],
)
def test_what_is_wrong_is_one_line(change, words, says, workdir, capsys):
    write_folders()
    change()
    fused(*words, status=2)
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1


def test_a_score_that_is_no_number_is_refused(workdir, capsys):
    write_folders()
    path = sorted(Path("b").iterdir())[0]
    first, *others = path.read_text().splitlines()
    path.write_text("\n".join([f"{first.split(',')[0]},nan", *others]))
    fused(status=2)
    assert "has nan: a finite number is wanted" in capsys.readouterr().err
    assert not Path("both").exists()


def test_one_folder_is_no_ensemble(workdir, capsys):
    write_folders()
    assert main(["ensemble", "a", "a", "--out", "both"]) == 2
    assert "name two or more folders" in capsys.readouterr().err


@pytest.mark.parametrize("fusion", ["mean", "log", "rank"])
def test_real_submissions_of_2020_fused_have_a_higher_auc_than_the_best(fusion, shared):
    folders = [shared / "dcase/scores_2020" / f"system_{number}" for number in SUBMITTED]
    scores, _ = fuse_folders(folders, fusion, None)
    table = read_official(folders[0], read_labels(shared / "dcase/eval_data_list_2020.csv"))[0]
    found = official_figures(table.assign(score=scores.loc[table["clip_id"]].to_numpy()), 2020, resamples=20)
    assert found["auc"] > max(auc for auc, _ in SUBMITTED.values())
    assert found["pauc"] > sorted(pauc for _, pauc in SUBMITTED.values())[-2]
