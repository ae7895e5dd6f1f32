"""Times, as recorders write them into file names and people into tables: read once, compared as times, never as text.

A time with a zone is turned into UTC, seconds since 1970 are UTC. One without is kept as the recorder's clock showed
it; where the names of a machine's files have times of both kinds, those without are taken for UTC, and in a manifest
they are refused. Where the day could be the month, one reading must fit all texts of a column; dates with dots
(02.03.2026) are day-first unless that can't be. A date without a time of day is its midnight.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

ORDERS = ("dmy", "mdy", "ymd")  # of dates whose year does not come first with four digits
YEARS = range(1970, 2100)
EPOCH = datetime(1970, 1, 1)
MINUTES = {  # names of zones that mean one thing: minutes before UTC (EST ... PDT as in RFC 2822)
    "z": 0, "utc": 0, "gmt": 0, "wet": 0, "west": 60, "cet": 60, "cest": 120, "mez": 60, "mesz": 120, "eet": 120,
    "eest": 180, "msk": 180, "jst": 540, "kst": 540, "est": -300, "edt": -240, "mst": -420, "mdt": -360, "pst": -480,
    "pdt": -420,
}  # fmt: skip
MONTHS = (  # without accents: English, German, French, Spanish, Italian, Portuguese; or their first letters
    "january januar janvier enero gennaio janeiro",
    "february februar fevrier febrero febbraio fevereiro",
    "march maerz marz mars marzo marco",
    "april avril abril aprile",
    "may mai mayo maggio maio",
    "june juni juin junio giugno junho",
    "july juli juillet julio luglio julho",
    "august aout agosto",
    "september septembre septiembre settembre setembro",
    "october oktober octobre octubre ottobre outubro",
    "november novembre noviembre novembro",
    "december dezember decembre diciembre dicembre dezembro",
)
UNITS = [("年", "-"), ("月", "-"), ("日", " "), ("時", ":"), ("时", ":"), ("分", ":"), ("秒", " ")]
UNITS += [("년", "-"), ("월", "-"), ("일", " "), ("시", ":"), ("분", ":"), ("초", " ")]

_ZONE = r"(?:[ _]?(?P<zone>(?:utc|gmt)?[+](?:\d\d:?\d\d|\d\d?)|(?:utc|gmt)-(?:\d\d:?\d\d|\d\d?)|%s)(?![^\W_]))?"
_ANY_ZONE = _ZONE % ("-(?:\\d\\d:?\\d\\d|\\d\\d)|" + "|".join(MINUTES))
_NAME_ZONE = _ZONE % (  # where a - may part two numbers, and _z or _west say where a microphone is
    r"(?<=t\d{6})-\d{4}|(?<=t\d\d[-:]\d\d[-:]\d\d)-\d\d:?\d\d|(?<=\d)z|utc|gmt|cet|cest|mez|mesz|jst|kst"
)
_CLOCK = (
    r"(?P<clock>\d{1,2}(?P<t>[-:._])\d\d(?:(?P=t)\d\d)?|\d{1,2}h\d\d(?:m?\d\ds?)?m?|\d{6}|\d{4}(?=[^a-z]|z|[ap]m|$))(?!\d)"
    r"(?P<fraction>[.,]\d{1,9})?(?: ?(?P<half>[ap])\.?m\b\.?)?(?: uhr)?"
)
_TAIL = rf"(?:(?:t|[ _,.;-]{{1,3}}|[ _]?(?:at|um)[ _]){_CLOCK}%s)"
_FOUR = r"(?P<year>(?:19|20)\d\d)"
_DATES = (  # the pattern of a date, and whether a name must hold a clock behind it
    (rf"{_FOUR}(?P<s>[-/_ ]|\. ?)(?P<month>\d\d?)(?P=s)(?P<day>\d\d?)", False),
    (rf"{_FOUR}(?P<month>\d\d)(?P<day>\d\d)", False),
    (rf"(?P<a>\d\d?)(?P<s>[-/_ ]|\. ?)(?P<b>\d\d?)(?P=s){_FOUR}", False),
    (rf"(?P<a>\d\d)(?P<b>\d\d){_FOUR}", False),
    (r"(?P<day>\d\d?)[. _-]*(?P<name>[^\W\d_]{3,})[., _-]*(?P<year>(?:19|20)\d\d|(?<=-)\d\d)", False),
    (rf"(?P<name>[^\W\d_]{{3,}})[. _-]+(?P<day>\d\d?)(?:st|nd|rd|th)?[, _-]+{_FOUR}", False),
    (r"(?P<a>\d\d?)(?P<s>[-/.])(?P<b>\d\d?)(?P=s)(?P<c>\d\d)", True),
    (r"(?P<a>\d\d)(?P<b>\d\d)(?P<c>\d\d)(?=[t_-]\d{6}(?!\d))", True),
)
_JOINED = rf"{_FOUR}(?P<month>\d\d)(?P<day>\d\d)(?P<clock>\d{{4}}(?:\d\d)?)(?P<fraction>[.,]?(?:\d{{6}}|\d{{3}}))?"
_END = r"(?!\d)"
NAMES = [re.compile(rf"(?<!\d){_JOINED}{_END}{_NAME_ZONE}")]
NAMES += [re.compile(rf"(?<!\d){date}(?:{_TAIL % _NAME_ZONE}){'' if clock else '?'}{_END}") for date, clock in _DATES]
CELLS = [re.compile(rf"{_JOINED}{_ANY_ZONE}")]
CELLS += [re.compile(rf"(?:[^\W\d_]{{2,}}\.?,? )?{date}(?:{_TAIL % _ANY_ZONE})?(?:\[[\w/]+\])?") for date, _ in _DATES]
MONTH = re.compile(rf"{_FOUR}-(?P<month>\d\d)")
DAYTIME = re.compile(rf"(?=\d\d?[:h]){_CLOCK}")
SECONDS = re.compile(r"(?<!\d)(?P<epoch>1\d{9}|1\d{12}|1\d{15}|1\d{18})(?P<fraction>[.,]\d{1,9})?(?!\d)")
SERIAL = re.compile(r"\d{5}([.,]\d+)?|\d[.,]\d+e\+?\d+")


class Stamp(NamedTuple):
    """A time: ``moment`` in UTC where it is ``zoned``; its date means nothing where it is not ``dated``."""

    moment: datetime
    zoned: bool
    dated: bool = True


class StampError(Exception):
    """A text of a column that is no time, by its place in it, and why."""

    def __init__(self, place: int, why: str) -> None:
        super().__init__(why)
        self.place, self.why = place, why


def stamp_of_cell(text: str, order: str) -> Stamp | None:
    """Read a text that is a time and nothing else; ``order`` is one of :data:`ORDERS`; None where it is no time.

    Examples
    --------
    >>> stamp_of_cell("02.03.2026 9:05 +01:00", "dmy").moment.isoformat()
    '2026-03-02T08:05:00'
    """
    text = _plain(text)
    if match := MONTH.fullmatch(text):
        return _stamp(match.groupdict() | {"day": "1"}, order)
    if match := DAYTIME.fullmatch(text):
        return _stamp(match.groupdict(), order)
    matches = (pattern.fullmatch(text) for pattern in (*CELLS, SECONDS))
    return next((stamp for match in matches if match and (stamp := _stamp(match.groupdict(), order))), None)


def stamp_of_name(text: str, order: str) -> Stamp | None:
    """Read the time in the name of a file, without its suffix.

    Examples
    --------
    >>> stamp_of_name("line3_20260131-093000", "dmy").moment.isoformat()
    '2026-01-31T09:30:00'
    >>> stamp_of_name("2023-12-34T56:78:99", "dmy")  # no time at all
    """
    text = _plain(text)
    matches = (pattern.search(text) for pattern in (*NAMES, SECONDS))
    return next((stamp for match in matches if match and (stamp := _stamp(match.groupdict(), order))), None)


def _plain(text: str) -> str:
    """Bring digits, signs and blanks of all scripts to one form, and take accents off."""
    text = unicodedata.normalize("NFKC", text).replace("\N{MINUS SIGN}", "-")
    text = re.sub(r"(?<!\d)(?=\d ?[分분])", "0", text)
    for unit, sign in UNITS:
        text = re.sub(rf"(?<=\d) ?{unit} ?", sign, text)
    letters = unicodedata.normalize("NFD", text.lower().replace("ä", "ae"))
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return re.sub(r"[:-](?=\s|$)", " ", re.sub(r"\s+", " ", plain)).strip()


def _stamp(parts: dict[str, str | None], order: str) -> Stamp | None:
    """Make a time of the parts of a match; None where there is no such day, hour or zone."""
    try:
        if epoch := parts.get("epoch"):
            seconds = int(epoch[:10]) + float(f"0.{epoch[10:]}0")
            return Stamp(EPOCH + timedelta(seconds=seconds, microseconds=_microseconds(parts)), zoned=True)
        dated = "clock" not in parts or any(key in parts for key in ("year", "c"))
        year, month, day = _date(parts, order) if dated else (EPOCH.year, EPOCH.month, EPOCH.day)
        if dated and year not in YEARS:
            return None
        hour, minute, second = _clock(parts)
        moment = datetime(year, month, day, hour, minute, second, _microseconds(parts))
        zone = parts.get("zone")
        return Stamp(moment - (_offset(zone) if zone else timedelta(0)), bool(zone), dated)
    except (ValueError, OverflowError):
        return None


def _date(parts: dict[str, str | None], order: str) -> tuple[int, int, int]:
    """Give year, month and day."""
    if "name" in parts:
        name, year = str(parts["name"]), str(parts["year"])
        meant = [number for number, names in enumerate(MONTHS, 1) if f" {name}" in f" {names}"]
        return int(year if len(year) == 4 else f"20{year}"), meant[0] if len(meant) == 1 else 0, int(str(parts["day"]))
    if "month" in parts:
        return int(str(parts["year"])), int(str(parts["month"])), int(str(parts["day"]))
    first, second, third = (str(parts.get(key)) for key in ("a", "b", "c" if "c" in parts else "year"))
    if order == "ymd":
        if not len(first) == len(second) == len(third) == 2:
            raise ValueError("the year comes last")
        return 2000 + int(first), int(second), int(third)
    day, month = (first, second) if order == "dmy" else (second, first)
    return int(third) + (2000 if len(third) == 2 else 0), int(month), int(day)


def _clock(parts: dict[str, str | None]) -> tuple[int, int, int]:
    numbers = re.findall(r"\d+", parts.get("clock") or "0000")
    if len(numbers) == 1:
        numbers = re.findall(r"\d\d", numbers[0])
    hour, minute, second = (*map(int, numbers), 0)[:3]
    if half := parts.get("half"):
        if not 1 <= hour <= 12:
            raise ValueError("no hour of half a day")
        hour = hour % 12 + 12 * (half == "p")
    return hour, minute, second


def _microseconds(parts: dict[str, str | None]) -> int:
    digits = (parts.get("fraction") or "").lstrip(".,")
    return int(digits.ljust(6, "0")[:6] or 0)


def _offset(zone: str) -> timedelta:
    if zone in MINUTES:
        return timedelta(minutes=MINUTES[zone])
    sign, digits = re.sub(r"utc|gmt|:", "", zone)[0], re.sub(r"\D", "", zone)
    hours, minutes = int(digits[:2]), int(digits[2:] or 0)
    if hours > 14 or minutes > 59:
        raise ValueError("no zone")
    return timedelta(hours=hours, minutes=minutes) * (-1 if sign == "-" else 1)


def read_column(texts: Sequence[str], read: Callable[[str, str], Stamp | None]) -> list[Stamp]:
    """Read a column of times by the one order of day and month that fits all of them.

    Parameters
    ----------
    texts : sequence of str
    read : callable
        :func:`stamp_of_cell` or :func:`stamp_of_name`.

    Returns
    -------
    list of Stamp

    Raises
    ------
    StampError
        Where a text is no time, or several orders fit and disagree.
    """
    readings = {order: [read(text, order) for text in texts] for order in ORDERS}
    whole = {order: [s for s in stamps if s] for order, stamps in readings.items() if all(stamps)}
    if not whole:
        best = max(readings.values(), key=lambda stamps: sum(stamp is not None for stamp in stamps))
        place = best.index(None)
        known = any(stamps[place] for stamps in readings.values())
        raise StampError(place, _no_time(texts[place], known))
    first = next(iter(whole.values()))
    unlike = [place for place, stamps in enumerate(zip(*whole.values(), strict=True)) if len(set(stamps)) > 1]
    if unlike and not ("dmy" in whole and all(re.search(r"\d\.\d\d?\.\d", texts[place]) for place in unlike)):
        raise StampError(
            unlike[0], "leaves open which number is the day and which the month: write 2026-03-02T09:05:00"
        )
    return whole.get("dmy", first) if unlike else first


def _no_time(text: str, known: bool) -> str:
    if known:
        return "has day and month in another order than the others: write all as 2026-03-02T09:05:00"
    if SERIAL.fullmatch(text.strip().lower()):
        return "is a spreadsheet's number of days: format the column as date and time and save it again"
    return "is no time: write it as 2026-03-02T09:05:00, with Z or +02:00 where the zone is known, or leave it empty"


def written(stamps: Sequence[Stamp]) -> list[str]:
    """Write times as ISO 8601, all of the same length, so that their order as text is that in time.

    Examples
    --------
    >>> written([Stamp(datetime(2026, 3, 2, 9, 5), zoned=True)])
    ['2026-03-02T09:05:00Z']
    """
    exact = "microseconds" if any(stamp.moment.microsecond for stamp in stamps) else "seconds"
    return [
        (stamp.moment.isoformat("T", exact) if stamp.dated else stamp.moment.time().isoformat(exact))
        + ("Z" if stamp.zoned else "")
        for stamp in stamps
    ]
