"""``asd export``: torch's forms of front ends and scorers equal the system's, and the graph is used without us."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import ROOT
from test_end_to_end import finished  # noqa: F401

import asd
from asd.__main__ import main
from asd.core.errors import UserError
from asd.core.section import checked
from asd.export import model
from asd.export.front_ends import FrontEndModule
from asd.export.scorers import scorer_module
from asd.features.extraction import features_of
from asd.features.fitting import FittedFrontEnd
from asd.features.front_end import FrontEnd
from asd.scoring.registry import ScoreParams, create_scorer

FRAMED = {"sample_rate": 16000, "n_fft": 512, "hop_length": 160, "n_mels": 40, "f_min": 0, "f_max": 8000}
SCORERS = [
    {"scorer": "knn"},
    {"scorer": "knn", "metric": "euclidean", "n_neighbors": 3},
    {"scorer": "knn", "n_neighbors": 3, "per_domain": False, "per_band": True},
    *({"scorer": "local_density", "form": form} for form in ("ratio", "difference", "log")),
    {"scorer": "domain_density"},
    {"scorer": "var_min", "per_band": True},
    *({"scorer": "kmeans", "n_clusters": 4, "metric": metric} for metric in ("cosine", "euclidean")),
    *({"scorer": f"{kind}mahalanobis"} for kind in ("", "robust_", "shrunk_")),
    {"scorer": "shrunk_mahalanobis", "per_band": True},
    {"scorer": "knn", "metric": "euclidean", "whiten": True},
]
FRONT_ENDS = [
    {"kind": "log_mel", **FRAMED},
    {"kind": "log_mel", **FRAMED, "high_pass": 200, "level": "normalise", "loop_seconds": 1},
    {"kind": "log_mel", **FRAMED, "padding": "reflect", "pre_emphasis": 0.97, "window_length": 400},
    {"kind": "log_mel", **FRAMED, "trim_or_pad_seconds": 1, "window": "symmetric"},
    {"kind": "dasheng_mel"},
    {"kind": "efficientat_mel"},
    {"kind": "texture", **FRAMED | {"n_fft": 256, "hop_length": 64, "n_mels": 32}},
    {"kind": "texture", **FRAMED, "banks": "mean"},
    {"kind": "waveform", "level": "normalise"},
]


@pytest.mark.parametrize("options", SCORERS, ids=lambda options: "-".join(map(str, options.values())))
def test_a_scorer_as_a_module_gives_its_scores(options: dict):
    normal, new = np.split(np.random.default_rng(0).normal(0.2, 1, (50, 3, 6)).astype(np.float32), [30])
    scorer = create_scorer(checked(ScoreParams, options).root).fit(normal, ["source"] * 24 + ["target"] * 6)
    made = scorer_module(scorer)
    scores = [made(torch.from_numpy(clip[None])).item() for clip in new]
    np.testing.assert_allclose(scores, scorer.anomaly_score(new), rtol=1e-6 if options.get("whiten") else 1e-10)


def test_a_scorer_without_such_a_form_is_named():
    scorer = create_scorer("gmm").fit(np.random.default_rng(0).normal(size=(20, 4)))
    with pytest.raises(UserError, match="GMM can't be written as ONNX: choose a scorer among DomainDensity"):
        scorer_module(scorer)


@pytest.mark.parametrize("block", FRONT_ENDS, ids=lambda block: block["kind"])
@pytest.mark.parametrize("seconds", [0.7, 1.3])
def test_a_front_end_as_a_module_gives_its_rows(block: dict, seconds: float):
    params = checked(FrontEnd, block).root
    rate = params.sample_rate
    y = np.random.default_rng(0).normal(0, 0.05, round(seconds * rate)).astype(np.float32)
    y += 0.2 * np.sin(2 * np.pi * 60 * np.arange(len(y)) / rate, dtype=np.float32)
    rows = features_of(y[:, None], rate, FittedFrontEnd(params), "")
    with torch.inference_mode():
        made = FrontEndModule(params)(torch.from_numpy(y[None]))[0].numpy()
    np.testing.assert_allclose(made, rows, atol=0.01 if "mel" in params.kind else 1e-3)
    assert np.abs(made - rows).mean() < 1e-4


@pytest.mark.parametrize(
    ("block", "says"),
    [
        ({"kind": "statistics", "sample_rate": 16000}, "front end is statistics"),
        ({"kind": "log_mel", **FRAMED, "high_pass": 100, "phase": "zero"}, "zero phase"),
        ({"kind": "log_mel", **FRAMED, "high_pass": 1}, "rings for too long"),
        ({"kind": "log_mel", **FRAMED, "channel": "cancel"}, "channel cancel"),
    ],
)
def test_what_a_graph_can_not_begin_with(block: dict, says: str):
    with pytest.raises(ValueError, match=says):
        FrontEndModule(checked(FrontEnd, block).root)


@pytest.fixture
def home(finished: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: F811
    monkeypatch.chdir(finished)
    return finished


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--system", "texture", "--out", "a.onnx"], "--machine is '': give one of fan, pump"),
        (["--system", "texture", "--out", "a.onnx", "--machine", "fan", "--section", "7"], "give one of 00"),
        (["--system", "texture", "--out", "a.pt", "--machine", "fan"], "give a name that ends with .onnx"),
        (
            ["--system", "texture", "--out", "a.onnx", "--machine", "fan"],
            "onnx is not installed: pip install asd[onnx]",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    words: list[str], says: str, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setitem(sys.modules, "onnx", None)
    capsys.readouterr()
    assert main(["export", *words]) == 2
    said = capsys.readouterr().err
    assert said.startswith("asd: ")
    assert says in said
    assert said.count("\n") == 1
    assert not list(Path().glob("a.*"))


def test_the_graph_is_used_by_the_ten_lines_of_the_docs(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    pytest.importorskip("onnxruntime", reason="pip install asd[onnx]")
    pytest.importorskip("onnxscript", reason="pip install asd[onnx]")
    out = tmp_path / "model.onnx"
    assert main(["export", "--system", "frozen", "--machine", "pump", "--out", str(out)]) == 0
    assert "waveform to score of pump section 00" in capsys.readouterr().out
    about = json.loads(out.with_suffix(".json").read_text())
    assert about["check"]["clips"] == 20
    assert about["check"]["largest_difference"] <= 1e-4 * about["check"]["spread_of_scores"]
    assert about["input"]["length"] == "any"
    assert about["thresholds"].keys() == {"fan", "pump"}
    assert about["provenance"]["system"] == "frozen"

    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/export.md").read_text(encoding="utf-8"), re.DOTALL)
    assert code.count("\n") <= 10
    assert "asd" not in re.findall(r"import (\w+)", code)
    (tmp_path / "consumer.py").write_text(code)
    files = [str(home / f"recordings/pump/abnormal/{number:02}.wav") for number in range(3)]
    command = [sys.executable, "-I", "consumer.py", *files]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    known = asd.load_detector(home, "frozen").score(files)
    for line, (_, row) in zip(done.stdout.splitlines(), known.iterrows(), strict=True):
        file, score, decision = line.rsplit(" ", 2)
        assert (file, int(decision)) == (row["file"], row["decision"])
        assert float(score) == pytest.approx(row["score"], abs=1e-4 * about["check"]["spread_of_scores"])


def test_where_scores_differ_nothing_is_written(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("onnxruntime", reason="pip install asd[onnx]")
    pytest.importorskip("onnxscript", reason="pip install asd[onnx]")
    monkeypatch.setattr(model, "CLOSE", -1.0)
    with pytest.raises(UserError, match="statistics as ONNX has other scores"):
        model.export(asd.load_detector(home, "statistics"), "fan", "00", tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())
