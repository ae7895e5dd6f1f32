"""Manifests as spreadsheets save them: read, or refused in one line that says what it is and how to save it."""

from pathlib import Path

import pytest
from test_folder import write

from asd.core.errors import UserError
from asd.datasets.folder import read_manifest

HEADER = ("path", "machine", "split", "time", "speed_hz")
ROWS = [
    ("a.wav", "Lüfter", "train", "01.03.2026 09:05", "24,5"),
    ("b.wav", "Lüfter", "train", "02.03.2026 9:05", ""),
    ("c.wav", "Lüfter", "test", "10.03.2026", "24"),
]


def text(sep: str = ",", end: str = "\n", rows: list[tuple[str, ...]] = ROWS, header: tuple[str, ...] = HEADER) -> str:
    def cell(value: str) -> str:
        return f'"{value}"' if sep in value else value

    return end.join(sep.join(map(cell, row)) for row in (header, *rows)) + end


@pytest.fixture
def home(workdir: Path) -> Path:
    for seed, name in enumerate("abc"):
        write(f"{name}.wav", seed)
    return workdir


SAVED = {
    "commas": text(),
    "semicolons": text(";"),
    "tabs": text("\t", "\r\n"),
    "bars": text("|"),
    "old Mac": text(";", "\r"),
    "capitals": text(header=tuple(name.upper().replace("_", " ") for name in HEADER)),
    "quotes": text(";", header=tuple(f'"{name}"' for name in HEADER)),
    "sep=": "sep=;\r\n" + text(";"),
    "empty columns": text(rows=[(*row, "", "") for row in ROWS], header=(*HEADER, "", "")),
    "empty cells without a header": text(";", rows=[(*row, "", "") for row in ROWS]),
    "empty rows": "\n;;;;\n" + text(";") + ";;;;\n\n",
    "short rows": text(rows=[ROWS[0], ROWS[1][:4], ROWS[2]]),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
@pytest.mark.parametrize("saved", SAVED)
def test_what_spreadsheets_save_is_read(saved: str, encoding: str, home: Path):
    Path("m.csv").write_bytes(SAVED[saved].encode(encoding))
    table = read_manifest(Path("m.csv"))
    assert table["path"].to_list() == ["a.wav", "b.wav", "c.wav"]
    assert set(table["machine"]) == {"Lüfter"}
    assert table["time"].to_list() == ["2026-03-01T09:05:00", "2026-03-02T09:05:00", "2026-03-10T00:00:00"]
    assert table["speed_hz"].to_list() == ["24.5", "", "24"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (text().encode("cp1252"), "line 2 is not UTF-8, perhaps of an older code page"),
        (text().replace("Lüfter", "ポンプ").encode("cp932"), 'save it as "CSV UTF-8"'),
        (b"PK\x03\x04rest of it", "a workbook"),
        (b"\xd0\xcf\x11\xe0rest of it", "a workbook"),
        (b"", "it is empty"),
        (b";;;\n;;\n", "it is empty"),
        (b"path,machine,split\n", "lists no recordings"),
        (b"path;machine;split;\na.wav;fan;train;x\n", "line 2 has 4 cells, its header 3"),
        (b"path;machine;;split\na.wav;fan;x;train\n", "column 3 has no name"),
        (b"path,machine,split,Path\na.wav,fan,train,b.wav\n", "column path twice"),
        (b"path,machine,split\n\na.wav,fan,train\nb.wav,fan,tset\n", "line 4: split is 'tset'"),
        (b'path,machine,split,speed_hz\na.wav,fan,train,"1,480"\n', "line 2: speed_hz is '1,480'"),
        (b"path,machine,split\na.wav,Fan,train\nb.wav,fan,train\n", "line 3: machine fan differs from Fan by capitals"),
        (f"path,machine,split\na.wav,{'ポ' * 50},train\n".encode(), "longer than 120 bytes"),
        (b"path,machine,split\n" + b"a" * 400 + b".wav,fan,train\n", "is missing"),
    ],
)
def test_what_is_no_table_is_refused_in_one_line(content: bytes, says: str, home: Path):
    Path("m.csv").write_bytes(content)
    with pytest.raises(UserError, match=says) as refused:
        read_manifest(Path("m.csv"))
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith("m.csv")


def test_a_folder_is_no_table(workdir: Path):
    Path("m.csv").mkdir()
    with pytest.raises(UserError, match=r"m\.csv can't be read"):
        read_manifest(Path("m.csv"))


def with_times(*times: str, splits: str = "train train test", anomaly: str = "") -> None:
    rows = zip("abc", splits.split(), times, strict=True)
    lines = [f"{name}.wav;fan;{split};{time};{anomaly if split == 'test' else ''}" for name, split, time in rows]
    Path("m.csv").write_text("\n".join(["path;machine;split;time;anomaly", *lines]), encoding="utf-8")


@pytest.mark.parametrize(
    "times",
    [
        ("9:05", "10:05", "11:05"),
        ("28.02.2026", "1.3.2026", "02.03.2026"),
        ("2026-03-02T09:05+02:00", "2026-03-02T07:30Z", "2026-03-02T03:00-05:00"),
        ("2026-03-02 9:05", "2026-03-02 10:05", "2026-03-02T10:05:00"),
        ("1000000000", "1000000001.5", "1769851800"),
        ("2/28/2026 9:05 AM", "2/28/2026 12:05 PM", "3/1/2026 9:05 AM"),
    ],
)
def test_the_earlier_train_as_times_not_as_text(times: tuple[str, ...], home: Path):
    with_times(*times)
    assert len(read_manifest(Path("m.csv"))) == 3
    with_times(*times[::-1], splits="train test test")
    with pytest.raises(UserError, match=r"line 2: fan trains at .*, later than its first test"):
        read_manifest(Path("m.csv"))


@pytest.mark.parametrize(
    ("times", "says"),
    [
        (("20.03.2026", "21.03.2026", "15.02.2026"), "line 2: fan trains at 20.03.2026, later than its first test"),
        (("2026-03-02T09:05+02:00", "2026-03-02 8:00", "2026-03-03"), "line 3: time '2026-03-02 8:00' has no zone"),
        (("2026-03-02 9:05", "9:05", "2026-03-03"), "line 3: time '9:05' has no date"),
        (("01/02/2026", "02/02/2026", "03/02/2026"), "line 2: time '01/02/2026' leaves open which number is the day"),
        (("28/02/2026", "02/28/2026", ""), "line 3: time '02/28/2026' has day and month in another order"),
        (("46082.378", "46083.1", ""), "line 2: time '46082.378' is a spreadsheet's number of days"),
        (("2023-12-34T56:78:99", "", ""), "line 2: time '2023-12-34T56:78:99' is no time"),
    ],
)
def test_times_that_can_not_be_compared_are_refused(times: tuple[str, ...], says: str, home: Path):
    with_times(*times)
    with pytest.raises(UserError, match=says) as refused:
        read_manifest(Path("m.csv"))
    assert "\n" not in str(refused.value)


def test_words_for_splits_and_labels(home: Path):
    Path("m.csv").write_text(
        "path,machine,split,section,anomaly\na.wav,fan,Training,0,OK\nb.wav,fan,TEST,1,NG\nc.wav,fan,test,01,正常\n",
        encoding="utf-8",
    )
    table = read_manifest(Path("m.csv"))
    assert table[["split", "section", "anomaly"]].to_numpy().tolist() == [
        ["train", "00", "0"], ["test", "01", "1"], ["test", "01", "0"],
    ]  # fmt: skip
