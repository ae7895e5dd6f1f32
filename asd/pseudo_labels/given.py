"""How well groups agree with the attributes that are given, where a machine has any."""

import numpy as np
import pandas as pd

from asd.clips import parse_attributes

PRODUCT = "product"  # of all attributes of a clip


def agreement_with_given(labels: pd.Series, groups: np.ndarray) -> dict[str, dict[str, float]]:
    """Compare groups with every given attribute, and with their product.

    Parameters
    ----------
    labels : pd.Series [shape=(clips,)] of str
        ``speed=3;mic=1``, empty where nothing is given: these clips are left out.
    groups : np.ndarray [shape=(clips,)], int

    Returns
    -------
    dict of str to dict of str to float
        For ``product`` and for each attribute of more than one value: ``ami`` and ``ari``, adjusted for chance, and
        ``v_measure`` and ``purity``, which rise by themselves with the number of groups. Empty where nothing is given.
    """
    known = (labels != "").to_numpy()
    pairs = labels[known].map(parse_attributes)
    columns = {PRODUCT: labels[known].to_numpy()}
    for name in sorted(set().union(*pairs)):
        columns[name] = pairs.map(lambda own, name=name: own.get(name, "")).to_numpy()
    return {name: compared(values, groups[known]) for name, values in columns.items() if len(np.unique(values)) > 1}


def compared(true: np.ndarray, found: np.ndarray) -> dict[str, float]:
    """Compare two groupings of the same clips.

    References
    ----------
    N. X. Vinh, J. Epps, J. Bailey, "Information theoretic measures for clusterings comparison", JMLR 11, 2010.
    """
    from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score, v_measure_score
    from sklearn.metrics.cluster import contingency_matrix

    return {
        "ami": float(adjusted_mutual_info_score(true, found)),
        "ari": float(adjusted_rand_score(true, found)),
        "v_measure": float(v_measure_score(true, found)),
        "purity": float(contingency_matrix(true, found).max(axis=0).sum() / len(true)),
    }
