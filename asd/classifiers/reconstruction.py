"""The organisers' autoencoder: one for each machine, scored by its reconstruction error."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn
from tqdm import tqdm

from asd import checkpoints, processes
from asd.base.compute import PAYS, ComputeParams, parallel, torch_rng
from asd.base.errors import UserError
from asd.classifiers.params import Reconstruction
from asd.classifiers.task import Task
from asd.encoders.dense import FRAMES
from asd.encoders.training import warm_cosine
from asd.features.store import FeatureStore

VALUES = ("mse", "mahalanobis")  # columns of what extract gives
HELD_OUT = 0.1  # share of the vectors whose loss is watched, not trained on
STEP = 0.01  # [s] of one training step on a CPU, about


def train(task: Task) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Train one autoencoder for each machine; machines finished before an interruption are not trained again.

    Returns
    -------
    dict of str to Tensor
        ``<machine>/<name>``: weights, and the precision matrices of the error, ``source`` and ``target``.
    dict
        Loss on held-out vectors for each machine, and ``losses``, means over machines, as pairs of the share of the
        training that is done and the loss.

    Raises
    ------
    UserError
        Under ``torchrun``, each process of which would train them all.
    """
    if processes.size() > 1:
        raise UserError("autoencoders are trained by compute.jobs workers: start their stage without torchrun")
    machines = {str(machine): clips for machine, clips in task.clips.groupby("machine")}
    shown = tqdm(_side_by_side(task, machines), total=len(machines), disable=None, desc="autoencoder")
    with one_thread(task.device):
        states = dict(zip(machines, shown, strict=True))
    tensors = {f"{name}/{key}": tensor for name, state in states.items() for key, tensor in state["tensors"].items()}
    held_out = {name: state["loss"] for name, state in states.items()}
    means = np.mean([state["losses"] for state in states.values()], axis=0)
    losses = [((epoch + 1) / len(means), loss) for epoch, loss in enumerate(means.tolist())]
    return tensors, {"held_out_loss": held_out, "losses": losses}


def _side_by_side(task: Task, machines: Mapping[str, pd.DataFrame]) -> Iterator[dict[str, Any]]:
    """Train machines by several processes where that pays, or one after the other; so on a GPU."""
    assert isinstance(task.params, Reconstruction)
    steps = task.params.epochs * sum(map(task.store.rows, task.clips["clip_id"])) / task.params.batch
    alone = task.device.type != "cpu" or STEP * steps <= PAYS
    return parallel(partial(_trained, task), machines.items(), ComputeParams(jobs=1) if alone else None, STEP * steps)


def _trained(task: Task, one: tuple[str, pd.DataFrame]) -> dict[str, Any]:
    """Train a machine's autoencoder, or read what is there of it."""
    machine, clips = one
    path = task.work / f"{machine}.pt"
    state: dict[str, Any] | None = checkpoints.restore(path)
    if state is None:
        with one_thread(task.device):  # here, too: a worker process has threads of its own
            state = _train_machine(task, machine, clips)
        checkpoints.save(path, state)
    else:
        print(f"resumed: {machine} was there", flush=True)
    return state


def _train_machine(task: Task, machine: str, clips: pd.DataFrame) -> dict[str, Any]:
    network = task.network().to(task.device)
    frames, starts = vectors([task.store[c] for c in clips["clip_id"]])
    generator = torch_rng(task.seed, "autoencoder", machine)
    order = starts[torch.randperm(len(starts), generator=generator)]
    aside = max(1, round(HELD_OUT * len(order)))
    held_out, used = order[:aside], order[aside:]
    losses = fit(network, frames, used if len(used) > 1 else order, task, generator)
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


def fit(network: nn.Module, frames: Tensor, starts: Tensor, task: Task, generator: torch.Generator) -> list[float]:
    """Minimise the mean squared error of reconstruction over all vectors, in place; give it by epoch."""
    params = task.params
    assert isinstance(params, Reconstruction)
    optimiser = torch.optim.Adam(network.parameters(), params.learning_rate, fused=True)
    network.train()
    losses = torch.zeros(params.epochs, device=task.device)
    steps = -(-len(starts) // params.batch)
    for epoch in range(params.epochs):
        order = starts[torch.randperm(len(starts), generator=generator)]
        for step, index in enumerate(order.split(params.batch), start=epoch * steps):
            if len(index) < 2:  # batch normalisation needs two
                continue
            if params.anneal:
                optimiser.param_groups[0]["lr"] = params.learning_rate * warm_cosine(step, params.epochs * steps)
            x = gather(frames, index).to(task.device)
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
    """Lay clips end to end: frames ``(rows, bands)`` and the rows where a vector of five frames may start."""
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
    """Reconstruct one clip ``(rows, bands)``; give the errors ``(vectors, 5, bands)``."""
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


def extract(
    network: nn.Module,
    tensors: dict[str, Tensor],
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
        Columns ``mse`` and ``mahalanobis``, in the order of ``clips``.
    """
    values = np.zeros((len(clips), len(VALUES)), dtype=np.float32)
    machines = clips["machine"].to_numpy()
    for machine in sorted({n.split("/", 1)[0] for n in tensors} & set(machines)):  # others are mere supplements
        mine = {n.split("/", 1)[1]: t for n, t in tensors.items() if n.split("/", 1)[0] == machine}
        inverse = torch.stack([mine.pop("source"), mine.pop("target")])
        network.load_state_dict(mine)
        network.to(device).eval()
        with one_thread(device):
            for row in np.flatnonzero(machines == machine):
                clip_id = clips["clip_id"].iloc[row]
                errors = errors_of(network, next(s[clip_id] for s in stores if clip_id in s), device)
                mean = errors.double().mean(dim=(0, 1))
                nearer = torch.einsum("i,dij,j->d", mean, inverse, mean).min().item()
                values[row] = errors.square().mean().item(), nearer
    return values


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
