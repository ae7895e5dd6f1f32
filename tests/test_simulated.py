"""The simulated factory as a data set: layout, sizes, streams, attributes, truth."""

from collections import Counter
from contextlib import chdir
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from conftest import ROOT
from factories import clips, dataset, digests, simulated

from asd.core.clips import parse_attributes
from asd.core.errors import UserError
from asd.datasets import dcase
from asd.simulation.factory import download, recordings
from asd.simulation.plan import SIZES, plan
from asd.simulation.simulation import (
    BAND,
    LEAKAGE,
    MACHINES,
    SEVERITY,
    SNR,
    SNR_SPREAD,
    quantised,
    record,
    simulate,
)

HIDDEN = {"ToyTrain", "bearing", "slider"}


@pytest.fixture(scope="module")
def tiny(made_once) -> Path:
    def make(home: Path) -> None:
        with chdir(ROOT):
            download(dataset(), home / "raw", home / "truth")

    return made_once("tiny", make)


@pytest.fixture(scope="module")
def truth(tiny: Path) -> pd.DataFrame:
    return pd.read_csv(tiny / "truth/simulated.csv").set_index("file")


def test_layout_and_counts(tiny: Path):
    assert {folder.name for folder in (tiny / "raw").iterdir()} == set(MACHINES)
    for name, machine in MACHINES.items():
        home = tiny / "raw" / name
        assert {f.name for f in home.iterdir()} == {"train", "test", "supplemental", "attributes_00.csv"}
        names = [dcase.parse_name(f.name) for f in home.rglob("*.wav")]
        assert Counter((n.split, n.domain, n.kind, n.anomaly) for n in names) == {
            ("train", "source", "machine", 0): 16,
            ("train", "target", "machine", 0): 4,
            ("supplemental", "source", machine.supplement, None): 6,
            **{("test", domain, "machine", label): 8 for domain in ("source", "target") for label in (0, 1)},
        }
        assert {n.attributes == dcase.HIDDEN for n in names if n.kind == "machine"} == {name in HIDDEN}
    assert (tiny / "raw/bearing/supplemental/section_00_machine_source_0000_noAttribute.wav").is_file()
    assert (tiny / "raw/slider/supplemental/section_00_noise_source_0000_noAttribute.wav").is_file()


@pytest.mark.parametrize(
    ("size", "train", "supplemental", "test"),
    [("default", 130, 30, 200), ("study", 130, 30, 800), ("full", 1000, 100, 200)],
)
def test_counts_and_lengths(size: str, train: int, supplemental: int, test: int):
    for machine in MACHINES.values():
        made = list(plan(machine, simulated(size)))
        assert Counter(order.name.split for order in made) == {
            "train": train,
            "supplemental": supplemental,
            "test": test,
        }
        assert len({order.file for order in made}) == len(made)
        assert {order.seconds for order in made} == ({10.0} if size == "full" else set(machine.seconds))
    assert len({seconds for machine in MACHINES.values() for seconds in machine.seconds}) > 3
    assert SIZES[size].target == 10, "domain-wise scorers need the ten"


@pytest.mark.parametrize("name", list(MACHINES))
def test_study_only_adds_test_clips_to_default(name: str):
    default, study = (list(plan(MACHINES[name], simulated(size))) for size in ("default", "study"))
    assert set(map(repr, default)) <= set(map(repr, study))
    added = [order for order in study if order.file not in {o.file for o in default}]
    assert {(order.name.split, order.name.index // 50) for order in added} == {("test", 1), ("test", 2), ("test", 3)}


def test_files_are_16_bit_mono_and_far_from_clipping(tiny: Path):
    for file in sorted((tiny / "raw").rglob("*.wav")):
        info = soundfile.info(file)
        assert (info.samplerate, info.channels, info.subtype, info.frames) == (16000, 1, "PCM_16", 32000)
        assert 0 < np.abs(soundfile.read(file)[0]).max() < 0.9


def test_truth_tells_fault_severity_and_hidden_attributes(tiny: Path, truth: pd.DataFrame):
    table = recordings(dataset(), tiny / "raw", tiny / "truth")
    faulty = truth.index.str.contains("_anomaly_")
    assert truth["severity"][faulty].between(*SEVERITY).all()
    assert (truth["severity"][~faulty] == 0).all()
    for column in ("fault", "fault_kind", "fault_db"):
        assert truth[column][faulty].notna().all()
        assert truth[column][~faulty].isna().all()
    for name, machine in MACHINES.items():
        rows = truth[faulty & (truth["machine"] == name)]
        assert set(rows["fault"]) <= set(machine.faults)
        assert rows["fault"].nunique() >= 4
        for fault, kind, frequency in rows[["fault", "fault_kind", "fault_frequency"]].itertuples(index=False):
            assert kind == machine.faults[fault].kind
            assert ("" if pd.isna(frequency) else frequency) == machine.faults[fault].frequency
        assert rows["fault_hz"].notna().equals(rows["fault_frequency"].notna())
    machine = table[table["kind"] == "machine"]
    hidden = machine["machine"].isin(HIDDEN)
    assert (machine["attributes"][hidden] == "").all()
    assert (machine["true_attributes"] != "").all()
    assert (machine["attributes"][~hidden] == machine["true_attributes"][~hidden]).all()


def test_truth_tells_every_frequency_and_the_snr(truth: pd.DataFrame):
    sounding = truth[~truth.index.str.contains("_noise_source_")]
    assert sounding["speed_hz"].gt(0).all()
    for text, name, hz in sounding[["frequencies_hz", "fault_frequency", "fault_hz"]].itertuples(index=False):
        if isinstance(name, str):
            assert float(parse_attributes(text)[name]) == hz
    assert truth["snr_db"].dropna().between(SNR[0] - SNR_SPREAD - 0.1, SNR[1] + SNR_SPREAD + 0.1).all()
    assert truth["snr_db"].isna().sum() == 7 * 6, "supplemental clips have no machine or no noise"


def test_clean_clips_have_no_factory_and_noise_clips_no_machine():
    for name, machine in MACHINES.items():
        order = next(o for o in plan(machine, simulated()) if o.name.split == "supplemental")
        stems = simulate(order)
        assert np.any(stems.healthy) == (machine.supplement == "clean"), name
        if machine.supplement == "clean":
            assert np.std(stems.noise) < 0.02 * np.std(stems.healthy)


def test_target_values_are_unseen_in_the_source(tiny: Path):
    table = recordings(dataset(), tiny / "raw", tiny / "truth")
    table = table[(table["kind"] == "machine") & (table["split"] != "supplemental")]
    for machine, rows in table.groupby("machine"):
        told = pd.DataFrame(list(rows["true_attributes"].map(parse_attributes)), index=rows.index)
        source = rows["true_domain"] == "source"
        for attribute in told:
            assert set(told[attribute][source]).isdisjoint(told[attribute][~source]), (machine, attribute)


@pytest.mark.parametrize("size", ["tiny", "default"])
def test_all_cells_of_a_domain_have_the_settings_of_its_training_clips(size: str):
    for machine in MACHINES.values():
        seen: dict[tuple[str, str, int | None], set[str]] = {}
        for order in plan(machine, simulated(size)):
            key = (order.name.domain, order.name.split, order.name.anomaly)
            seen.setdefault(key, set()).add(str(order.setting))
        for (domain, split, _), settings in seen.items():
            if split == "test":
                assert settings <= seen[domain, "train", 0]
                assert seen[domain, "test", 0] == seen[domain, "test", 1]


@pytest.mark.slow
def test_same_bytes_with_any_number_of_workers(workdir: Path):
    params = (workdir / "params.yaml").read_text()
    assert "  jobs: 2" in params
    download(dataset("fan+valve"), Path("two/raw"), Path("two/truth"))
    (workdir / "params.yaml").write_text(params.replace("  jobs: 2", "  jobs: 1"))
    download(dataset("fan+valve"), Path("one/raw"), Path("one/truth"))
    assert digests(Path("one")) == digests(Path("two"))
    assert len(digests(Path("one"))) == 2 * (58 + 1) + 2


def test_a_clip_depends_on_seed_machine_cell_and_index_alone(tiny: Path, workdir: Path):
    download(dataset("bearing"), Path("raw"), Path("truth"))
    alone, among = digests(Path("raw/bearing")), digests(tiny / "raw/bearing")
    assert alone == among
    assert len({digest for file, digest in alone.items() if file.endswith(".wav")}) == 58
    download(dataset("bearing", seed=1001), Path("other/raw"), Path("other/truth"))
    other = digests(Path("other/raw/bearing"))
    assert not [file for file in alone if file.endswith(".wav") and alone[file] == other[file]]


def test_a_recording_is_the_sum_of_its_stems():
    for name in MACHINES:
        (order,) = clips(name, 1, anomaly=1, channels=2)
        stems, (samples, facts) = simulate(order), record(order)
        assert np.abs(samples - 32768 * (stems.healthy + stems.fault + stems.noise)).max() < 0.6
        assert facts == stems.facts


def test_a_far_microphone_leaves_the_near_one_as_it_is():
    for name in MACHINES:
        (one,), (two,) = (clips(name, 1, anomaly=1, channels=channels) for channels in (1, 2))
        near, both = simulate(one), simulate(two)
        assert both.noise.shape == (32000, 2)
        assert np.array_equal(quantised(near.fault), quantised(both.fault)[:, :1])
        spectra = np.abs(np.fft.rfft(both.healthy, axis=0)) ** 2
        hz = np.fft.rfftfreq(32000, 1 / 16000)
        energy = spectra[(hz >= BAND[0]) & (hz <= BAND[1])].sum(axis=0)
        assert 10 * np.log10(energy[1] / energy[0]) == pytest.approx(LEAKAGE, abs=0.01)


def test_unknown_machines_are_refused_in_one_line(workdir: Path):
    with pytest.raises(UserError, match="pump, which is not there: choose among ToyCar, ToyTrain"):
        download(dataset("fan+pump"), Path("raw"), Path("truth"))
    assert not Path("raw").exists()
