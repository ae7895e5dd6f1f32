"""Anomalous sound detection for machines: functions and classes to call from a notebook.

Each is imported when it is first asked for, so that ``import asd`` takes no time.

Examples
--------
>>> import asd
>>> import numpy as np
>>> y = np.random.default_rng(0).standard_normal(16000).astype(np.float32)
>>> asd.log_mel(y, sr=16000, n_mels=64).shape
(32, 64)
>>> normal = np.random.default_rng(1).standard_normal((20, 8))
>>> asd.create_scorer("knn", n_neighbors=2).fit(normal).anomaly_score(normal + 9).shape
(20,)
"""

from importlib import import_module
from typing import Any

PUBLIC = {  # name -> module
    "load_detector": "asd.detector",
    "explain": "asd.explanation",
    "Project": "asd.core.project",
    # front ends
    "log_mel": "asd.features.front_ends.log_mel",
    "kaldi_fbank": "asd.features.front_ends.kaldi_fbank",
    "envelope_spectrum": "asd.features.front_ends.envelope_spectrum",
    "frequency_table": "asd.features.front_ends.characteristic_frequencies",
    "statistics": "asd.features.front_ends.statistics",
    "characteristic_frequencies": "asd.features.frequencies",
    # networks, losses, scorers by name
    "create_encoder": "asd.encoders.networks",
    "LOSSES": "asd.classifiers.losses",
    "create_scorer": "asd.scoring.registry",
    "SCORERS": "asd.scoring.registry",
    # metrics
    "auc": "asd.evaluation.auc",
    "partial_auc": "asd.evaluation.auc",
}
__all__ = list(PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in PUBLIC:
        raise AttributeError(f"module 'asd' has no attribute {name!r}")
    return getattr(import_module(PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *PUBLIC])
