"""A detector of one machine's section as one ONNX graph, from waveform or features to score, checked when written."""

import hashlib
import logging
import subprocess
import tempfile
import time
import warnings
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from shutil import copyfile
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from asd.classifiers.params import FineTuneParams
from asd.classifiers.tuning.groups import GroupAdapter
from asd.classifiers.tuning.tuned import restore
from asd.core.artifacts import write_json, write_with
from asd.core.errors import UserError
from asd.core.project import Project
from asd.core.section import PARAMS
from asd.datasets.audio import read
from asd.encoders.architectures.dense import FRAMES
from asd.encoders.networks import recreate
from asd.export.front_ends import FrontEndModule
from asd.export.scorers import scorer_module
from asd.features.channels import one_channel
from asd.features.extraction import features_of
from asd.features.fitting import FittedFrontEnd
from asd.systems import System

CHECKED = 50  # recordings whose scores are compared
CLOSE = 1e-4  # of the spread of scores: the largest difference that is let through
OPSET = 20


class Exported(NamedTuple):
    """What was written: ``about`` is the JSON beside the graph; milliseconds are of one clip by one thread."""

    about: dict[str, Any]
    milliseconds: float


class Scored(nn.Module):
    """Input to score, the mean over networks of several training seeds and the scorers that belong to them."""

    def __init__(self, front_end: nn.Module, networks: list[nn.Module], scorers: list[nn.Module], rows: Any) -> None:
        super().__init__()
        self.mean, self.std = rows.get("mean", 0.0), rows.get("std", 0.5)  # see FeatureStore.normalised
        self.front_end, self.networks, self.scorers = front_end, nn.ModuleList(networks), nn.ModuleList(scorers)

    def forward(self, x: Tensor) -> Tensor:
        """Give the score ``(1,)`` of one clip."""
        x = (self.front_end(x) - self.mean) / (2 * self.std)
        scores = [score(network(x)) for network, score in zip(self.networks, self.scorers, strict=True)]
        return torch.stack(scores).mean(dim=0).float()


class Values(nn.Module):
    """The values that :meth:`asd.classifiers.objectives.reconstruction.Reconstruction.embed` gives a clip."""

    inverse: Tensor

    def __init__(self, network: nn.Module, tensors: dict[str, Tensor], machine: str) -> None:
        super().__init__()
        own = {name.split("/", 1)[1]: tensor for name, tensor in tensors.items() if name.split("/", 1)[0] == machine}
        self.register_buffer("inverse", torch.stack([own.pop("source"), own.pop("target")]).double())
        network.load_state_dict(own)
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Take rows ``(1, frames, bands)`` to values ``(1, 2)``."""
        starts = torch.arange(x.shape[1] - FRAMES + 1)
        clip = x[0, starts[:, None] + torch.arange(FRAMES)].flatten(1)
        errors = self.network(clip) - clip
        mean = errors.unflatten(1, (FRAMES, -1)).double().mean(dim=(0, 1))
        nearer = (self.inverse @ mean @ mean).amin(dim=0)
        return torch.stack([errors.square().mean().double(), nearer]).unsqueeze(0)


def networks_of(detector: System, machine: str) -> list[nn.Module]:
    """Make a system's networks, of one machine, in the order of its training seeds."""
    if detector._network is not None:
        return [detector._network.cpu()] * len(detector.embeddings)
    description = detector._model
    made: list[nn.Module] = []
    for tensors in detector._weights.values():
        network = recreate(dict(description))
        if description["objective"] == "reconstruction":
            made.append(Values(network, tensors, machine))
            continue
        groups = restore(network, tensors, FineTuneParams.model_validate(description.get("fine_tune", {})))
        for part in network.modules():
            if isinstance(part, GroupAdapter) and groups is not None and machine in groups.of:
                part.numbers = torch.tensor([groups.of[machine]])
        made.append(network)
    return made


def export(detector: System, machine: str, section: str, out: Path) -> Exported:
    """Write ``out``, the graph, and a JSON file of the same name beside it, if the graph gives the detector's scores.

    Parameters
    ----------
    detector : System
    machine, section : str
        Which it knows.
    out : Path
        ``model.onnx``; with ``model.json`` beside it.

    Raises
    ------
    UserError
        Where onnx and onnxruntime are not there, the system has no such form, or the scores are not the same: nothing
        is written then.
    """
    _check_installed()
    thresholds = _thresholds(detector)
    front_end = FittedFrontEnd.from_description(detector.store.description, machine)
    scorers = [scorer_module(fitted.scorer) for fitted in detector._scorers(machine, section).values()]
    begin, why = _beginning(front_end)
    graph = Scored(begin, networks_of(detector, machine), scorers, detector.store.description).eval()
    clips = _recordings(detector, machine, section)
    given = [_input(path, front_end, whole=not why) for path in clips]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / out.name
        _write(graph, given[0], file, detector.name)
        check, milliseconds = _check(file, clips, given, detector, machine, section)
        about = {
            "input": _described(file, front_end, why),
            "machine": machine,
            "section": section,
            "threshold": thresholds[machine][section],
            "thresholds": thresholds,
            "sample_rate": detector.sample_rate,
            "front_end": detector.store.description | {"machines": {}} | front_end.params.model_dump(),
            "scorer": detector.scorer.model_dump(),
            "check": check,
            "provenance": _provenance(detector),
        }
        write_with(out, partial(_copied, file))
    write_json(out.with_suffix(".json"), about)
    return Exported(about, milliseconds)


def _copied(file: Path, part: Path) -> None:
    copyfile(file, part)


def _check_installed() -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UserError(f"{error.name} is not installed: pip install asd[onnx]") from None


def _beginning(front_end: FittedFrontEnd) -> tuple[nn.Module, str]:
    """Make the part of the graph before the network, and say why it is none where features are the input."""
    try:
        return FrontEndModule(front_end.params), ""
    except ValueError as error:
        return nn.Identity(), str(error)


def _recordings(detector: System, machine: str, section: str) -> list[Path]:
    """List recordings of a machine's section to compare scores of, test clips and training clips."""
    clips = Project(detector.root).clips()
    own = clips[(clips["machine"] == machine) & (clips["section"] == section) & (clips["kind"] == "machine")]
    some = own.iloc[np.unique(np.linspace(0, len(own) - 1, CHECKED).astype(int))]["clip_id"]
    return [detector.recordings[clip] for clip in some]


def _input(path: Path, front_end: FittedFrontEnd, whole: bool) -> np.ndarray:
    """Read what the graph takes of a recording: its waveform at the system's rate, or features."""
    samples, rate = read(path)
    if not whole:
        return features_of(samples, rate, front_end, path).astype(np.float32)[None]
    waveform = one_channel(samples, rate, front_end.params.channel)
    if rate != front_end.params.sample_rate:
        import soxr

        waveform = soxr.resample(waveform, rate, front_end.params.sample_rate)
    return waveform.astype(np.float32)[None]


def _write(graph: nn.Module, example: np.ndarray, file: Path, system: str) -> None:
    """Write the graph, of a dynamic length where the network has none of its own."""
    loud = logging.getLogger("torch.onnx"), logging.getLogger("onnxscript")
    before = [one.level for one in loud]
    try:
        for one in loud:
            one.setLevel(logging.ERROR)
        with warnings.catch_warnings(action="ignore"), torch.inference_mode():
            torch.onnx.export(
                graph,
                (torch.from_numpy(example.copy()),),
                str(file),
                input_names=["input"],
                output_names=["score"],
                opset_version=OPSET,
                dynamic_shapes=({1: torch.export.Dim.AUTO},),
                external_data=False,
                verbose=False,
            )
    except Exception as error:  # torch has many for what it can't trace
        raise UserError(f"the network of {system} can't be written as ONNX ({type(error).__name__})") from None
    finally:
        for one, level in zip(loud, before, strict=True):
            one.setLevel(level)


def _check(
    file: Path, clips: list[Path], given: list[np.ndarray], detector: System, machine: str, section: str
) -> tuple[dict[str, Any], float]:
    """Compare the scores of the graph with the detector's; milliseconds that the graph takes for a clip."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    length = session.get_inputs()[0].shape[1]
    fits = [number for number, one in enumerate(given) if isinstance(length, str) or length == one.shape[1]]
    start = time.perf_counter()
    scores = np.array([session.run(None, {"input": given[number]})[0].item() for number in fits])
    milliseconds = 1000 * (time.perf_counter() - start) / len(fits)
    known = np.array([_by_detector(detector, clips[number], machine, section) for number in fits])
    largest, spread = float(np.abs(scores - known).max()), float(known.std())
    if not largest <= CLOSE * spread:
        raise UserError(
            f"{detector.name} as ONNX has other scores: one differs by {largest:.2g}, their spread is {spread:.2g}; "
            f"nothing is written beyond {CLOSE:g} of it"
        )
    return {"clips": len(fits), "largest_difference": largest, "spread_of_scores": spread}, milliseconds


def _by_detector(detector: System, path: Path, machine: str, section: str) -> float:
    samples, rate = read(path)
    return float(detector.score_samples([samples], rate, path, machine, section)["score"].iloc[0])


def _described(file: Path, front_end: FittedFrontEnd, why: str) -> dict[str, Any]:
    """Say what the graph takes."""
    import onnx

    size = onnx.load(str(file)).graph.input[0].type.tensor_type.shape.dim[1]
    params = front_end.params
    made = {"name": "input", "length": size.dim_value or "any"}
    if why:
        return made | {"kind": "features", "why": why, "shape": ["1", "n_frames", params.n_features]}
    kind = {"kind": "waveform", "shape": ["1", "samples"], "sample_rate": params.sample_rate}
    return made | kind | {"channel": params.channel, "full_scale": 1.0}


def _thresholds(detector: System) -> dict[str, dict[str, float]]:
    """List the thresholds of all machines, by section: systems are exported a section at a time."""
    first = detector.scores.groupby(["machine", "section"])["threshold"].first()
    machines = {str(machine): own.droplevel("machine") for machine, own in first.groupby(level="machine")}
    return {
        machine: {str(section): float(limit) for section, limit in own.items()} for machine, own in machines.items()
    }


def _provenance(detector: System) -> dict[str, str]:
    git = ["git", "-C", str(detector.root.absolute()), "rev-parse", "HEAD"]
    try:
        revision = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        revision = ""
    try:
        package = version("asd")
    except PackageNotFoundError:
        package = ""
    digest = hashlib.sha256((detector.root / PARAMS).read_bytes()).hexdigest()
    return {"system": detector.name, "git_revision": revision, "params_sha256": digest, "asd": package}
