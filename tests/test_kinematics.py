"""Characteristic frequencies against published ones."""

import math
from pathlib import Path

import pytest
import scipy.io
from hypothesis import given
from hypothesis import strategies as st

from asd.core.kinematics import Bearing, bearing_frequencies, bearing_orders, blade_pass, mesh


@pytest.mark.parametrize(
    ("bearing", "published"),
    [
        (Bearing(9, 0.3126, 1.537), {"BPFI": 5.4152, "BPFO": 3.5848, "FTF": 0.39828, "BSF": 4.7135 / 2}),
        (Bearing(8, 0.2656, 1.122), {"BPFI": 4.9469, "BPFO": 3.0530, "FTF": 0.3817, "BSF": 3.9874 / 2}),
    ],
    ids=["6205-2RS JEM", "6203-2RS JEM"],
)
def test_orders_are_those_of_the_case_western_tables(bearing: Bearing, published: dict[str, float]) -> None:
    orders = bearing_orders(bearing)
    assert orders == {name: pytest.approx(order, rel=2e-3) for name, order in published.items()}


def test_frequencies_are_those_stored_with_the_mfpt_records(shared: Path) -> None:
    stored = scipy.io.loadmat(next((shared / "real/mfpt_bearing").glob("*.mat")))
    found = bearing_frequencies(Bearing(8, 0.235, 1.245, 0.0), 25)  # inches, from the data set's description
    for name in ("BPFO", "BPFI", "BSF"):  # FTF is stored as seen from the shaft: BPFI / 8
        assert found[name] == pytest.approx(stored[name].item(), rel=5e-3)
    assert 25 - found["FTF"] == pytest.approx(stored["FTF"].item(), rel=5e-3)


@given(st.integers(3, 40), st.floats(0.05, 0.9), st.floats(-60, 60), st.floats(0.1, 200))
def test_a_race_is_passed_by_all_elements_together(elements: int, ratio: float, angle: float, speed: float) -> None:
    found = bearing_frequencies(Bearing(elements, ratio, 1.0, angle), speed)
    assert found["BPFO"] == pytest.approx(elements * found["FTF"])
    assert found["BPFO"] + found["BPFI"] == pytest.approx(elements * speed)
    cosine = ratio * math.cos(math.radians(angle))
    assert found["BPFI"] / found["BPFO"] == pytest.approx((1 + cosine) / (1 - cosine))


@pytest.mark.parametrize("wrong", [(0, 1, 5), (8, 0, 5), (8, 5, 5), (8, 1, 5, 90)])
def test_impossible_bearings_are_refused(wrong: tuple) -> None:
    with pytest.raises(ValueError, match="is no bearing"):
        bearing_orders(Bearing(*wrong))


def test_gears_and_blades() -> None:
    assert mesh(23, 25.5) == pytest.approx(586.5)
    assert blade_pass(7, 20) == pytest.approx(140)
