"""The organisers' autoencoder: one for each machine, scored by its reconstruction error."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from asd.classifiers.params import OBJECTIVES, Trained, TrainedObjective
from asd.classifiers.task import Task
from asd.core import checkpoints, processes
from asd.core.compute import PAYS, ComputeParams, parallel, torch_rng
from asd.core.errors import UserError
from asd.core.progress import TRAIN, progress
from asd.encoders.architectures.dense import FRAMES
from asd.encoders.networks import recreate
from asd.encoders.training import warm_cosine
from asd.features.store import FeatureStore

VALUES = ("mse", "mahalanobis")  # columns of the anomaly values
HELD_OUT = 0.1  # fraction of the vectors whose loss is watched, not trained on
STEP = 0.01  # [s] of one training step on a CPU, about


@OBJECTIVES.register("reconstruction")
class Reconstruction(TrainedObjective):
    """The organisers' autoencoder, one for each machine."""

    divides_work = True

    objective: Literal["reconstruction"]
    epochs: int = Field(ge=1)
    anneal: bool = Field(False, description="the rate rises at first and falls to 0; the baseline's is constant")
    fresh_statistics: bool = Field(
        False,
        description="batch normalisation's, of the trained weights; the baseline's are running means, which lag behind",
    )

    def train(self, task: Task) -> Trained:
        """Train one autoencoder for each machine; machines finished before an interruption are not trained again.

        Returns
        -------
        dict of str to Tensor
            ``<machine>/<name>``: weights, and the precision matrices of the error, ``source`` and ``target``.
        dict
            Loss on held-out vectors for each machine, and ``losses``, means over machines, as pairs of the fraction of
            the training that is done and the loss.

        Raises
        ------
        UserError
            Under ``torchrun``, each process of which would train them all.
        """
        if processes.size() > 1:
            raise UserError("autoencoders are trained by compute.jobs workers: start their stage without torchrun")
        machines = {str(machine): clips for machine, clips in task.clips.groupby("machine")}
        shown = progress(TRAIN, "machine", len(machines), self._side_by_side(task, machines))
        with one_thread(task.device):
            states = dict(zip(machines, shown, strict=True))
        tensors = {f"{name}/{key}": value for name, state in states.items() for key, value in state["tensors"].items()}
        held_out = {name: state["loss"] for name, state in states.items()}
        means = np.mean([state["losses"] for state in states.values()], axis=0)
        losses = [((epoch + 1) / len(means), loss) for epoch, loss in enumerate(means.tolist())]
        return tensors, {"held_out_loss": held_out, "losses": losses}

    def _side_by_side(self, task: Task, machines: Mapping[str, pd.DataFrame]) -> Iterator[dict[str, Any]]:
        """Train machines by several processes where that pays, or one after the other; so on a GPU."""
        steps = self.epochs * sum(map(task.store.n_frames, task.clips["clip_id"])) / self.batch
        alone = task.device.type != "cpu" or len(machines) == 1 or STEP * steps <= PAYS
        jobs = ComputeParams(jobs=1) if alone else None
        return parallel(partial(_trained, task, self), machines.items(), jobs, STEP * steps)

    @staticmethod
    def embed(
        description: Mapping[str, Any],
        tensors: Mapping[str, Tensor],
        clips: pd.DataFrame,
        stores: Sequence[FeatureStore],
        device: torch.device,
    ) -> np.ndarray:
        """Give the anomaly values of clips.

        The Mahalanobis value is that of the organisers' code: the quadratic form of a clip's errors summed over all
        pairs of frames and divided by their number, which is the squared Mahalanobis length of the clip's mean error,
        and the smaller of source and target. (Their paper writes the mean over frames.)

        Returns
        -------
        np.ndarray [shape=(clips, 2)], float32
            Columns :data:`VALUES`, in the order of ``clips``.
        """
        network = recreate(dict(description))
        values = np.zeros((len(clips), len(VALUES)), dtype=np.float32)
        machines = clips["machine"].to_numpy()
        by_machine: dict[str, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            machine, key = name.split("/", 1)
            by_machine.setdefault(machine, {})[key] = tensor
        for machine in sorted(by_machine.keys() & set(machines)):  # others are mere supplements
            weights = dict(by_machine[machine])
            inverse = torch.stack([weights.pop("source"), weights.pop("target")])  # (2, bands, bands)
            network.load_state_dict(weights)
            network.to(device).eval()
            with one_thread(device):
                for row in np.flatnonzero(machines == machine):
                    clip_id = clips["clip_id"].iloc[row]
                    errors = errors_of(network, next(s[clip_id] for s in stores if clip_id in s), device)
                    mean = errors.double().mean(dim=(0, 1))  # (bands,)
                    nearer = torch.einsum("i,dij,j->d", mean, inverse, mean).min().item()
                    values[row] = errors.square().mean().item(), nearer
        return values


def _trained(task: Task, params: Reconstruction, one: tuple[str, pd.DataFrame]) -> dict[str, Any]:
    """Train a machine's autoencoder, or read it where it is finished."""
    machine, clips = one
    path = task.work / f"{machine}.pt"
    state: dict[str, Any] | None = checkpoints.restore(path)
    if state is None:
        with one_thread(task.device):  # here, too: a worker process has threads of its own
            state = _train_machine(task, params, machine, clips)
        checkpoints.save(path, state)
    else:
        print(f"resumed: {machine} was there", flush=True)
    return state


def _train_machine(task: Task, params: Reconstruction, machine: str, clips: pd.DataFrame) -> dict[str, Any]:
    network = task.network().to(task.device)
    frames, starts = vectors([task.store[c] for c in clips["clip_id"]])
    generator = torch_rng(task.seed, "autoencoder", machine)
    order = starts[torch.randperm(len(starts), generator=generator)]
    aside = max(1, round(HELD_OUT * len(order)))
    held_out, used = order[:aside], order[aside:]
    losses = fit(network, frames, used if len(used) > 1 else order, params, generator)
    with torch.inference_mode():
        x = gather(frames, held_out).to(task.device)
        loss = F.mse_loss(network(x), x).item()
    weights = {k: v.cpu() for k, v in network.state_dict().items()}
    target = clips.loc[clips["domain"] == "target", "clip_id"]
    source = clips.loc[clips["domain"] != "target", "clip_id"]
    inverse = {
        "source": precision(network, task, list(source) or list(target)),
        "target": precision(network, task, list(target) or list(source)),
    }
    return {"tensors": weights | inverse, "loss": loss, "losses": losses}


def fit(
    network: nn.Module, frames: Tensor, starts: Tensor, params: Reconstruction, generator: torch.Generator
) -> list[float]:
    """Minimise the mean squared error of reconstruction, in place.

    Parameters
    ----------
    network : nn.Module
    frames : Tensor [shape=(frames, bands)]
        Of all clips, end to end.
    starts : Tensor [shape=(vectors,)], int
        First frames of the vectors to train on.
    params : Reconstruction
    generator : torch.Generator
        Of the order of vectors.

    Returns
    -------
    list of float
        The error by epoch.
    """
    device = next(network.parameters()).device
    optimiser = torch.optim.Adam(network.parameters(), params.learning_rate, fused=True)
    network.train()
    losses = torch.zeros(params.epochs, device=device)
    steps = -(-len(starts) // params.batch)
    for epoch in range(params.epochs):
        order = starts[torch.randperm(len(starts), generator=generator)]
        for step, index in enumerate(order.split(params.batch), start=epoch * steps):
            if len(index) < 2:  # batch normalisation needs two
                continue
            if params.anneal:
                optimiser.param_groups[0]["lr"] = params.learning_rate * warm_cosine(step, params.epochs * steps)
            x = gather(frames, index).to(device)  # (batch, 5 * bands)
            optimiser.zero_grad(set_to_none=True)
            loss = F.mse_loss(network(x), x)
            loss.backward()
            optimiser.step()
            losses[epoch] += loss.detach() * len(index) / len(order)
    if params.fresh_statistics:
        refresh(network, frames, starts, params.batch)
    network.eval()
    return losses.tolist()


def refresh(network: nn.Module, frames: Tensor, starts: Tensor, batch: int) -> None:
    """Give batch normalisation the mean statistics of all batches as the weights now are.

    Running means with the baseline's momentum of 0.01 belong to the weights of the last hundred steps, not to the final
    ones. Batches are of equal size, so that none counts more; ``starts`` are in random order.
    """
    if len(starts) > 1:
        device = next(network.parameters()).device
        batches = starts.tensor_split(max(1, len(starts) // batch))
        update_bn((gather(frames, index).to(device) for index in batches), network)


def vectors(clips: list[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Lay clips end to end: frames ``(frames, bands)`` and the frames where a vector of five frames may start."""
    rows = [stackable(torch.from_numpy(np.array(c))) for c in clips]
    ends = np.cumsum([len(r) for r in rows])
    starts = [torch.arange(end - len(r), end - FRAMES + 1) for r, end in zip(rows, ends, strict=True)]
    return torch.cat(rows), torch.cat(starts)


def stackable(x: Tensor) -> Tensor:
    """Repeat a clip that is shorter than one vector."""
    return x if len(x) >= FRAMES else x.repeat(-(-FRAMES // len(x)), 1)[:FRAMES]


def gather(frames: Tensor, starts: Tensor) -> Tensor:
    """Collect vectors ``(len(starts), 5 * bands)``."""
    bands = frames.shape[1]
    return frames.flatten().unfold(0, FRAMES * bands, bands)[starts]  # rows end to end: a view, then one copy


@torch.inference_mode()
def errors_of(network: nn.Module, x: np.ndarray, device: torch.device) -> Tensor:
    """Reconstruct one clip ``(frames, bands)``; give the errors ``(vectors, 5, bands)``."""
    frames, starts = vectors([x])
    clip = gather(frames, starts).to(device)
    return (network(clip) - clip).cpu().unflatten(1, (FRAMES, -1))


def precision(network: nn.Module, task: Task, clip_ids: list[str]) -> Tensor:
    """Invert the covariance of single frames' errors over clips, ``(bands, bands)`` in float64."""
    count, total, squares = 0, torch.tensor(0.0), torch.tensor(0.0)
    for clip_id in clip_ids:
        errors = errors_of(network, task.store[clip_id], task.device).flatten(0, 1).double()
        count += len(errors)
        total = total + errors.sum(dim=0)
        squares = squares + errors.T @ errors
    covariance = (squares - torch.outer(total, total) / count) / (count - 1)
    return torch.linalg.pinv(covariance, hermitian=True)


@contextmanager
def one_thread(device: torch.device) -> Iterator[None]:
    """Compute by one thread on a CPU: layers so small gain nothing by a second one, and lose all on a busy machine."""
    threads = torch.get_num_threads()
    if device.type == "cpu":
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
