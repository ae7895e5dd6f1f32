"""Which recordings calibrate: whole ones, of every domain, and nothing that learns sees them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asd.core.positions import last_recordings


def clip_table(source, target, each=2, machine="fan"):
    recording = np.repeat([f"{machine}-{i}" for i in range(source + target)], each)
    table = pd.DataFrame(
        {"machine": machine, "section": "00", "split": "train", "kind": "machine"}, index=range(len(recording))
    )
    table["domain"] = np.where(np.arange(len(recording)) < source * each, "source", "target")
    position = np.arange(len(recording)) // each - np.where(table["domain"] == "target", source, 0)
    clip_id = [f"{machine}{i:04}" for i in range(len(recording))]
    return table.assign(recording=recording, position=position, clip_id=clip_id)


@given(source=st.integers(1, 80), target=st.integers(0, 20), share=st.floats(0, 0.99))
def test_whole_recordings_of_every_domain_and_one_is_left(source, target, share):
    clips = clip_table(source, target)
    chosen = last_recordings(clips, share)
    for domain, count in (("source", source), ("target", target)):
        own = (clips["domain"] == domain).to_numpy()
        assert clips["recording"][chosen & own].nunique() == min(round(share * count), max(count - 1, 0))
    assert not set(clips["recording"][chosen]) & set(clips["recording"][~chosen])


def test_more_share_more_clips_never_others():
    clips = clip_table(100, 10)
    quarter, half = last_recordings(clips, 0.25), last_recordings(clips, 0.5)
    assert quarter.sum() == 2 * (25 + 2)
    assert half[quarter].all()
    assert not last_recordings(clips, 0.0).any()


def test_machines_order_and_further_clips_are_nothing():
    fan, valve = clip_table(40, 4), clip_table(30, 3, machine="valve")
    both = pd.concat([valve, fan]).sample(frac=1, random_state=0).reset_index(drop=True)
    chosen = set(both["clip_id"][last_recordings(both, 0.2)])
    assert chosen == set(fan["clip_id"][last_recordings(fan, 0.2)]) | set(valve["clip_id"][last_recordings(valve, 0.2)])


@pytest.mark.parametrize("change", [{"split": "test"}, {"split": "supplemental", "kind": "noise"}])
def test_only_normal_training_clips_calibrate(change):
    clips = pd.concat([clip_table(20, 2), clip_table(20, 2, machine="other").assign(**change)], ignore_index=True)
    chosen = last_recordings(clips, 0.5)
    assert set(clips["machine"][chosen]) == {"fan"}


def test_the_last_recordings_of_each_domain_calibrate():
    clips = clip_table(20, 4)
    chosen = clips[last_recordings(clips, 0.25)]
    assert sorted(set(chosen.loc[chosen["domain"] == "source", "position"])) == [15, 16, 17, 18, 19]
    assert set(chosen.loc[chosen["domain"] == "target", "position"]) == {3}
