"""Pseudo-attributes by agglomerative clustering of embeddings, as in seed 000."""

import numpy as np
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import cdist

from asd.pseudo_labels.params import PseudoLabelParams
from asd.pseudo_labels.trees import cut, groups_by_gap


def hierarchical(embeddings: np.ndarray, domain: np.ndarray, params: PseudoLabelParams) -> np.ndarray:
    """Group the clips of one machine.

    L2-normalised embeddings of the source clips are merged (Ward: the merge of A and B costs
    ``|A||B| / (|A| + |B|) ||mu_A - mu_B||^2``) and cut at the largest relative gap of the merge heights; target
    clips, too few to be clustered, join the group with the nearest mean. A reconstruction: how the paper cuts its
    tree is not known.

    Parameters
    ----------
    embeddings : np.ndarray [shape=(clips, dims)]
        Of one machine.
    domain : np.ndarray [shape=(clips,)] of str
        ``source`` or ``target``; where nothing is source, all clips are clustered.
    params : PseudoLabelParams
        Linkage, least and largest number of groups.

    Returns
    -------
    np.ndarray [shape=(clips,)], int
        Groups from 0, the largest first.

    References
    ----------
    Fang et al., "Attribute-aware representation ... from domain-adaptive pre-training", arXiv 2509.12845.
    """
    unit = normalised(embeddings)
    source = domain != "target"
    if not source.any():
        source = np.ones(len(unit), dtype=bool)
    if source.sum() < 2:
        return np.zeros(len(unit), dtype=int)
    tree = linkage(unit[source], params.hierarchical.linkage)
    found = cut(tree, groups_by_gap(tree[:, 2], params.min_groups, params.max_groups))
    means = np.stack([unit[source][found == g].mean(axis=0) for g in range(found.max() + 1)])
    groups = cdist(unit, means).argmin(axis=1)
    groups[source] = found
    return groups


def normalised(embeddings: np.ndarray) -> np.ndarray:
    """Scale each embedding to length 1 (float64); the zero vector stays."""
    x = embeddings.astype(np.float64)
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
