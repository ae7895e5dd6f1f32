"""``python -m asd score``: the pipeline's numbers for the pipeline's clips, one line for each wrong input."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml
from conftest import ROOT
from test_end_to_end import again, finished  # noqa: F401

import asd
from asd.__main__ import main
from asd.core.errors import UserError
from stages import ensemble, score
from studies.shared import embed_clips

SYSTEMS = ("autoencoder", "frozen", "attribute_cnn", "group_lora", "ensemble")
OF_UNTRAINED = 2e-3  # networks of two steps: scores vary by 5e-6, rounding is 2e-8, and fusion divides
KEYS = ["file", "machine", "score", "threshold", "decision", "nearest"]
RATE = 16000


@pytest.fixture(scope="module")
def trained(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    """A copy of the finished project, in which one system is not trained."""
    home = tmp_path_factory.mktemp("trained")
    shutil.copytree(finished, home, dirs_exist_ok=True)
    shutil.rmtree(home / "data/models/domain_adapted")
    return home


@pytest.fixture
def home(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(trained)
    return trained


def scored(capsys: pytest.CaptureFixture[str], *words: str) -> pd.DataFrame:
    capsys.readouterr()
    assert main(["score", *words, "--json"]) == 0
    table = pd.DataFrame(json.loads(capsys.readouterr().out))
    assert list(table.columns) == KEYS
    return table


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_pipelines_clips_get_the_pipelines_numbers(system: str, home: Path, capsys: pytest.CaptureFixture[str]):
    files = pd.read_csv("data/files.csv").set_index("path")["clip_id"]
    table = scored(capsys, "--system", system, "recordings")
    assert len(table) == len(files) == 40
    made = Path("data/ensemble" if system == "ensemble" else f"data/scores/{system}")
    known = pd.read_csv(made / "scores.csv", keep_default_na=False).set_index("clip_id")
    known = known.loc[files[table["file"]]]
    within = OF_UNTRAINED if system == "ensemble" else 1e-6
    for column in ("score", "threshold"):
        np.testing.assert_allclose(table[column], known[column], rtol=0, atol=within)
    for column in ("machine", "decision", "nearest"):
        assert table[column].to_list() == known[column].to_list()


CHOICES = [  # of members, scorers and weights
    {"members": "auto", "scorers": "auto", "weights": "forward", "fusion": "rank"},
    {"members": ["frozen", "texture"], "scorers": "own", "weights": {"frozen": 1, "texture": 3}, "fusion": "mean"},
]


@pytest.mark.slow
@pytest.mark.parametrize("choice", CHOICES, ids=["chosen", "named"])
def test_an_ensemble_of_other_members_scorers_weights_and_seeds(choice: dict, again: Path):  # noqa: F811
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["ensemble"] = choice
    if choice["members"] != "auto":  # of two seeds, by a scorer that is random
        params["train"]["seeds"] = [0, 1]
        params["training_free"]["frozen"]["score"] = {"scorer": "kmeans", "n_clusters": 2}
    Path("params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    for system in choice["members"] if choice["members"] != "auto" else ():
        embed_clips(system)
        score.main(system)
    with pytest.raises(UserError, match="asks for another ensemble than was made: run dvc repro"):
        asd.load_detector("", "ensemble")
    ensemble.main()
    files = pd.read_csv("data/files.csv")
    known = pd.read_csv("data/ensemble/scores.csv").groupby("clip_id")[["score", "threshold"]].mean()
    table = asd.load_detector("", "ensemble").score(files["path"])
    within = OF_UNTRAINED if choice["members"] == "auto" else 1e-6
    np.testing.assert_allclose(table[["score", "threshold"]], known.loc[files["clip_id"]], rtol=0, atol=within)
    assert (table["decision"] == (known["score"] > known["threshold"]).loc[files["clip_id"]].to_numpy()).all()


def test_the_same_sound_in_another_file_has_the_same_score_by_the_ensemble(home: Path):
    detector = asd.load_detector(home, "ensemble")
    samples, rate = soundfile.read("recordings/pump/abnormal/00.wav")
    soundfile.write("other.flac", samples, rate, subtype="PCM_16")
    both = detector.score(["recordings/pump/abnormal/00.wav", "other.flac"], machine="pump")
    np.testing.assert_allclose(both["score"][0], both["score"][1], rtol=0, atol=1e-6)
    assert both["decision"].to_list() == [1, 1]
    heaviest = sorted(detector.members, key=lambda name: -detector.weights[name])
    named = [
        member for member in heaviest if asd.load_detector(home, member).score(["other.flac"], "pump")["nearest"][0]
    ]
    by_it = asd.load_detector(home, named[0]).score(["other.flac"], machine="pump")["nearest"].to_list()
    assert both["nearest"].to_list() == 2 * by_it, "the one that the heaviest member has that names any"


def test_without_a_system_the_recommended_one_scores(again: Path, capsys: pytest.CaptureFixture[str]):  # noqa: F811
    file = "recordings/pump/abnormal/00.wav"
    assert main(["score", file]) == 0
    assert capsys.readouterr().err == "asd: by ensemble, which is recommended (--system NAME chooses another)\n"
    shutil.rmtree("data/ensemble")
    assert main(["score", file]) == 0
    assert capsys.readouterr().err.startswith("asd: by texture, which")
    assert main(["score", file, "--system", "ensemble"]) == 2
    assert capsys.readouterr().err.strip().endswith("scores.csv is missing: run dvc repro ensemble")


def test_recordings_of_any_kind(home: Path, capsys: pytest.CaptureFixture[str]):
    rng = np.random.default_rng(0)
    kinds = {"a.wav": (RATE, 1, 0.3), "b.flac": (44100, 2, 1.0), "c.ogg": (22050, 1, 3.0), "d.aiff": (48000, 8, 0.7)}
    for name, (rate, channels, seconds) in kinds.items():
        soundfile.write(name, rng.uniform(-0.5, 0.5, (int(rate * seconds), channels)), rate)
    table = scored(capsys, "--system", "attribute_cnn", "--machine", "fan", *kinds)
    assert table["file"].to_list() == list(kinds)
    assert np.isfinite(table[["score", "threshold"]]).all().all()
    assert set(table["decision"]) <= {0, 1}
    backwards = scored(capsys, "--system", "attribute_cnn", "--machine", "fan", *reversed(kinds))
    np.testing.assert_allclose(backwards["score"][::-1], table["score"], rtol=0, atol=1e-6)


def test_a_table_is_printed_and_written(home: Path, capsys: pytest.CaptureFixture[str]):
    file = "recordings/pump/abnormal/00.wav"
    assert main(["score", "--system", "frozen", file, "--csv", "out/scores.csv"]) == 0
    assert file in capsys.readouterr().out
    table = pd.read_csv("out/scores.csv")
    assert list(table.columns) == KEYS
    assert table["machine"].to_list() == ["pump"]
    assert table["decision"].to_list() == [1]


def bad_files() -> None:
    soundfile.write("silent.wav", np.zeros(RATE), RATE)
    soundfile.write("nan.wav", np.full(RATE, np.nan), RATE, subtype="FLOAT")
    soundfile.write("slow.wav", np.random.default_rng(0).uniform(-0.5, 0.5, 1000), 1000)
    soundfile.write("whole.wav", np.random.default_rng(0).uniform(-0.5, 0.5, RATE), RATE)
    soundfile.write("constant.wav", np.ones(RATE) / 2, RATE)
    Path("cut.wav").write_bytes(Path("whole.wav").read_bytes()[:-999])
    Path("empty.wav").touch()
    Path("text.wav").write_text("no audio at all, but long enough to be taken for a header")
    Path("void").mkdir(exist_ok=True)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--machine", "fan", "no.wav"], "no.wav is missing"),
        (["--machine", "fan", "empty.wav"], "empty.wav is an empty file"),
        (["--machine", "fan", "text.wav"], "text.wav is no audio"),
        (["--machine", "fan", "cut.wav"], "cut.wav is truncated"),
        (["--machine", "fan", "silent.wav"], "silent.wav holds nothing but zeros"),
        (["--machine", "fan", "constant.wav"], "constant.wav holds one value alone"),
        (["--machine", "fan", "nan.wav"], "nan.wav holds samples that are no finite numbers"),
        (["--machine", "fan", "slow.wav"], "slow.wav has 1000 Hz, too low"),
        (["--machine", "fan", "void"], "void holds no recordings"),
        (["--machine", "lathe", "whole.wav"], "machine is 'lathe', which frozen does not know: fan, pump"),
        (["whole.wav"], "whole.wav: whose recording is it? give machine, one of fan, pump"),
        (["--machine", "fan", "--section", "07", "whole.wav"], "give section, one of 00"),
        (["--system", "thawed", "whole.wav"], "system is 'thawed': choose among texture, frozen"),
        (["--system", "domain_adapted", "whole.wav"], "holds no trained system: run dvc repro"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(words: list[str], says: str, home: Path, capsys: pytest.CaptureFixture[str]):
    bad_files()
    capsys.readouterr()
    assert main(["score", "--system", "frozen", *words]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("asd: ")
    assert says in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""


def test_what_is_right_is_scored_beside_what_is_wrong(home: Path, capsys: pytest.CaptureFixture[str]):
    bad_files()
    assert main(["score", "--system", "frozen", "--machine", "fan", "no.wav", "whole.wav", "text.wav", "--json"]) == 2
    said = capsys.readouterr()
    assert [row["file"] for row in json.loads(said.out)] == ["whole.wav"]
    assert said.err.count("asd: ") == said.err.count("\n") == 2


@pytest.mark.slow
def test_several_files_in_a_process_of_their_own(home: Path):
    """Whatever is imported when asked is there for all workers."""
    files = [f"recordings/pump/abnormal/{number:02}.wav" for number in range(4)]
    command = [sys.executable, "-m", "asd", "score", "--system", "frozen", *files, "--json"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    assert done.stderr == ""
    assert [row["file"] for row in json.loads(done.stdout)] == files


def test_an_empty_list_and_a_notebook_elsewhere(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    detector = asd.load_detector(home, "frozen")
    assert detector.score([]).empty
    table = detector.score([home / "recordings/pump/abnormal/00.wav", home / "nothing.wav"], machine="pump")
    assert table["decision"].to_list()[0] == 1
    assert "nothing.wav is missing" in table["error"][1]


def test_a_header_without_a_length_is_noted_and_makes_no_difference(home: Path, caplog: pytest.LogCaptureFixture):
    bad_files()
    content = bytearray(Path("whole.wav").read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = bytes(4)
    Path("stream.wav").write_bytes(content)
    table = asd.load_detector(home, "frozen").score(["stream.wav", "whole.wav"], machine="fan")
    assert table["score"][0] == table["score"][1]
    assert [record.getMessage().split(" holds ")[0] for record in caplog.records] == ["stream.wav"]
