"""Characteristic frequencies of shafts, blades, gears and rolling-element bearings, from geometry and speed."""

import math
from typing import NamedTuple

CAGE, OUTER, INNER, ELEMENT = "FTF", "BPFO", "BPFI", "BSF"


class Bearing(NamedTuple):
    """Geometry of a rolling-element bearing; the diameters in one unit, whichever."""

    elements: int
    """Number of rolling elements."""
    diameter: float
    """Of a rolling element."""
    pitch: float
    """Diameter of the circle on which the elements' centres run."""
    angle: float = 0.0
    """Contact angle [degree]."""


def bearing_orders(bearing: Bearing) -> dict[str, float]:
    """Compute a bearing's defect frequencies in orders of the shaft, by its kinematics without slip.

    The outer race stands still and the inner one turns with the shaft (Randall and Antoni, "Rolling element bearing
    diagnostics - a tutorial", MSSP 25, 2011, eq. 1-4). Real bearings slip: their lines lie 1-2 % beside.

    Parameters
    ----------
    bearing : Bearing

    Returns
    -------
    dict of str to float
        ``FTF``: the cage turns. ``BPFO``, ``BPFI``: an element passes a spot of the outer, of the inner race.
        ``BSF``: an element turns about itself; its defect hits one of the races twice as often.

    Raises
    ------
    ValueError
        Where no such bearing can be: no elements, or elements that do not fit on the pitch circle.
    """
    elements, diameter, pitch, angle = bearing
    if elements < 1 or not 0 < diameter < pitch or not -90 < angle < 90:
        raise ValueError(f"{bearing} is no bearing: elements >= 1, 0 < diameter < pitch, -90 < angle < 90 degrees")
    ratio = diameter / pitch * math.cos(math.radians(angle))
    return {
        CAGE: (1 - ratio) / 2,
        OUTER: elements * (1 - ratio) / 2,
        INNER: elements * (1 + ratio) / 2,
        ELEMENT: pitch / (2 * diameter) * (1 - ratio**2),
    }


def bearing_frequencies(bearing: Bearing, speed: float) -> dict[str, float]:
    """Compute a bearing's defect frequencies [Hz] at a speed of the shaft [Hz]; see :func:`bearing_orders`.

    Parameters
    ----------
    bearing : Bearing
    speed : float
        Of the shaft [Hz].

    Returns
    -------
    dict of str to float
        [Hz]

    Examples
    --------
    >>> skf_6205 = Bearing(elements=9, diameter=7.94, pitch=39.04)
    >>> {name: round(hz, 1) for name, hz in bearing_frequencies(skf_6205, speed=30).items()}
    {'FTF': 11.9, 'BPFO': 107.5, 'BPFI': 162.5, 'BSF': 70.7}
    """
    return {name: order * speed for name, order in bearing_orders(bearing).items()}


def mesh(teeth: int, speed: float) -> float:
    """Compute the mesh frequency [Hz] of a gear with so many teeth that turns at a speed [Hz].

    Parameters
    ----------
    teeth : int
    speed : float
        [Hz]

    Returns
    -------
    float
        [Hz]
    """
    return teeth * speed


def blade_pass(blades: int, speed: float) -> float:
    """Compute how often per second a blade of a rotor that turns at a speed [Hz] passes a spot.

    Parameters
    ----------
    blades : int
    speed : float
        [Hz]

    Returns
    -------
    float
        [Hz]
    """
    return blades * speed
