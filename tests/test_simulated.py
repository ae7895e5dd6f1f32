import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from scipy.signal import hilbert

from asd.datasets import dcase
from asd.datasets.params import DatasetParams, FolderParams, SimulatedParams
from asd.datasets.simulated.factory import LEVEL, MACHINES, SIZES, download, plan, recordings, simulate
from asd.errors import UserError

HIDDEN = {"ToyTrain", "bearing", "slider"}


def dataset(machines: str = "all", seed: int = 1000) -> DatasetParams:
    simulated, folder = SimulatedParams(size="tiny", seed=seed), FolderParams(manifest="data/manifest.csv")
    return DatasetParams(name="simulated", machines=machines, simulated=simulated, folder=folder)


def digests(folder: Path) -> dict[str, str]:
    files = sorted(f for f in folder.rglob("*") if f.is_file())
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("tiny")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(Path(__file__).parents[1])
        download(dataset(), home / "raw", home / "truth")
    return home


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


def test_default_counts_and_lengths():
    for machine in MACHINES.values():
        made = list(plan(machine, SIZES["default"], 0))
        assert Counter(order.name.split for order in made) == {"train": 130, "supplemental": 30, "test": 200}
        assert len({order.file for order in made}) == 360
        assert {order.seconds for order in made} <= {4, 4.5, 5, 6}


def test_files_are_16_bit_mono_and_far_from_clipping(tiny: Path):
    for file in sorted((tiny / "raw").rglob("*.wav")):
        info = soundfile.info(file)
        assert (info.samplerate, info.channels, info.subtype, info.frames) == (16000, 1, "PCM_16", 32000)
        assert 0 < np.abs(soundfile.read(file)[0]).max() < 0.8


def test_truth_tells_fault_severity_and_hidden_attributes(tiny: Path):
    truth = pd.read_csv(tiny / "truth/simulated.csv").set_index("file")
    table = recordings(dataset(), tiny / "raw", tiny / "truth")
    faulty = truth.index.str.contains("_anomaly_")
    assert truth["severity"][faulty].between(0.15, 1).all()
    assert (truth["severity"][~faulty] == 0).all()
    assert truth["fault"][faulty].notna().all()
    assert truth["fault"][~faulty].isna().all()
    assert truth["fault_db"][faulty].notna().all()
    assert truth.groupby("machine")["fault"].nunique().min() >= 2
    assert truth["snr_db"].dropna().median() == pytest.approx(3, abs=0.5)
    machine = table[table["kind"] == "machine"]
    hidden = machine["machine"].isin(HIDDEN)
    assert (machine["attributes"][hidden] == "").all()
    assert (machine["true_attributes"] != "").all()
    assert (machine["attributes"][~hidden] == machine["true_attributes"][~hidden]).all()


def test_target_attributes_are_unseen_in_the_source(tiny: Path):
    table = recordings(dataset(), tiny / "raw", tiny / "truth")
    table = table[table["kind"] == "machine"]
    for _, rows in table.groupby("machine"):
        values = {domain: set(part["true_attributes"]) for domain, part in rows.groupby("true_domain")}
        assert values["source"].isdisjoint(values["target"])
        trained = rows[(rows["split"] == "train") & (rows["true_domain"] == "target")]
        tested = rows[(rows["split"] == "test") & (rows["true_domain"] == "target")]
        assert set(trained["true_attributes"]) == set(tested["true_attributes"])


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


@pytest.mark.parametrize("name", list(MACHINES))
def test_severity_zero_is_the_clip_without_its_fault(name: str):
    for order in [o for o in plan(MACHINES[name], SIZES["tiny"], 1000) if o.name.anomaly]:
        with_fault, without = simulate(order), simulate(order, severity=0)
        assert np.array_equal(with_fault.healthy, without.healthy)
        assert np.array_equal(with_fault.noise, without.noise)
        assert not without.fault.any()
        assert with_fault.fault.any()


def test_levels_are_set_before_the_fault():
    orders = [o for m in MACHINES.values() for o in plan(m, SIZES["tiny"], 1000) if o.name.kind == "machine"]
    levels = [np.sqrt(np.mean(simulate(order).healthy ** 2)) for order in orders[::5]]
    assert np.median(levels) == pytest.approx(LEVEL, rel=0.15)


def test_the_outer_race_strikes_at_its_frequency():
    """BPFO = n/2 (1 - d/D) of the shaft's speed, for 8 elements and d/D = 0.23: 3.08 orders."""
    orders = [o for o in plan(MACHINES["bearing"], SIZES["default"], 1000) if o.name.anomaly]
    outer = [s for o in orders[:30] if (s := simulate(o)).facts["fault"] == "outer_race"]
    assert len(outer) > 3
    for stems in outer:
        envelope = np.abs(hilbert(stems.fault)) ** 2
        spectrum = np.abs(np.fft.rfft(envelope - envelope.mean(), 8 * len(envelope)))
        hz = np.fft.rfftfreq(8 * len(envelope), 1 / 16000)
        strongest = hz[np.argmax(np.where((hz > 4) & (hz < 80), spectrum, 0))]
        assert stems.facts["characteristic_hz"] == pytest.approx(3.08 * stems.facts["speed_hz"])
        order = strongest / stems.facts["characteristic_hz"]
        assert order == pytest.approx(max(1, round(order)), rel=0.02)


def test_gears_mesh_at_teeth_times_speed():
    order = next(plan(MACHINES["gearbox"], SIZES["default"], 1000))
    stems = simulate(order)
    spectrum = np.abs(np.fft.rfft(stems.healthy * np.hanning(len(stems.healthy))))
    hz = np.fft.rfftfreq(len(stems.healthy), 1 / 16000)
    mesh = 23 * stems.facts["speed_hz"]
    near = (hz > 0.98 * mesh) & (hz < 1.02 * mesh)
    beside = (hz > 1.1 * mesh) & (hz < 1.2 * mesh)
    assert spectrum[near].max() > 5 * spectrum[beside].max()


def test_unknown_machines_are_refused_in_one_line(workdir: Path):
    with pytest.raises(UserError, match="pump, which is not there: choose among ToyCar, ToyTrain"):
        download(dataset("fan+pump"), Path("raw"), Path("truth"))
    assert not Path("raw").exists()
