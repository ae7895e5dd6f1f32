"""Headers of WAV files that are wrong about the file's length, as streams, crashes and careless writers leave them."""

import io
import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from asd.core import wav_header
from asd.core.compute import ComputeParams
from asd.datasets import audio
from asd.datasets.folder import cut_long
from asd.datasets.health import measure
from asd.datasets.index import decode
from asd.features.recordings import read_recording

RATE = 16000
LIST = b"LIST" + struct.pack("<I", 26) + b"INFOISFT" + struct.pack("<I", 14) + b"Recorder 1.0\0\0"
FORMATS = [
    {"subtype": "PCM_16"},
    {"subtype": "PCM_24"},
    {"subtype": "PCM_U8"},
    {"subtype": "FLOAT"},
    {"subtype": "DOUBLE"},
    {"subtype": "ALAW"},
    {"subtype": "ULAW"},
    {"subtype": "PCM_16", "format": "WAVEX"},
    {"subtype": "PCM_24", "endian": "BIG"},
    {"subtype": "IMA_ADPCM"},
    {"subtype": "MS_ADPCM"},
]


def good(channels: int = 1, seconds: float = 2.0, **more: str) -> bytes:
    """Make a WAV file as it should be."""
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (round(seconds * RATE), channels))
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, **{"format": "WAV", **more})
    return file.getvalue()


def stating(content: bytes, size: int, whole: int | None = None) -> bytes:
    """Change the sizes that a file's header states, of the samples and of the whole."""
    order = ">" if content[:4] == b"RIFX" else "<"
    changed, at = bytearray(content), content.index(b"data") + 4
    changed[at : at + 4] = struct.pack(f"{order}I", size)
    changed[4:8] = struct.pack(f"{order}I", min(2**32 - 1, at - 4 + size) if whole is None else whole)
    return bytes(changed)


def stated(content: bytes) -> int:
    return len(content) - content.index(b"data") - 8


def read(content: bytes, name: str = "x.wav") -> np.ndarray:
    Path(name).write_bytes(content)
    return audio.read(name)[0]


def notes(name: str = "x.wav") -> dict[str, str]:
    return audio.header_notes(name)


@pytest.mark.parametrize("size", [0, 2**32 - 1, 2**31 - 1, 2**31, 0x7FFFF000, 2000, 2001])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("form", FORMATS, ids=lambda form: "-".join(form.values()))
def test_all_samples_are_read_whatever_the_header_says(form: dict[str, str], channels: int, size: int, workdir: Path):
    content = good(channels, **form)
    expected = read(content)
    assert notes() == {}
    np.testing.assert_array_equal(read(stating(content, size)), expected)
    assert "all are read; save it again" in notes()["header"]


def test_an_unknown_length_in_64_bit(workdir: Path):
    content = bytearray(good(2, format="RF64"))
    expected = read(bytes(content))
    at = content.index(b"ds64") + 8
    for sizes in ((0, 0, 0), (2**64 - 1, 2**64 - 1, 0), (2000, 2000, 0)):
        content[at : at + 24] = struct.pack("<QQQ", *sizes)
        np.testing.assert_array_equal(read(bytes(content)), expected)
        assert notes()


def test_the_format_of_broadcasters_in_64_bit(workdir: Path):
    """BW64 is RF64 under another name, which libsndfile does not know."""
    content = good(2, format="RF64")
    np.testing.assert_array_equal(read(b"BW64" + content[4:]), read(content))
    assert notes() == {}


@pytest.mark.parametrize(
    "behind",
    [
        LIST,
        LIST + LIST,
        b"bext" + struct.pack("<I", 602) + b"A recorder".ljust(602, b"\0"),
        b"id3 " + struct.pack("<I", 5) + b"ID3\x03\x00\x00",
        b"XyZ1" + struct.pack("<I", 40) + bytes(range(40)),
        b"LIST" + struct.pack("<I", 9999) + b"INFO, but its size is wrong, and some bytes \x90\x91",
        b"TAG" + bytes(range(125)),
        b"ID3\x03\x00" + bytes(range(60)),
        b'{"recorder": "seven", "gain_db": 12}\n',
        bytes(4096),
        b"\x01",
    ],
    ids=["list", "lists", "bext", "id3", "unknown", "wrong-size", "tag", "raw-id3", "text", "zeros", "byte"],
)
@pytest.mark.parametrize("seconds", [2, 2 + 1 / RATE])
def test_what_follows_the_samples_is_no_sound(seconds: float, behind: bytes, workdir: Path):
    content = good(1, seconds, subtype="PCM_24")
    expected = read(content)
    assert expected.shape == (round(seconds * RATE), 1)
    np.testing.assert_array_equal(read(content + behind), expected)
    assert notes() == {}


@pytest.mark.parametrize("size", [0, 2**32 - 1, 3000])
def test_samples_of_unknown_length_end_where_chunks_follow(size: int, workdir: Path):
    content = good(2)
    expected = read(content + LIST)
    assert notes() == {}
    np.testing.assert_array_equal(read(stating(content, size) + LIST), expected)
    assert notes()["header"].startswith(f"holds {stated(content)} bytes of samples")


def test_no_samples_are_found_where_there_are_none(workdir: Path):
    empty = good(seconds=0)
    for content in (empty, empty + LIST, stating(empty, 2**32 - 1)):
        with pytest.raises(audio.RecordingError, match="holds no samples"):
            read(content)


def test_more_promised_than_there_is(workdir: Path):
    """A part of a file is no recording; a header that was never finished, or counts itself, promises nothing."""
    content = good()
    expected, size = read(content), stated(content)
    for part in (content[:-1000], content[:-999], (content + LIST)[:-1000], good(format="RF64")[:-600]):
        with pytest.raises(
            audio.RecordingError, match="is truncated, its header promises more: copy it again"
        ) as refused:
            read(part)
        assert "\n" not in str(refused.value)
    for more, whole in ((10 * size, 36), (10 * size, 0), (size + 36, size + 36), (size + 44, size + 36)):
        np.testing.assert_array_equal(read(stating(content, more, whole)), expected)
        assert notes()
    broken_off = stating(good(2, subtype="PCM_24"), 2**32 - 1)[:-4]  # while a frame was being written
    assert len(read(broken_off)) == len(expected) - 1


def test_what_can_not_be_known_is_said_in_one_line(workdir: Path):
    with pytest.raises(audio.RecordingError, match=r"x\.wav holds more than its header says") as refused:
        read(stating(good(2, subtype="PCM_24"), 6000)[:-2])
    assert refused.value.reason == "unclear"
    assert "\n" not in str(refused.value)


@given(
    st.integers(2, 300), st.sampled_from(["PCM_U8", "PCM_16", "PCM_24"]), st.lists(st.binary(max_size=40)), st.data()
)
def test_a_true_header_is_believed_and_a_short_one_is_not(
    tmp_path_factory: pytest.TempPathFactory, frames: int, kind: str, chunks: list[bytes], data: st.DataObject
):
    path, content = tmp_path_factory.getbasetemp() / "any.wav", good(1, frames / RATE, subtype=kind)
    behind = b"".join(b"note" + struct.pack("<I", len(some)) + some + bytes(len(some) % 2) for some in chunks)
    path.write_bytes(content + behind)
    assert wav_header.mended(path) is None
    width = {"PCM_U8": 1, "PCM_16": 2, "PCM_24": 3}[kind]
    fewer = data.draw(st.integers(0, frames - 2))
    path.write_bytes(stating(content, fewer * width) + behind)
    found = wav_header.mended(path)
    assert found is not None
    assert found.length - frames * width in (0, frames * width % 2)  # the byte between chunks could be a sample


def test_long_samples_get_a_header_of_64_bit(workdir: Path):
    Path("x.wav").write_bytes(stating(good(), 0))
    found = wav_header.mended(Path("x.wav"))
    long = found._replace(end=found.header.start + 2**33)
    again = wav_header._parsed(io.BytesIO(wav_header._header(long)))
    assert (again.stated, again.long, again.fmt[:16]) == (2**33, True, found.header.fmt[:16])


def test_a_stream_in_flac(workdir: Path):
    """Its header may leave the number of samples open."""
    file, samples = io.BytesIO(), np.random.default_rng(0).uniform(-0.5, 0.5, 40000)
    soundfile.write(file, samples, RATE, format="FLAC")
    content = bytearray(file.getvalue())
    content[21] &= 0xF0  # 36 bits of STREAMINFO
    content[22:26] = bytes(4)
    np.testing.assert_allclose(read(bytes(content), "x.flac")[:, 0], samples, atol=1e-4)


def test_every_reader_hears_it_all(workdir: Path, caplog: pytest.LogCaptureFixture):
    Path("x.wav").write_bytes(stating(good(), 2000))
    assert decode("x.wav").frames == 2 * RATE
    assert measure("x.wav").seconds == 2
    assert measure("x.wav").problem == "header"
    assert len(read_recording(Path("x.wav"))[0]) == 2 * RATE
    assert "x.wav holds 64000 bytes of samples, its header says 2000: all are read" in caplog.text


def test_long_recordings_of_wrong_headers_are_cut_as_a_whole(workdir: Path):
    content = good(2)
    Path("x.wav").write_bytes(stating(content, 0))
    table = pd.DataFrame([{"path": "x.wav", "recording": "", "sha256": "0" * 64}])
    clips = cut_long(table, 0.5, Path("cut"), ComputeParams(jobs=1))
    assert len(clips) == 4
    files = sorted(Path("cut/clips").rglob("*.wav"))
    np.testing.assert_array_equal(np.concatenate([audio.read(file)[0] for file in files]), read(content))
