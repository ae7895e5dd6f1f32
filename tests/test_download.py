"""What goes wrong on the way ends in one line; what was good stays, what was bad is gone; a second run finishes."""

import hashlib
import io
import shutil
import stat
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from challenge_server import Server, Years, recording, zipped

from asd.core import fetch, unpack
from asd.core.artifacts import read_json
from asd.core.errors import UserError
from asd.datasets import archives, origins, years
from stages import download as stage

FAN, VALVE, RECORD = "dev_fan.zip", "dev_valve.zip", 7882613
ADDRESS = f"/records/{RECORD}/files/{FAN}"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, workdir: Path) -> Iterator[Server]:
    """The development sets of two machines of 2023, chosen in params.yaml."""
    server = Server()
    monkeypatch.setattr(origins, "ZENODO", server.url)
    made = Years(Path("no-lists"))
    server.offer(2023, "fan+valve", lambda archive: made.archive(2023, archive))
    choose()
    yield server
    server.http.shutdown()


def choose(**more: object) -> None:
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["dataset"] |= {"name": "dcase2023", "machines": "fan+valve"} | more
    Path("params.yaml").write_text(yaml.safe_dump(params))


def refused(what: str) -> None:
    """The stage ends in one line, and neither an output nor half a machine is left."""
    with pytest.raises(UserError, match=what) as error:
        stage.main()
    assert "\n" not in str(error.value)
    assert not Path("data/raw").exists()
    assert not list(archives.STORE.rglob(".*.part"))


def stored() -> set[str]:
    return {folder.name for folder in archives.STORE.glob("*/*") if folder.is_dir()}


def finishes() -> None:
    stage.main()
    assert stored() == {"dev_fan", "dev_valve"}
    assert {folder.name for folder in Path("data/raw/dcase2023").iterdir()} == {"fan", "valve"}
    assert not [file for file in archives.STORE.rglob("*.zip*") if file.suffix != ".md5"]


def entry(name: str, mode: int = 0, content: bytes = b"x") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        info.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr("fan/train/section_00_source_train_normal_0000_a.wav", recording("good"))
        archive.writestr(info, content)
    return file.getvalue()


def test_a_cut_connection_goes_on_where_it_was(server: Server):
    server.faults[FAN] = ["cut", "cut", 503]
    finishes()
    assert server.asked.count(ADDRESS) == 4
    digests = read_json("metrics/download.json")["archives"]
    assert digests[f"{RECORD}/{FAN}"] == f"md5:{hashlib.md5(server.content(RECORD, FAN)).hexdigest()}"


def test_a_connection_that_is_cut_for_good_leaves_what_came(server: Server):
    server.faults[FAN] = ["cut"] * 99
    refused(f"{FAN} was cut after .*run again, it goes on there")
    assert stored() == {"dev_valve"}
    part = archives.STORE / str(RECORD) / f"{FAN}.part"
    came = part.stat().st_size
    assert came > 0.9 * len(server.content(RECORD, FAN))
    server.faults[FAN] = []
    server.asked.clear()
    finishes()
    assert server.asked == [f"/api/records/{RECORD}", ADDRESS]


def test_a_server_without_ranges_starts_anew(server: Server):
    server.faults[FAN] = ["cut", "refuse"]
    finishes()


def test_a_wrong_md5(server: Server):
    server.digests[FAN] = "0" * 32
    refused(f"{FAN} came with md5:.*promised was md5:0000")
    assert stored() == {"dev_valve"}
    assert not list(archives.STORE.rglob(f"{FAN}*"))
    server.digests.clear()
    finishes()


def test_a_truncated_archive(server: Server):
    whole = server.content(RECORD, FAN)
    server.records[RECORD][FAN] = whole[: len(whole) // 2]
    refused(f"{FAN} is no whole zip archive")
    assert not list(archives.STORE.rglob(f"{FAN}*"))
    server.records[RECORD][FAN] = whole
    finishes()


@pytest.mark.parametrize(("status", "says"), [(404, "is not there"), (403, "is refused")])
def test_an_archive_that_is_not_given(status: int, says: str, server: Server):
    server.faults[FAN] = [status]
    refused(f"{FAN} {says}")
    assert stored() == {"dev_valve"}
    finishes()


def test_a_replaced_archive_is_named(server: Server, monkeypatch: pytest.MonkeyPatch):
    server.records[RECORD]["dev_fan_r2.zip"] = server.records[RECORD].pop(FAN)
    refused("has no dev_fan.zip, but dev_fan_r2.zip: .*renamed")
    assert stored() == {"dev_valve"}
    part = years.years()[2023].parts["dev"]
    monkeypatch.setitem(part.renamed, "fan", "dev_fan_r2.zip")
    stage.main()
    assert stored() == {"dev_fan_r2", "dev_valve"}


def test_an_archive_replaced_under_its_name_is_noticed(server: Server, monkeypatch: pytest.MonkeyPatch):
    pins = years.years()[2023].parts["dev"].md5
    monkeypatch.setitem(pins, FAN, "1" * 32)
    refused("now gives dev_fan.zip with md5:.*pinned is md5:1111.*years.yaml")
    monkeypatch.delitem(pins, FAN)
    finishes()
    shutil.rmtree("data/raw")
    shutil.rmtree(archives.STORE / str(RECORD) / "dev_fan")
    server.records[RECORD][FAN] = entry("fan/more.txt")
    refused("now gives dev_fan.zip.*organisers replaced it; remove the pin in .*dev_fan.zip.md5")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (entry("../evil.wav"), "leads out"),
        (entry("fan/../../evil.wav"), "leads out"),
        (entry("/evil.wav"), "an absolute path"),
        (entry("C:/evil.wav"), "an absolute path"),
        (entry("..\\evil.wav"), "an absolute path"),
        (entry("fan/link", stat.S_IFLNK | 0o777, b"/etc/passwd"), "a link"),
        (entry("fan/zeros", content=bytes(150 * 2**20)), "a bomb"),
        (entry("fan/train/SECTION_00_source_train_normal_0000_a.wav"), "a name twice"),
    ],
    ids=["up", "up and out", "absolute", "drive", "backslash", "link", "bomb", "twice"],
)
def test_a_hostile_archive_leaves_nothing(content: bytes, says: str, server: Server):
    good = server.records[RECORD][FAN]
    server.records[RECORD][FAN] = content
    refused(says)
    assert stored() == {"dev_valve"}
    assert not list(Path().rglob("*evil*"))
    server.records[RECORD][FAN] = good
    finishes()


def test_offline_says_what_to_put_where(server: Server):
    server.http.shutdown()
    server.http.server_close()
    refused(f"can't be reached.*put {FAN} {VALVE} of .*records/{RECORD} into FOLDER/{RECORD}/ and set dataset.mirror")


def test_a_machine_that_is_complete_is_not_fetched_again(server: Server):
    choose(machines="fan")
    stage.main()
    server.asked.clear()
    stage.main()
    assert server.asked == []
    choose(machines="fan+valve")
    finishes()
    assert server.asked == [f"/api/records/{RECORD}", f"/records/{RECORD}/files/{VALVE}"]


@pytest.mark.parametrize("sums", ["right", "wrong", "none"])
def test_a_mirror_serves_instead(sums: str, server: Server):
    folder = Path("mirror", str(RECORD))
    folder.mkdir(parents=True)
    lines = []
    for name in (FAN, VALVE):
        content = server.content(RECORD, name)
        (folder / name).write_bytes(content)
        lines.append(f"{'0' * 32 if sums == 'wrong' else hashlib.md5(content).hexdigest()}  {name}\n")
    if sums != "none":
        (folder / "md5sums.txt").write_text("".join(lines))
    choose(mirror="mirror")
    if sums == "wrong":
        refused("mirror/.*expected was md5:0000")
    else:
        finishes()
        assert server.asked == []
    assert (folder / FAN).is_file()


def test_a_mirror_that_lacks_an_archive(server: Server):
    Path("mirror").mkdir()
    choose(mirror="mirror")
    refused(f"mirror/{RECORD}/{FAN} is not there: put .*{ADDRESS} there")


def test_a_mirror_behind_a_url(server: Server, monkeypatch: pytest.MonkeyPatch):
    find = server.find
    moved: Callable[[str], bytes | None] = lambda path: (  # noqa: E731
        find(path.replace(f"/own/{RECORD}", f"/records/{RECORD}/files")) if path.startswith("/own/") else None
    )
    monkeypatch.setattr(server, "find", moved)
    choose(mirror=f"{server.url}/own")
    finishes()


def test_a_fetched_file_is_trusted(workdir: Path):
    Path("a").write_bytes(b"x")
    told: list[int] = []
    digest = fetch.fetch("http://127.0.0.1:1/a", Path("a"), progress=told.append)
    assert (digest, told) == (f"md5:{hashlib.md5(b'x').hexdigest()}", [1])


def test_unpacking_says_when_there_is_no_space(workdir: Path, monkeypatch: pytest.MonkeyPatch):
    Path("a.zip").write_bytes(zipped({"a": b"xyz"}))
    usage = unpack.shutil.disk_usage(".")
    monkeypatch.setattr(unpack.shutil, "disk_usage", lambda path: usage._replace(free=2))
    with pytest.raises(UserError, match="make space"):
        unpack.unpack(Path("a.zip"), Path("a"))


def test_rules_of_years_are_held(server: Server):
    choose(name="dcase2026", machines="all", pretrain="2025")
    refused("2026 do not allow: none is allowed")
    choose(name="dcase2023", split="eval", train_on=["dev"])
    refused("add it to dataset.train_on")


def test_a_section_that_an_archive_lacks_is_named(server: Server, caplog: pytest.LogCaptureFixture):
    made = Years(Path("no-lists"))
    server.offer(2022, "fan", lambda archive: made.archive(2022, archive))
    record = years.years()[2022].parts["dev"].record
    with zipfile.ZipFile(io.BytesIO(server.content(record, FAN))) as whole:
        rest = {name: whole.read(name) for name in whole.namelist() if "section_02" not in name}
    server.records[record][FAN] = zipped(rest)
    choose(name="dcase2022", machines="fan")
    stage.main()
    assert "fan: dev lacks section 02" in caplog.text
