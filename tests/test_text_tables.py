"""Tables that commands print."""

import pandas as pd
from conftest import ROOT

from asd.cli.text_tables import markdown, plain, rows_of

TABLE = pd.DataFrame(
    {
        "file": ["a b.wav", "1.wav"],
        "score": [0.123456789, -1234.5],
        "decision": [1, 0],
        "AUC": ["", "61.20 [50.1, 70.3]"],
    }
)


def test_numbers_stand_flush_right_with_what_follows_them():
    assert plain(rows_of(TABLE)) == [
        "file        score  decision                 AUC",
        "a b.wav  0.123457         1",
        "1.wav     -1234.5         0  61.20 [50.1, 70.3]",
    ]


def test_markdown_aligns_what_the_terminal_does():
    assert markdown(rows_of(TABLE, ".1f"))[1:3] == ["| --- | ---: | ---: | ---: |", "| a b.wav | 0.1 | 1 |  |"]


def test_nothing_but_a_heading_is_a_line():
    assert plain(rows_of(TABLE.iloc[:0])) == ["file  score  decision  AUC"]


def test_no_command_prints_a_table_of_another_style():
    commands = [*(ROOT / "asd" / "cli").glob("*.py"), ROOT / "asd" / "__main__.py"]
    assert not [file.name for file in commands if "to_string" in file.read_text(encoding="utf-8")]
