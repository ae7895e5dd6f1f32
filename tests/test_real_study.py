"""The study of real recordings: manifests, folds, references, the table, and a run from end to end."""

import sys

import numpy as np
import pandas as pd
import pytest
import soundfile
from scipy import stats
from sklearn.covariance import LedoitWolf
from sklearn.metrics import roc_auc_score

from asd.core.artifacts import write_csv
from asd.core.errors import UserError
from asd.core.project import systems_of
from studies import real
from studies.real import folds, overridden, read_manifests
from studies.real_scores import (
    FINE,
    LAGS,
    REFERENCES,
    by_section,
    judged,
    reference_features,
    reference_scores,
    summary,
    traps,
    variogram,
)

RATE = 16000


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Eight normal clips (five train) and three anomalies, at twice the modulation, of each of two machines."""
    folder, rows = tmp_path_factory.mktemp("recordings"), []
    time = np.arange(RATE) / RATE
    for machine in ("fan", "pump"):
        for number in range(11):
            rng, anomaly = np.random.default_rng([number, len(machine)]), int(number > 7)
            tone = np.sin(2 * np.pi * 440 * time) * (1 + np.sin(2 * np.pi * (4 + 40 * anomaly) * time))
            path = f"{machine}_{number:02d}.wav"
            soundfile.write(folder / path, 0.1 * tone + 0.01 * rng.standard_normal(RATE), RATE)
            split = "train" if number < 5 else "test"
            rows.append((path, machine, "00", split, anomaly if split == "test" else "", ""))
    table = pd.DataFrame(rows, columns=["path", "machine", "section", "split", "anomaly", "recording"])
    write_csv(folder / "manifest.csv", table)
    return folder


@pytest.fixture
def manifest(recordings):
    return pd.read_csv(recordings / "manifest.csv", dtype=str, keep_default_na=False)


def changed(table, row, **values):
    for column, value in values.items():
        table.loc[row, column] = value
    return table


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="anomaly"), "lacks the column anomaly"),
        (lambda t: changed(t, 3, path="none.wav"), r"line 5: path is '.*none.wav': there is no such file"),
        (lambda t: changed(t, 3, path="fan_00.wav"), "fan_00.wav is listed twice"),
        (lambda t: changed(t, 0, anomaly="1"), "line 2: anomaly is '1': anomalies test only"),
        (lambda t: changed(t, 5, anomaly="2"), "line 7: anomaly is '2': give 0, 1 or empty"),
        (lambda t: changed(t, 0, split="validation"), "line 2: split is 'validation'"),
        (lambda t: changed(t, 8, section="01"), "fan section 01 has 0 normal training clips"),
    ],
)
def test_a_wrong_manifest_is_one_line(recordings, manifest, change, message):
    path = recordings / "wrong.csv"
    write_csv(path, change(manifest))
    with pytest.raises(UserError, match=message) as error:
        read_manifests([path])
    assert "\n" not in str(error.value)


def test_a_missing_manifest_and_one_twice_are_one_line(recordings):
    with pytest.raises(UserError, match="is missing: give a manifest"):
        read_manifests([recordings / "none.csv"])
    with pytest.raises(UserError, match="listed twice"):
        read_manifests([recordings / "manifest.csv"] * 2)


def test_overrides_are_those_of_dvc():
    params = overridden(["+training_free.statistics.score.quantile=0.8", "+encoders.mine.architecture=dense",
                         "+encoders.mine.features=log_mel"], ["statistics"], 3)  # fmt: skip
    assert list(systems_of(params)) == ["statistics"]
    assert params["training_free"]["statistics"]["score"]["quantile"] == 0.8
    assert params["encoders"]["mine"] == {"architecture": "dense", "features": "log_mel"}
    assert params["train"]["seeds"] == [3]
    assert params["dataset"]["name"] == "folder"


@pytest.mark.parametrize(
    ("words", "systems", "message"),
    [
        (["systems.none.encoder=dense"], None, "-S systems.none.encoder=dense"),
        (["training_free.frozen.score.n_neighbors=many"], None, "n_neighbors is 'many'"),
        ([], ["unknown"], "'unknown' is no system: choose among texture"),
    ],
)
def test_a_wrong_override_or_system_is_one_line(words, systems, message):
    with pytest.raises(UserError, match=message) as error:
        overridden(words, systems, 0)
    assert "\n" not in str(error.value)


def test_folds_are_contiguous_and_every_normal_tests_once(recordings):
    listed = read_manifests([recordings / "manifest.csv"])
    divided = folds(listed, 4)
    tests = np.array([(fold["split"] == "test") for fold in divided])
    normal = (listed["anomaly"] != "1").to_numpy()
    assert (tests[:, normal].sum(axis=0) == 1).all()
    assert tests[:, ~normal].all()
    for machine in ("fan", "pump"):
        mine = normal & (listed["machine"] == machine).to_numpy()
        block = tests[:, mine].argmax(axis=0)
        assert block.tolist() == sorted(block)
        assert set(np.bincount(block)) == {2}


def test_no_recording_is_divided_and_few_clips_make_fewer_folds(recordings, manifest, capsys):
    manifest["recording"] = ["a"] * 3 + ["b"] * 2 + ["c"] * 3 + ["x"] * 3 + [""] * 11
    manifest = manifest.drop(index=range(16, 19))  # five normals of the pump are left
    write_csv(recordings / "grouped.csv", manifest)
    divided = folds(read_manifests([recordings / "grouped.csv"]), 3)
    said = capsys.readouterr().err
    assert "pump 00: 5 normal clips make 2 folds" in said
    assert "fan" not in said
    for fold in divided:
        fan = fold[fold["machine"] == "fan"]
        assert not fan[["recording", "split"]].drop_duplicates()["recording"].duplicated().any()
        assert fan["counts"].all()
    pump = [fold[(fold["machine"] == "pump") & (fold["anomaly"] != "1")] for fold in divided]
    assert [fold["counts"].all() for fold in pump] == [True, True, False]
    assert [(fold["split"] == "test").sum() for fold in pump[:2]] == [3, 2]


@pytest.mark.slow
def test_references_are_what_a_few_lines_give(recordings):
    listed = read_manifests([recordings / "manifest.csv"])
    fan = listed[listed["machine"] == "fan"].reset_index(drop=True)
    values = reference_features(fan["file"])
    assert values["mean log-mel"].shape == (11, 64)
    assert values["variogram"].shape == (11, 32 * len(LAGS))
    assert np.array_equal(values["mean + variogram"], np.hstack([values["mean log-mel"], values["variogram"]]))
    made = reference_scores(fan, values).set_index(["system", "path"])
    train, test = (fan["split"] == "train").to_numpy(), fan[fan["split"] == "test"]
    for name in REFERENCES:
        x = values[name]
        apart = [_squared(np.delete(x[train], i, axis=0), x[train][i : i + 1])[0] for i in range(train.sum())]
        expected = _squared(x[train], x[~train])
        mine = made.loc[name].loc[test["path"]]
        assert np.allclose(mine["score"], expected, rtol=1e-6)
        few = np.mean(apart) + stats.t.ppf(0.9, 4) * np.std(apart, ddof=1) * np.sqrt(1 + 1 / 5)
        assert np.allclose(mine["threshold"], max(*apart, few), rtol=1e-6)
        assert (mine["decision"] == (expected > max(*apart, few))).all()


def _squared(train, test):
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    precision = np.linalg.inv(LedoitWolf().fit((train - mean) / deviation).covariance_)
    z = (test - mean) / deviation
    return np.array([row @ precision @ row for row in z])


def test_the_variogram_is_that_of_its_definition(recordings):
    path = str(recordings / "fan_00.wav")
    x = FINE.compute(soundfile.read(path, dtype="float32")[0])
    assert len(x) == RATE // 64 + 1  # in steps of 4 ms
    differences = [x[i + 8, 5] - x[i, 5] for i in range(len(x) - 8)]
    assert variogram(path).reshape(len(LAGS), 32)[LAGS.index(8), 5] == pytest.approx(
        np.log(np.mean(np.square(differences, dtype=float))), rel=1e-4
    )


def scores_by_hand():
    """Two systems, two sections in two folds (anomalies in both), and a section of normals alone."""
    rng = np.random.default_rng(0)
    rows = []
    for fold in (0, 1):
        for section, anomalies in (("00", 6), ("01", 4), ("02", 0)):
            clips = [(f"{section}n{fold}{i}", 0) for i in range(5)] + [(f"{section}a{i}", 1) for i in range(anomalies)]
            for path, anomaly in clips:
                for system, gain in (("mean + variogram", 1.5), ("worse", 0.2)):
                    score = np.round(rng.normal() + gain * anomaly, 1)
                    rows.append((fold, system, "fan", section, path, "", anomaly, score, 1.0, int(score > 1)))
    return pd.DataFrame(rows, columns=real.WRITTEN)


def test_the_table_is_sklearns_of_small_scores():
    scores = scores_by_hand()
    found = judged(scores, resamples=200)
    for system, own in scores.groupby("system"):
        for measure, limit in (("auc", None), ("pauc", 0.1)):
            expected = [
                np.mean([roc_auc_score(f["anomaly"], f["score"], max_fpr=limit) for _, f in s.groupby("fold")])
                for section, s in own.groupby("section")
                if section != "02"
            ]
            assert np.allclose(found[system][measure].sections, expected)
            assert found[system][measure].resampled.shape == (2, 200)
        normal = own[own["anomaly"] == 0]
        alarms = normal.groupby("section")["decision"].mean()
        assert np.allclose(found[system]["false_alarms"].sections, alarms)
        faulty = own[(own["anomaly"] == 1) & (own["section"] != "02")]
        detected = faulty.groupby(["section", "fold"])["decision"].mean().groupby("section").mean()
        assert np.allclose(found[system]["detected"].sections, detected)
    table, sections = summary(found), by_section(found)
    assert list(table.index) == ["mean + variogram", "worse"]
    auc = 100 * found["worse"]["auc"].mean
    assert table.loc["worse", "AUC [95 %]"].startswith(f"{auc:.1f} [")
    difference = auc - 100 * found["mean + variogram"]["auc"].mean
    assert table.loc["worse", "AUC less that of mean + variogram [95 %]"].startswith(f"{difference:+.1f} [")
    assert sections.loc["fan 02", "worse"].startswith("- / ")


def test_a_difference_of_equal_systems_is_not_resolved_and_intervals_hold_the_value():
    scores = scores_by_hand()
    better = scores[scores["system"] == "mean + variogram"]
    found = judged(pd.concat([better, better.assign(system="same")]), resamples=200)
    assert summary(found).loc["same", "AUC less that of mean + variogram [95 %]"] == "+0.0 [+0.0, +0.0] not resolved"
    for values in found["same"].values():
        low, high = values.centred().interval()
        assert low <= values.mean <= high


def test_resamples_are_of_recordings():
    scores = scores_by_hand()
    one = scores.assign(recording=np.where(scores["anomaly"] == 1, "x", "y"))
    for values in judged(one, resamples=50)["worse"].values():
        assert np.allclose(values.resampled, values.sections.to_numpy()[:, None])


def test_the_partial_aucs_resamples_are_centred_on_it():
    pauc = judged(scores_by_hand(), resamples=200)["worse"]["pauc"]
    assert pauc.resampled.mean() > pauc.mean + 0.01  # a third of them lacks the highest normal clip
    assert np.allclose(pauc.centred().resampled.mean(axis=1), pauc.sections)


def test_scores_without_anomalies_are_one_line():
    scores = scores_by_hand()
    with pytest.raises(UserError, match="there is no AUC"):
        judged(scores[scores["anomaly"] == 0])


def run(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["real", *map(str, arguments)])
    real.main()
    return capsys.readouterr()


@pytest.mark.slow
def test_from_manifest_to_tables_and_again_from_the_scores(recordings, tmp_path, monkeypatch, capsys):
    out = tmp_path / "scores.csv"
    arguments = (recordings / "manifest.csv", "--systems", "statistics", "--folds", "2", "--out", out)
    printed = run(monkeypatch, capsys, *arguments, "-S", "compute.jobs=1")
    assert "| statistics |" in printed.out
    assert "| mean + variogram | 100.0 [100.0, 100.0] |" in printed.out
    assert "fold 2 of 2" in printed.err
    scores = pd.read_csv(out)
    assert list(scores) == real.WRITTEN
    counts = scores[scores["system"] == "statistics"].groupby("anomaly").size()
    assert counts.to_dict() == {0: 16, 1: 12}
    assert run(monkeypatch, capsys, "--scores", out).out == printed.out


@pytest.mark.slow
def test_of_several_systems_the_ensemble_is_a_row(recordings, monkeypatch, capsys):
    arguments = (recordings / "manifest.csv", "--systems", "statistics", "frozen")
    brief = ("-S", "adapt.tiny.steps=1", "-S", "compute.jobs=1", "-S", "compute.threads=1")
    table = run(monkeypatch, capsys, *arguments, *brief).out.split("\n\n")[0]
    rows = {line.split("|")[1].strip() for line in table.splitlines()[2:]}
    assert rows == {"statistics", "frozen", "ensemble", *REFERENCES}


def test_no_label_reaches_the_pipeline(recordings, monkeypatch):
    listed = read_manifests([recordings / "manifest.csv"])
    seen = {}

    def stop(params):
        seen["manifest"] = pd.read_csv("manifest.csv")
        raise UserError("enough")

    monkeypatch.setattr(real, "make", stop)
    with pytest.raises(UserError, match="enough"):
        real.system_scores(folds(listed)[0], overridden([], ["statistics"], 0), False)
    assert "anomaly" not in seen["manifest"]
    assert len(seen["manifest"]) == 22


def test_wrong_arguments_are_one_line(monkeypatch, capsys):
    with pytest.raises(SystemExit) as end:
        run(monkeypatch, capsys)
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith("asd: give manifests")


@pytest.mark.slow
def test_references_on_the_bench(shared, tmp_path, monkeypatch, capsys):
    bench = shared / "real" / "bench" / "manifest.csv"
    if not bench.is_file():
        pytest.skip(f"no bench of real recordings at {bench.parent}")
    out = tmp_path / "scores.csv"
    run(monkeypatch, capsys, bench, "--references-only", "--out", out)
    found = judged(pd.read_csv(out, dtype={"section": str}, keep_default_na=False))
    assert len(found["mean + variogram"]["auc"].sections) == 11
    assert len(found["mean + variogram"]["false_alarms"].sections) == 12
    assert 0.7 < found["mean + variogram"]["auc"].mean < 0.9
    assert 0.45 < found["length"]["auc"].mean < 0.55
    assert "level" in traps(found)
