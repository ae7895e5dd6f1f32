"""The units of :mod:`studies.options`: a small params.yaml each, the keys that act together, how they are run."""

import copy
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from asd.classifiers.losses import LOSSES, options_of
from asd.core.section import read_params
from asd.encoders.encoder_params import ENCODERS
from asd.features.front_end import FRONT_ENDS
from asd.params import Params
from asd.scoring.registry import SCORERS
from studies.options import run as runs

SHIPPED = ("dataset", "index", "pseudo_label", "decision", "selection", "ensemble", "evaluate", "compute")
LOG_MEL = {"kind": "log_mel", "sample_rate": 16000, "n_fft": 256, "hop_length": 128, "n_mels": 32, "f_min": 0}
FRONTS: dict[str, dict[str, Any]] = {
    "log_mel": LOG_MEL | {"f_max": 8000},
    "envelope_spectrum": {"sample_rate": 16000, "band_low": 500, "band_high": 7600, "resolution": 0.25, "f_max": 200},
}
NET = {"architecture": "tiny", "features": "log_mel", "dims": 16, "depth": 1, "heads": 2, "frames": 32}
SMALL_SIZE = {"se_resnet18": {"width": 4}, "dual_branch": {"width": 2, "points": 256}, "mel_bands": {"tokens": 4}}
TRAIN = {"steps": 1, "batch": 8, "learning_rate": 0.001, "crop": 16}
RECONSTRUCTION = {"objective": "reconstruction", "epochs": 1, "batch": 8, "learning_rate": 0.001}


class Unit(NamedTuple):
    """A small params.yaml, the keys that are changed, how what is accepted is run.

    Attributes
    ----------
    content : dict
    keys : tuple of str
        Beginnings of the keys that are changed, with dots.
    run : callable
        Raises where a stage would.
    about : tuple of str
        Beginnings of keys of which a pair must change one; empty: any pair.
    """

    content: dict[str, Any]
    keys: tuple[str, ...]
    run: Callable[[Params], None]
    about: tuple[str, ...] = ()


def small() -> dict[str, Any]:
    """Make a small params.yaml: the shipped sections, a system of each kind."""
    shipped = read_params()
    content = {"seed": 0} | {key: copy.deepcopy(shipped[key]) for key in SHIPPED}
    blocks = {
        "log_mel": FRONTS["log_mel"],
        "frequencies": {"kind": "characteristic_frequencies", "sample_rate": 16000},
        "waveform": {"kind": "waveform", "sample_rate": 16000},
    }
    encoders = {"net": NET, "dense": {"architecture": "dense", "features": "log_mel"}}
    encoders["bands"] = {"architecture": "mel_bands", "features": "log_mel", "tokens": 4}
    encoders["wave"] = {"architecture": "dual_branch", "features": "waveform"} | SMALL_SIZE["dual_branch"]
    system = {"encoder": "initial/net", "features": "log_mel", "labels": "given", "score": {"scorer": "knn"}}
    auto = {"encoder": "initial/dense", "features": "log_mel", "labels": "given", "train": RECONSTRUCTION}
    free = {"encoder": "initial/bands", "features": "log_mel", "score": {"scorer": "knn", "per_band": True}}
    content |= {
        "features": blocks,
        "encoders": encoders,
        "adapt": {},
        "embed": {"encoder": "initial/net", "features": "log_mel"},
        "train": {"seeds": [0]},
        "training_free": {"free": free},
        "systems": {
            "net": system | {"train": {"objective": "adacos", **TRAIN}},
            "auto": auto | {"score": {"scorer": "value"}},
        },
    }
    content["ensemble"] |= {"members": ["net", "free"]}
    content["compute"] |= {"jobs": 1, "threads": 1}
    return copy.deepcopy(content)


def units() -> Iterator[tuple[str, Unit]]:
    """List all units by name."""
    for kind in FRONT_ENDS:
        content = small()
        content["features"]["x"] = {"kind": kind, "sample_rate": 16000} | FRONTS.get(kind, {})
        if kind == "efficientat_mel":
            content["features"]["x"]["sample_rate"] = 32000
        yield f"front/{kind}", Unit(content, ("features.x",), runs.run_front)
    for name in SCORERS:
        content = small()
        of_values = getattr(SCORERS[name].estimator, "input", "") == "values"
        which = "auto" if of_values else "net"
        content["systems"][which]["score"] = {"scorer": name}
        keys = (f"systems.{which}.score", "decision")
        yield f"score/{name}", Unit(content, keys, runs.run_scores)
    yield from systems()
    content = small()
    content["adapt"]["net"] = {"features": "log_mel", "steps": 1, "batch": 4, "clones": 2, "mask": 0.5, "block": 2}
    content["adapt"]["net"] |= {"learning_rate": 0.001, "ema_decay": 0.9, "ema_decay_end": 0.99}
    yield "adapt/net", Unit(content, ("adapt", "encoders.net"), runs.run_adapt)
    yield "labels", Unit(small(), ("embed", "pseudo_label"), runs.run_labels)
    yield "ensemble", Unit(small(), ("selection", "ensemble", "decision"), runs.run_ensemble)
    for name in ("simulated", "folder", "dcase2020", "dcase2025", "dcase2026"):
        content = small()
        content["dataset"]["name"] = name
        yield f"dataset/{name}", Unit(content, ("dataset", "index"), runs.run_dataset)
    yield "compute", Unit(small(), ("compute", "evaluate", "train"), runs.run_compute)


def systems() -> Iterator[tuple[str, Unit]]:
    """List the units of systems: all pairs with one objective, of the others those with their own options."""
    train = "systems.net.train"
    whole = ("systems.net", "encoders.net", "features.log_mel", "index")
    yield "system/adacos", Unit(small(), whole, runs.run_system)
    for name in LOSSES:
        content = small()
        content["systems"]["net"]["train"]["objective"] = name
        own = tuple(f"{train}.{key}" for key in options_of(LOSSES[name])) or (f"{train}.sampler",)
        yield f"objective/{name}", Unit(content, (train,), runs.run_system, own)
    module = {"layers": 1, "dims": 8, "pooling": {"kind": "attentive_statistics"}}
    tuned = {"fine_tune": "lora", "rank": 2, "branches": 2, "mixing": "gated", "groups": 2, "bottleneck": 2}
    for name, block in (("module", {"adaptation_module": module, "freeze_steps": 1}), ("tuned", tuned)):
        content = small()
        content["systems"]["net"]["train"] |= block
        own = tuple(f"{train}.{key}" for key in block)
        yield f"train/{name}", Unit(content, (train, "encoders.net"), runs.run_system, own)
    for name in ("se_resnet18", "dual_branch"):
        content, front = small(), "waveform" if name == "dual_branch" else "log_mel"
        content["encoders"]["net"] = {"architecture": name, "features": front} | SMALL_SIZE[name]
        content["systems"]["net"]["features"] = content["embed"]["features"] = front
        keys = (train, "encoders.net", f"features.{front}")
        yield f"encoder/{name}", Unit(content, keys, runs.run_system, ("encoders.net",))
    for name in (name for name, block in ENCODERS.items() if not block.has_weights):
        content = small()
        content["encoders"]["bands"] = {"architecture": name, "features": "log_mel"} | SMALL_SIZE.get(name, {})
        keys = ("training_free.free", "encoders.bands", "features.log_mel")
        yield f"encoder/{name}", Unit(content, keys, runs.run_free, ("encoders.bands", "training_free.free"))
    yield "encoder/dense", Unit(small(), ("systems.auto", "features.log_mel"), runs.run_auto, ("systems.auto",))
