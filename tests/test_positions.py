"""The order of training recordings: by time or name, values of attributes spread evenly, recordings whole."""

import numpy as np
import pandas as pd

from asd.core.positions import natural, positions, with_positions


def clip_table(paths, **columns):
    about = {"machine": "fan", "section": "00", "split": "train", "kind": "machine", "domain": "source"}
    about |= {"attributes": "", "recording": "", "time": ""}
    return pd.DataFrame({"path": paths}).assign(**about | columns)


def test_names_sort_by_the_numbers_in_them():
    clips = clip_table(["fan/clip_10.wav", "fan/clip_9.wav", "fan/clip_100.wav"])
    assert list(positions(clips)) == [1, 0, 2]
    assert natural("a2b") < natural("a10b") < natural("b1")


def test_times_come_before_names():
    clips = clip_table(["a.wav", "b.wav", "c.wav"], time=["2024-03-02", "2024-01-02", "2024-02-02"])
    assert list(positions(clips)) == [2, 0, 1]


def test_every_part_of_the_order_has_its_share_of_every_value():
    values = ["speed=1"] * 12 + ["speed=2"] * 6
    clips = clip_table([f"{i:03}.wav" for i in range(18)], attributes=values)
    order = np.argsort(positions(clips))
    for part in np.array_split(order, 6):
        assert [values[i] for i in sorted(part)] == ["speed=1", "speed=1", "speed=2"]
    for value in ("speed=1", "speed=2"):
        own = clips["attributes"] == value
        assert (np.diff(positions(clips)[own]) > 0).all(), "those of one value stay in order"


def test_single_clips_of_many_values_stand_in_order():
    clips = clip_table([f"{i}.wav" for i in range(10)], attributes=[f"speed={i}" for i in range(10)])
    assert list(positions(clips)) == list(range(10))


def test_clips_of_a_recording_share_a_position_unless_all_are_of_one():
    clips = clip_table([f"{i}.wav" for i in range(4)], recording=["b", "b", "a", "a"])
    assert list(positions(clips)) == [0, 0, 1, 1]
    assert list(positions(clips.assign(recording="one"))) == [0, 1, 2, 3]


def test_domains_are_numbered_by_themselves_and_other_clips_not_at_all():
    clips = clip_table([f"{i}.wav" for i in range(5)])
    clips = clips.assign(domain=["source", "target", "source", "target", "unknown"], split=["train"] * 4 + ["test"])
    assert list(positions(clips)) == [0, 0, 1, 1, -1]


def test_what_index_wrote_is_joined_to_the_table(tmp_path):
    pd.DataFrame({"clip_id": ["a", "c"], "position": [1, 0]}).to_csv(tmp_path / "positions.csv", index=False)
    table = with_positions(pd.DataFrame({"clip_id": ["a", "b", "c"]}), tmp_path / "positions.csv")
    assert list(table["position"]) == [1, -1, 0]
