"""``--plot`` of ``asd score`` and ``asd explain``: what the tables hold, with units on the axes, in a small PNG."""

from pathlib import Path

import matplotlib
import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import same_color
from matplotlib.figure import Figure
from test_end_to_end import finished  # noqa: F401

from asd.__main__ import main
from asd.report.charts import LABEL_COLOURS
from asd.report.pictures import contribution_bars, plot_contributions, plot_scores, scores_by_folder

LARGEST = 60 * 1024  # [bytes]


def scored(files: list[str], scores: list[float], machine: str = "fan", threshold: float = 1.0) -> pd.DataFrame:
    table = pd.DataFrame({"file": files, "machine": machine, "score": scores, "threshold": threshold})
    return table.assign(decision=(table["score"] > threshold).astype(int))


def explained(file: str = "abnormal/00.wav") -> pd.DataFrame:
    rows = [("band", 0, 200, 2.0), ("band", 200, 8000, -0.5), ("time", 0, 1.25, 0.3), ("time", 1.25, 2.5, 0.4)]
    return pd.DataFrame(rows, columns=["kind", "low", "high", "contribution"]).assign(file=file, score=2.25)


def shape(path: Path) -> tuple[int, ...]:
    assert path.stat().st_size < LARGEST
    return matplotlib.image.imread(path).shape


def test_scores_stand_in_the_row_of_their_folder_in_the_colour_of_what_they_were_called():
    axes = Figure().subplots()
    scores_by_folder(axes, scored(["x/normal/0.wav", "x/normal/1.wav", "x/bad/2.wav"], [0.2, 1.5, 3.0]))
    normal, anomalous, threshold = axes.lines
    assert [text.get_text() for text in axes.get_yticklabels()] == ["normal", "bad"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "called normal", "called anomalous", "threshold",
    ]  # fmt: skip
    assert normal.get_xdata().tolist() == [0.2]
    assert anomalous.get_xdata().tolist() == [1.5, 3.0]
    assert [round(y) for y in (*normal.get_ydata(), *anomalous.get_ydata())] == [0, 0, 1]
    assert normal.get_ydata()[0] != anomalous.get_ydata()[0]  # two clips of one folder are drawn apart
    assert same_color(anomalous.get_color(), LABEL_COLOURS["anomalous"])
    assert threshold.get_xdata()[0] == 1.0
    assert (axes.get_xlabel(), axes.get_title()) == ("anomaly score", "fan")


def test_bars_have_the_contributions_and_the_edges_in_their_unit():
    axes = Figure().subplots()
    contribution_bars(axes, explained().query("kind == 'band'"), "frequency [Hz]")
    assert [bar.get_height() for bar in axes.patches] == [2.0, -0.5]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["0", "200", "8000"]
    assert same_color(axes.patches[1].get_facecolor(), LABEL_COLOURS["normal"])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("frequency [Hz]", "contribution to the score")


def test_several_machines_and_recordings_are_one_picture_each_and_names_may_be_in_any_script(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
):
    one, three = tmp_path / "one.png", tmp_path / "new/three.png"
    plot_scores(one, scored(["a/0.wav"], [0.2]))
    other = scored(["風機/$x$/0.wav"], [7.0], "風機 <$x$>", 5.0)
    plot_scores(three, pd.concat([scored(["a/0.wav"], [0.2]), other, other.assign(threshold=6.0)]))
    assert shape(three)[0] == 3 * shape(one)[0]
    plot_contributions(one, [explained()])
    plot_contributions(three, [explained("風機/$x$.wav")] * 3)
    assert shape(three)[0] == 3 * shape(one)[0]
    assert [str(warning.message) for warning in recwarn] == []


@pytest.mark.parametrize("command", ["score", "explain"])
def test_the_commands_draw_what_they_print(
    command: str,
    finished: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(finished)
    words = [command, "--system", "texture", "recordings/pump/abnormal/00.wav"]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert main([*words, "--plot", str(tmp_path / "drawn.png")]) == 0
    assert capsys.readouterr().out == printed
    assert np.unique(matplotlib.image.imread(tmp_path / "drawn.png").reshape(-1, 4), axis=0).shape[0] > 10
    assert main([*words, "--plot", str(finished / "params.yaml/drawn.png")]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("asd: --plot ")
    assert said.err.count("\n") == 1
    assert said.out == printed, "what was computed is not lost"
    assert main([*words[:-1], "nothing.wav", "--machine", "pump", "--plot", str(tmp_path / "nothing.png")]) == 2
    assert not (tmp_path / "nothing.png").exists()
