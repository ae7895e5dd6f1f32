"""The studies of the simulated factory, on a small scale."""

from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from factories import clips

from asd.evaluation.sections import LabelledSection
from asd.simulation.simulation import MACHINES
from studies import factory, factory_clips
from studies.factory import figures, measures, project, scored
from studies.shared import Commands, table, verdict

DEV_2025 = {  # Nishida et al., arXiv 2506.10097: AUC source, AUC target, pAUC of the baseline (MSE)
    "ToyCar": (71.05, 53.52, 49.70),
    "ToyTrain": (61.76, 56.46, 50.19),
    "bearing": (66.53, 53.15, 61.12),
    "fan": (70.96, 38.75, 49.46),
    "gearbox": (64.80, 50.49, 52.49),
    "slider": (70.10, 48.77, 52.32),
    "valve": (63.53, 67.18, 57.35),
}


def section(generator: np.random.Generator, gain: float, each: int = 50) -> LabelledSection:
    anomalous = np.tile(np.repeat([False, True], each), 2)
    domain = np.repeat(np.array(["source", "target"], dtype=object), 2 * each)
    scores = generator.normal(size=(1, 4 * each)) + gain * anomalous + 0.8 * (domain == "target")
    ids = np.arange(4 * each).astype(str).astype(object)
    return LabelledSection("fan", "00", anomalous, domain, ids, {"autoencoder": scores})


def test_figures_are_averaged_as_the_organisers_do():
    published = pd.DataFrame(DEV_2025, index=["auc_source", "auc_target", "pauc"]).T
    published["auc_source_within"] = published["auc_target_within"] = 60.0
    found = figures(published)
    assert [found[n] for n in ("auc_source", "auc_target", "pauc", "official")] == pytest.approx(
        [66.78, 51.39, 52.94, 56.26], abs=0.02
    )
    assert found["mean of both AUCs"] == pytest.approx((66.78 + 51.39) / 2, abs=0.02)


def test_the_autoencoder_runs_on_a_factory_without_faults():
    with project(1000, "valve", epochs=1, size="tiny", severity=0.0):
        sections = scored()
        truth = pd.read_csv("data/truth/simulated.csv")
    assert truth["fault"].isna().all()
    (only,) = sections
    assert (len(only.clips(False)), len(only.clips(True))) == (16, 16)
    assert measures(sections).loc["valve"].between(0, 100).all()


def test_the_null_interval_holds_chance_and_not_a_fault():
    generator = np.random.default_rng(0)
    null = factory.null_windows([section(generator, 0.0) for _ in range(6)], 150)
    assert all(low < 50 < high and low <= value <= high for value, low, high in null.values())
    assert all(high - low < 14 for _, low, high in null.values())
    faulty = factory.null_windows([section(generator, 0.8) for _ in range(6)], 150)
    assert all(value > high for value, _, high in faulty.values())


def test_permuting_keeps_the_labels_of_a_domain():
    given = section(np.random.default_rng(0), 1.0)
    other = factory.permuted(given, np.random.default_rng(1))
    assert not np.array_equal(given.anomalous, other.anomalous)
    assert len(other.clips(True, "source")) == len(other.clips(True, "target")) == 50


def test_no_shortcut_on_a_small_scale():
    found = factory.shortcut_aucs("valve", "target", [1000, 1001], 40)
    assert found["header"] == 0.5
    assert all(0.3 < value < 0.7 for value in found.values()), found  # 3 standard deviations
    assert {"length", "DC", "first 10 ms", "last 10 ms", "noise RMS", "RMS", "centroid"} <= set(found)


@pytest.mark.slow
def test_a_supervised_classifier_hears_the_faults():
    tested, unseen = factory_clips.cell_features("ToyTrain", 1000, 12)
    learnt, facts = factory_clips.cell_features("ToyTrain", 1000, 20, skip=12)
    assert learnt.shape == (80, tested.shape[1])
    assert set(facts["file"]).isdisjoint(unseen["file"])
    found = factory_clips.aucs(unseen, factory_clips.probabilities(learnt, facts, tested))
    assert min(found["source"], found["target"]) > 0.65
    assert found["plain"] > found["faint"]


def test_the_strongest_line_of_a_clean_bearing_is_its_faults():
    found = [factory_clips.strongest(order) for order in clips("bearing", 40, anomaly=1, size="default")]
    spalls = [f for f in found if f is not None]
    assert len(spalls) >= 12
    assert sum(bool(f["right"]) for f in spalls) >= 0.8 * len(spalls)


@pytest.mark.slow
def test_memory_and_bytes_of_a_small_factory():
    one, two = (factory.downloaded(1000, "fan", "tiny", jobs) for jobs in (1, 2))
    assert one[2] == two[2]
    assert max(one[1], two[1]) < factory.GIBIBYTES


def test_pictures_are_small(tmp_path: Path):
    factory_clips.draw("valve", 1000, tmp_path / "valve.png")
    committed = [ROOT / "docs/simulated_factory" / f"{machine}.png" for machine in MACHINES]
    assert all(10_000 < file.stat().st_size < 150_000 for file in [tmp_path / "valve.png", *committed])


def test_a_verdict_is_an_exit_code(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as inside:
        verdict({"official": (56.0, 53.0, 61.0)})
    assert inside.value.code == 0
    with pytest.raises(SystemExit) as outside:
        verdict({"official": (56.0, 53.0, 61.0), "pauc": (58.0, 50.0, 57.0)})
    assert outside.value.code == 1
    assert "pauc: 58.00, window 50 to 57: FAILS" in capsys.readouterr().out


def test_tables_are_markdown():
    assert table(pd.DataFrame({"a": [1.25]}, index=pd.Index(["x"], name="seed"))).splitlines() == [
        "| seed | a |",
        "| ---: | ---: |",
        "| x | 1.2 |",
    ]


def test_a_command_runs_the_study_it_names_or_its_default(capsys: pytest.CaptureFixture[str]):
    def first(args):
        """Print the option."""
        print(f"first {args.seeds}")

    def second(_):
        """Print a word."""
        print("second")

    commands = Commands("Two studies.", default="first")
    commands.add("first", first).add_argument("--seeds", type=int, default=1)
    commands.add("second", second)
    commands.run(["--seeds", "2"])
    commands.run([])
    commands.run(["second"])
    assert capsys.readouterr().out.splitlines() == ["first 2", "first 1", "second"]
    with pytest.raises(SystemExit):
        commands.run(["second", "--seeds", "2"])
    assert "usage: " in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(file.stem for file in (ROOT / "studies").glob("[a-z]*.py")))
def test_every_module_imports_and_says_in_one_line_what_it_holds(name: str):
    module = import_module(f"studies.{name}")
    assert module.__doc__.splitlines()[0].endswith((".", ".md"))
