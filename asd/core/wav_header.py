"""Headers of WAV files held against the files' real length: recorders that stream, or crash, leave them wrong.

RIFF, RIFX, RF64 (EBU Tech 3306) and BW64 (ITU-R BS.2088). What the header says is believed where it fits the file: the
samples reach to the file's end, or chunks, tags, text or zeros follow them. Else the samples reach to the end, or to
the chunks that end there.
"""

import io
import re
import struct
from pathlib import Path
from typing import BinaryIO, NamedTuple

ORDERS = {b"RIFF": "<", b"RIFX": ">", b"RF64": "<", b"BW64": "<"}
UNKNOWN = 0x7FFF0000  # [bytes] sizes from here on stand in the headers of streams
LONGEST = 0xFFFFFFFF  # [bytes] that a RIFF header can state
FRAMED = (1, 3, 6, 7, 0xFFFE)  # formats whose frames are channels x bits: PCM, float, A-law, mu-law, extensible
PCM = bytes.fromhex("0100000000001000800000aa00389b71")  # of the format extensible
BEHIND = re.compile(  # chunks that editors and recorders write behind the samples
    rb"LIST|list|bext|BEXT|iXML|axml|aXML|_PMX|id3 |ID3 |cue |smpl|inst|plst|labl|note|DISP|PEAK|fact|acid|strc|cart"
    rb"|qlty|levl|link|umid|chna|dbmd|minf|elm1|regn|ovwf|afsp|PAD |JUNK|junk|FLLR|Fake|MD5 |SNDM|LGWV|ResU|data|RIFF"
)
TAGS = (b"TAG", b"ID3", b"APETAGEX", b"LYRICSBEGIN")  # behind the samples without a chunk around them
TEXT = re.compile(rb"[\t\n\r -~]{16,4096}")  # 8-bit samples are taken for it only for a while
TAIL = 2**22  # [bytes] at a file's end where chunks are looked for
BLOCK = 2**20  # [bytes] read at a time


class WavHeader(NamedTuple):
    """A WAV file's header as it stands: byte order, chunk ``fmt ``, where the samples begin, and two sizes [bytes]."""

    order: str
    fmt: bytes
    start: int
    stated: int
    whole: int  # of the file; 0: not stated
    long: bool  # the sizes have 64 bit
    readable: bool  # libsndfile knows the kind

    @property
    def frame(self) -> int:
        """Bytes of all channels' samples at one time; 1 where the format has no such frames."""
        kind, channels, _, _, _, bits = struct.unpack(f"{self.order}HHIIHH", self.fmt[:16])
        return max(1, channels * ((bits + 7) // 8)) if kind in FRAMED else 1

    @property
    def sample_rate(self) -> int:
        """[Hz]."""
        return int(struct.unpack(f"{self.order}4xI", self.fmt[:8])[0])

    @property
    def is_plain(self) -> bool:
        """Whether samples are little-endian integers of 16 bits and one channel, stated in a header of 32 bits."""
        kind, channels = struct.unpack(f"{self.order}HH", self.fmt[:4])
        integers = kind == 1 or (kind == 0xFFFE and self.fmt[24:40] == PCM)
        return self.order == "<" and not self.long and integers and channels == 1 and self.frame == 2

    @property
    def of_stream(self) -> bool:
        """Whether the stated size is what is written where it isn't known yet."""
        return self.stated == 0 or self.stated >= (2**63 if self.long else UNKNOWN)


class Samples(NamedTuple):
    """Where the samples of a WAV file whose header is not to be used really are [bytes]; or why that isn't known."""

    header: WavHeader
    end: int
    doubt: str = ""  # truncated, unclear

    @property
    def length(self) -> int:
        """Bytes of samples."""
        return self.end - self.header.start


def mended(path: Path) -> Samples | None:
    """Find the samples of a WAV file whose header is wrong about them, or of a kind that libsndfile doesn't know.

    Parameters
    ----------
    path : Path
        A file of any kind.

    Returns
    -------
    Samples or None
        None where the header is as it should be, or the file is no WAV file.
    """
    return _held_against_length(path)[1]


def right(path: Path) -> WavHeader | None:
    """Read the header of a WAV file; None in other files, and where it is wrong, see :func:`mended`."""
    header, wrong = _held_against_length(path)
    return None if wrong else header


def _held_against_length(path: Path) -> tuple[WavHeader | None, Samples | None]:
    """Read a header, if the file has one, and find the samples where it is not to be used."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        header = _parsed(file)
        if header is None:
            return None, None
        stated = header.start + header.stated
        if stated <= size and _explained(file, stated, size, header):
            return header, None if header.readable else Samples(header, stated)
        if stated > size and not header.of_stream and header.whole > size + 1:  # it was whole once, this is a part
            return header, Samples(header, size, "truncated")
        end = _end(file, size, header)
        broken_off = header.of_stream or stated > size  # where the last frame may be a part of one
        rest = (end - header.start) % header.frame
        return header, Samples(header, end, "" if broken_off or rest <= (end < size) else "unclear")


def _parsed(file: BinaryIO) -> WavHeader | None:
    """Read the chunks up to the samples; None where the file is no WAV file or has no samples' format before them."""
    head = file.read(12)
    if (order := ORDERS.get(head[:4], "")) == "" or head[8:] != b"WAVE":
        return None
    whole, long_data, fmt, at = struct.unpack(f"{order}4xI4x", head)[0], 0, b"", 12
    name, length = _chunk(file, at, order)
    while name not in (b"data", b""):
        if name == b"fmt ":
            fmt = file.read(min(length, 1024))
        elif name == b"ds64":
            whole, long_data = struct.unpack("<QQ", file.read(16).ljust(16, b"\0"))
        at = _behind(file, at, length)
        name, length = _chunk(file, at, order)
    if not name or len(fmt) < 16:
        return None
    kind, long = head[:4], head[:4] in (b"RF64", b"BW64")
    stated = long_data if long and (long_data or length == LONGEST) else length
    whole = 0 if not long and whole >= UNKNOWN else whole
    return WavHeader(order, fmt, at + 8, stated, whole + 8 if whole else 0, long, kind != b"BW64")


def _chunk(file: BinaryIO, at: int, order: str) -> tuple[bytes, int]:
    """Read a chunk's name and length; no name where there is none of printable letters."""
    file.seek(at)
    head = file.read(8)
    return struct.unpack(f"{order}4sI", head) if len(head) == 8 and _printable(head[:4]) else (b"", 0)


def _behind(file: BinaryIO, at: int, length: int) -> int:
    """Say where the next chunk begins: at an even place, but some writers forget the byte between."""
    file.seek(at + 8 + length)
    return at + 8 + length + (length % 2 and not _printable(file.read(4)))


def _printable(name: bytes) -> bool:
    return len(name) == 4 and all(32 <= byte < 127 for byte in name)


def _explained(file: BinaryIO, at: int, size: int, header: WavHeader) -> bool:
    """Say whether what follows the samples by the header, if anything does, is something else than samples."""
    if size - at < max(2, header.frame):
        return True
    file.seek(at)
    follows = file.read(4096)
    for pad in (0, 1):  # a byte stands before chunks at odd places
        if follows.startswith(TAGS, pad) or TEXT.fullmatch(follows, pad) or BEHIND.match(follows, pad):
            return True
        if _chunks_to_end(file, at + pad, size, header.order):
            return True
    return _zeros(file, at)


def _chunks_to_end(file: BinaryIO, at: int, size: int, order: str) -> bool:
    while at < size:
        name, length = _chunk(file, at, order)
        if not name or at + 8 + length > size:
            return False
        at = _behind(file, at, length)
    return True


def _zeros(file: BinaryIO, at: int) -> bool:
    """Say whether there are zeros alone from here on, as of space that was reserved."""
    file.seek(at)
    return not any(block.strip(b"\0") for block in iter(lambda: file.read(BLOCK), b""))


def _end(file: BinaryIO, size: int, header: WavHeader) -> int:
    """Find where the samples end: at chunks that reach to the file's end, or there."""
    first = max(header.start, size - TAIL)
    file.seek(first)
    for found in BEHIND.finditer(file.read(TAIL)):
        if _chunks_to_end(file, first + found.start(), size, header.order):
            return first + found.start()
    return size


class WithHeader(io.RawIOBase):
    """A WAV file's samples behind a header that is true of them, to be read as a file; nothing is copied.

    Parameters
    ----------
    path : Path
    samples : Samples
    """

    def __init__(self, path: Path, samples: Samples) -> None:
        self._file = open(path, "rb")  # noqa: SIM115 - closed with this one
        self._header, self._start, self._length, self._at = _header(samples), samples.header.start, samples.length, 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place, counted from the header's begin."""
        origin = (0, self._at, len(self._header) + self._length)[whence]
        self._at = max(0, origin + offset)
        return self._at

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        """Read the header, or samples."""
        into = len(self._header) - self._at
        if into > 0:
            part = self._header[self._at : self._at + len(buffer)]
        else:
            self._file.seek(self._start - into)
            part = self._file.read(min(len(buffer), self._length + into))
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)

    def close(self) -> None:
        """Close the file as well."""
        self._file.close()
        super().close()


def _header(samples: Samples) -> bytes:
    """Write a header of the same format; RF64 where the samples are too long for a shorter one."""
    order, fmt, length = samples.header.order, samples.header.fmt, samples.length
    fmt += bytes(len(fmt) % 2)
    whole = 4 + 8 + len(fmt) + 8 + length
    chunks = struct.pack(f"{order}4sI", b"fmt ", len(fmt)) + fmt
    if whole + 36 <= LONGEST or order == ">":
        kind, sizes = (b"RIFX" if order == ">" else b"RIFF"), (min(whole, LONGEST), min(length, LONGEST))
    else:
        kind, sizes = b"RF64", (LONGEST, LONGEST)
        chunks = struct.pack("<4sIQQQI", b"ds64", 28, whole + 36, length, 0, 0) + chunks
    return (
        struct.pack(f"{order}4sI4s", kind, sizes[0], b"WAVE") + chunks + struct.pack(f"{order}4sI", b"data", sizes[1])
    )
