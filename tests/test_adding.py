"""A front end, an encoder, a loss, a labeller and a scorer of one's own are one file each: nothing else is changed."""

import subprocess
import sys

import yaml
from conftest import ROOT
from test_end_to_end import list_recordings, project, write  # noqa: F401
from test_scorers import NEW as SCORER

LOSS = """
from typing import Annotated
from pydantic import Field
from asd.classifiers.losses import LOSSES
from asd.classifiers.losses.arcface import ArcFace

@LOSSES.register("wide_arcface")
class WideArcFace(ArcFace):
    def __init__(self, dims: int, classes: int, width: Annotated[float, Field(gt=0, lt=1)] = 0.5) -> None:
        super().__init__(dims, classes, margin=width)
"""
TRAINED = """
import sys
from pathlib import Path
import numpy as np
import asd.classifiers.losses
asd.classifiers.losses.__path__.append(sys.argv[1])
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
LABELLER = """
import numpy as np
from pydantic import Field
from asd.pseudo_labels.grouping import Clips, Grouping
from asd.pseudo_labels.params import LABELLERS, Labeller

@LABELLERS.register("halves")
class Halves(Labeller):
    n_halves: int = Field(2, ge=1)

    def group(self, clips: Clips, low: int, high: int) -> Grouping:
        count = len(clips.domain)
        return Grouping(np.arange(count) % self.n_halves, lambda rows: rows % self.n_halves, np.ones(count))
"""
LABELLED = """
import sys
import numpy as np, yaml
import asd.pseudo_labels.labellers
asd.pseudo_labels.labellers.__path__.append(sys.argv[1])
from asd.params import check
from asd.pseudo_labels.label import label
from test_pseudo_labels import clips, table
content = yaml.safe_load(open(sys.argv[2]))
content["pseudo_label"]["halves"] = {"n_halves": 3}
content["systems"]["attribute_cnn"]["labels"] = "pseudo/halves"
params = check(content).pseudo_label
found = label(table(30), clips(np.arange(30) % 2), params)
assert found.tables["halves"]["label"].nunique() == 3
assert found.metrics["bearing"]["section_00"]["halves"]["groups"] == 3
content["pseudo_label"]["halves"]["n_halves"] = 0
check(content)
"""


FRONT_END = """
import numpy as np
from pydantic import Field
from asd.features.front_end import FRONT_ENDS, FrontEndParams

def loudness(y, sr=16000, n_blocks=4, hop=800):
    frames = y[: len(y) // hop * hop].reshape(-1, n_blocks, hop // n_blocks)
    return np.log(np.square(frames).mean(axis=2) + 1e-12).astype(np.float32)

@FRONT_ENDS.register("loudness")
class LoudnessParams(FrontEndParams):
    function = loudness
    n_blocks: int = Field(4, ge=1)
    hop: int = Field(800, ge=1)

    @property
    def n_features(self):
        return self.n_blocks

    @property
    def frames_per_second(self):
        return self.sample_rate / self.hop
"""
ENCODER = """
from torch import nn
from asd.encoders.encoder_params import ENCODERS, EncoderBlock

class Means(nn.Module):
    def __init__(self, n_features, dims=6):
        super().__init__()
        self.linear = nn.Linear(n_features, dims)

    def forward(self, x):
        return self.linear(x).mean(dim=1, keepdim=True)

@ENCODERS.register("means")
class MeansParams(EncoderBlock):
    network = Means
    dims: int = 6
"""
PIPELINE = """
import sys
from importlib import import_module
import pandas as pd
for package in ("features.front_ends", "encoders.architectures", "classifiers.losses", "pseudo_labels.labellers",
                "scoring.scorers"):
    import_module(f"asd.{package}").__path__.append(f"{sys.argv[1]}/{package}")
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


def run(program, *arguments):
    environment = {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "OMP_NUM_THREADS": "1", "PATH": ""}
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)


def test_a_loss_is_one_file(tmp_path):
    (tmp_path / "wide_arcface.py").write_text(LOSS)
    done = run(TRAINED, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "less than 1" in done.stdout


def test_a_labeller_is_one_file_and_its_block(tmp_path):
    (tmp_path / "halves.py").write_text(LABELLER)
    done = run(LABELLED, tmp_path, ROOT / "params.yaml")
    assert "UserError: params.yaml: pseudo_label.halves.n_halves is 0" in done.stderr.splitlines()[-1]


def test_one_of_each_through_the_pipeline(project, tmp_path_factory):  # noqa: F811
    files = {
        "features.front_ends/loudness.py": FRONT_END,
        "encoders.architectures/means.py": ENCODER,
        "classifiers.losses/wide_arcface.py": LOSS,
        "pseudo_labels.labellers/halves.py": LABELLER,
        "scoring.scorers/distance_to_mean.py": SCORER,
    }
    added = tmp_path_factory.mktemp("added")
    for name, text in files.items():
        (added / name).parent.mkdir(exist_ok=True)
        (added / name).write_text(text)
    list_recordings()
    params = yaml.safe_load((project / "params.yaml").read_text())
    params["features"]["loudness"] = {"kind": "loudness", "sample_rate": 16000, "hop": 400}
    params["encoders"]["means"] = {"architecture": "means", "features": "loudness", "dims": 5}
    params["embed"] = {"encoder": "initial/means", "features": "loudness"}
    params["pseudo_label"]["halves"] = {"n_halves": 2}
    params["selection"] |= {"labels": "pseudo/halves", "scorers": "own"}
    train = {"objective": "wide_arcface", "width": 0.3, "steps": 2, "batch": 8, "learning_rate": 0.001}
    mine = {"encoder": "initial/means", "features": "loudness", "labels": "pseudo/halves", "train": train}
    params["systems"] = {"mine": mine | {"score": {"scorer": "distance_to_mean", "power": 2}}}
    params["adapt"] = params["training_free"] = {}
    params["ensemble"]["members"] = ["mine"]
    write(params)
    done = run(PIPELINE, added)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "24"
