"""The parts of docs/extending.md, one file each, as they stand there: nothing else is changed."""

import subprocess
import sys

import pytest
import yaml
from conftest import ROOT
from extending import CODE
from extending import write as write_parts
from test_end_to_end import project, write  # noqa: F401

TRAINED = """
import sys
import extending
from pathlib import Path
import numpy as np
from classifier_runs import CNN, clips, embedded, task, train_params
made = task(clips(), train_params(objective="wide_arcface", width=0.3, steps=2), CNN, Path(sys.argv[1]))
tensors, metrics = made.params.train(made)
assert np.isfinite(embedded(made, tensors, clips())).all() and metrics["steps"] == 2
try:
    train_params(objective="adacos", width=0.3)
except ValueError as error:
    assert "width is an option of wide_arcface, not of adacos" in str(error)
try:
    train_params(objective="wide_arcface", width=2.0)
except ValueError as error:
    print(error)
"""
LABELLED = """
import sys
import extending
import numpy as np, yaml
from asd.params import check
from asd.pseudo_labels.label import label
from test_pseudo_labels import clips, table
content = yaml.safe_load(open(sys.argv[1]))
content["pseudo_label"]["halves"] = {"n_halves": 3}
content["systems"]["attribute_cnn"]["labels"] = "pseudo/halves"
params = check(content).pseudo_label
found = label(table(30), clips(np.arange(30) % 2), params)
assert found.tables["halves"]["label"].nunique() == 3
assert found.metrics["bearing"]["section_00"]["halves"]["groups"] == 3
content["pseudo_label"]["halves"]["n_halves"] = 0
check(content)
"""

PIPELINE = """
import extending
import pandas as pd
from stages import check, download, embed, embeddings, features, index, pseudo_label, score, train
check.main(), download.main(), index.main()
for front_end in ("loudness", "log_mel", "frequencies"):
    features.main(front_end)
embed.main(), pseudo_label.main()
for stage in (train, embeddings, score):
    stage.main("mine")
scores = pd.read_csv("data/scores/mine/scores.csv")
print(scores.loc[scores["split"] == "test", "score"].gt(0).sum())
"""


@pytest.fixture(scope="module")
def added(tmp_path_factory):
    folder = tmp_path_factory.mktemp("added")
    write_parts(folder)
    return folder


def run(added, *words):
    path = f"{ROOT}:{ROOT / 'tests'}"
    environment = {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "PATH": "", "ASD_ADDED": str(added)}
    command = [sys.executable, *map(str, words)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.slow
def test_a_loss_is_one_file(added, tmp_path):
    done = run(added, "-c", TRAINED, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "less than 1" in done.stdout


@pytest.mark.slow
def test_a_labeller_is_one_file_and_its_block(added):
    done = run(added, "-c", LABELLED, ROOT / "params.yaml")
    assert "UserError: params.yaml: pseudo_label.halves.n_halves is 0" in done.stderr.splitlines()[-1]


@pytest.mark.slow
def test_the_contracts_of_scorers_and_losses_hold(added):
    tests = (ROOT / f"tests/test_{name}.py" for name in ("scorers", "losses"))
    done = run(added, "-m", "pytest", "-n0", "-p", "extending", *tests, "-k", "distance_to_mean or wide_arcface")
    assert done.returncode == 0, done.stdout
    assert int(done.stdout.split(" passed")[0].split()[-1]) >= 30


@pytest.mark.slow
def test_one_of_each_through_the_pipeline(project, added):  # noqa: F811
    exec(CODE["manifest.py"], {})
    params = yaml.safe_load((project / "params.yaml").read_text())
    for section, blocks in yaml.safe_load(CODE["params.yaml"]).items():
        params[section] |= blocks
    params["embed"] = {"encoder": "initial/means", "features": "loudness"}
    params["selection"] |= {"labels": "pseudo/halves", "scorers": "own"}
    params["systems"] = {"mine": params["systems"]["mine"]}
    params["adapt"] = params["training_free"] = {}
    params["ensemble"]["members"] = ["mine"]
    write(params)
    done = run(added, "-c", PIPELINE)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "24"
