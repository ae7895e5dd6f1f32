"""Times in names and tables: every spelling is one moment, impossible ones are none, one reading for a column."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asd.datasets.stamps import ORDERS, StampError, read_column, stamp_of_cell, stamp_of_name, written

NAMES = {
    "2026-03-22T09:05:07": "20260322T090507 20260322_090507 rec-20260322-090507_x 2026-03-22_09-05-07 20260322090507 "
    "22.03.2026_09-05-07 22-03-2026_090507 22032026_090507 2026_03_22_09_05_07_a 22Mar2026_090507 2026-03-22-09h05m07s "
    "2026年03月22日09時05分07秒",
    "2026-03-22T09:05:07Z": "20260322T090507Z 20260322T110507+0200 20260322T040507-0500 2026-03-22_09-05-07_UTC "
    "1774170307 a1774170307b 2026-03-22T11-05-07+02-00",
    "2026-03-22T09:05:07.250000Z": "1774170307250 1774170307250000 20260322T090507.25Z 1774170307.25",
    "2026-03-22T00:00:00": "2026-03-22 20260322_001 22.03.2026 fan_2026-03-22_7 20260322_1500rpm",
    "2026-03-22T21:05:00": "2026-03-22T2105 2026-03-22_9.05.00PM 20260322_210500_z 20260322_2105_west 22-03-2026_2105",
}
CELLS = {
    "2026-03-22T09:05:00": [
        "2026-03-22 09:05", "2026/3/22 9:05", "22.03.2026 9:05", "22/3/2026 9:05", "3/22/2026 9:05 AM", "3/22/26 9:05",
        "22. März 2026 09:05", "March 22, 2026 9:05", "22-Mar-26 9:05", "2026年3月22日 9時5分", "2026. 3. 22. 9:05",
        "20260322T0905",
    ],
    "2026-03-22T09:05:00Z": [
        "2026-03-22T09:05Z", "2026-03-22T10:05:00+01:00", "2026-03-22 10:05 CET", "2026-03-22 04:05:00 -0500",
        "Sun, 22 Mar 2026 10:05:00 +0100", "2026-03-22T10:05:00+01:00[Europe/Berlin]",
        "2026-03-22T07:05:00\N{MINUS SIGN}02:00", "1774170300", "2026-03-22 11:05 UTC+2",
    ],
    "2026-03-22T21:05:00": ["3/22/2026 9:05 PM", "3/22/2026 9:05\N{NARROW NO-BREAK SPACE}p.m."],
    "09:05:00": ["9:05", "09:05:00", "9h05"],
    "2026-03-01T00:00:00": ["2026-03", "01.03.2026"],
}  # fmt: skip
NONE = (
    "2023-12-34T56:78:99 20231234_567899 20260230_0900 20260322_250000 20260322_0960 0001 section_00_0001 31.04.2026 "
)
NONE += "2026-13-01_0900 clip_12_34 20261322090507"


@pytest.mark.parametrize("moment", NAMES)
def test_every_spelling_in_a_name_is_the_same_moment(moment):
    assert {name: written(read_column([name], stamp_of_name)) for name in NAMES[moment].split()} == {
        name: [moment] for name in NAMES[moment].split()
    }


@pytest.mark.parametrize("moment", CELLS)
def test_every_spelling_in_a_table_is_the_same_moment(moment):
    assert {cell: written(read_column([cell], stamp_of_cell)) for cell in CELLS[moment]} == {
        cell: [moment] for cell in CELLS[moment]
    }


@pytest.mark.parametrize("name", NONE.split())
def test_impossible_times_are_no_times(name):
    assert [stamp_of_name(name, order) for order in ORDERS] == [None] * 3


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("yesterday", "is no time: write it as 2026-03-02T09:05:00"),
        ("2023-12-34T56:78:99", "is no time"),
        ("24:61", "is no time"),
        ("46082.378", "is a spreadsheet's number of days"),
        ("1,77417E+09", "is a spreadsheet's number"),
        ("2026-03-02 09:05 CST", "is no time"),
        ("03/02/2026 09:05", "leaves open which number is the day"),
    ],
)
def test_what_can_not_be_read_is_said(cell, why):
    with pytest.raises(StampError, match=why):
        read_column([cell], stamp_of_cell)


def test_the_column_decides_between_day_and_month():
    assert written(read_column(["03/02/2026", "28/02/2026"], stamp_of_cell)) == [
        "2026-02-03T00:00:00",
        "2026-02-28T00:00:00",
    ]
    assert written(read_column(["03/02/2026", "02/28/2026"], stamp_of_cell)) == [
        "2026-03-02T00:00:00",
        "2026-02-28T00:00:00",
    ]
    assert written(read_column(["03.02.2026", "04.02.2026"], stamp_of_cell))[0] == "2026-02-03T00:00:00"  # with dots
    assert written(read_column(["03/03/2026", "04/04/2026"], stamp_of_cell))[1] == "2026-04-04T00:00:00"  # all the same
    with pytest.raises(StampError, match="another order") as refused:
        read_column(["28/02/2026", "02/28/2026"], stamp_of_cell)
    assert refused.value.place == 1


FORMS = [
    "%Y-%m-%dT%H:%M:%S%z",
    "%Y%m%dT%H%M%S%z",
    "%d.%m.%Y %H:%M:%S %z",
    "%d %b %Y %H:%M:%S %z",
    "%Y/%m/%d %I:%M:%S %p %z",
]


@given(
    st.datetimes(datetime(1971, 1, 1), datetime(2098, 12, 31)).map(lambda time: time.replace(microsecond=0)),
    st.integers(-14 * 4, 14 * 4),
    st.sampled_from(FORMS),
)
def test_zones_are_counted_as_python_does(time, quarters, form):
    zoned = time.replace(tzinfo=timezone(timedelta(minutes=15 * quarters)))
    stamp = stamp_of_cell(zoned.strftime(form), "dmy")
    assert stamp.zoned
    assert stamp.moment.replace(tzinfo=UTC) == zoned


@given(st.lists(st.datetimes(datetime(1971, 1, 1), datetime(2098, 12, 31)), min_size=2))
def test_written_times_sort_as_times(times):
    stamps = read_column([time.isoformat() for time in times], stamp_of_cell)
    assert [stamp.moment for stamp in stamps] == times
    texts = written(stamps)
    assert sorted(texts) == [text for _, text in sorted(zip(times, texts, strict=True))]
    assert [stamp.moment for stamp in read_column(texts, stamp_of_cell)] == times
