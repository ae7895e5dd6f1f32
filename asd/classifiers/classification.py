"""Train an encoder to tell classes of normal sound apart; what it embeds differently from them is anomalous."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from asd import checkpoints
from asd.classifiers.augmentations import mixup
from asd.classifiers.classes import class_targets
from asd.classifiers.losses.registry import LOSSES
from asd.classifiers.params import Classification
from asd.classifiers.task import Task
from asd.classifiers.untrained import extract
from asd.compute import rng, torch_rng
from asd.encoders.training import crop, warm_cosine

__all__ = ["extract", "train"]  # a classifier is extracted from like an untrained encoder
WEIGHT_DECAY = 0.01
ROWS = 64  # of a clip that is embedded to see how wide embeddings are


def train(task: Task) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Train encoder and class centres for a fixed number of epochs, resumable after each.

    Returns
    -------
    dict of str to Tensor
        The encoder's weights.
    dict
        ``classes``, ``loss`` and ``accuracy`` on the training clips of the last epoch, and ``losses`` of all epochs.
    """
    params = task.params
    assert isinstance(params, Classification)
    labels = torch.from_numpy(class_targets(task.clips, params.confidence))
    network = task.network().to(task.device)
    width = _width(network, params.crop or ROWS, task)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng(task.seed, "centres").integers(2**63)))
        loss = LOSSES[params.objective](width, labels.shape[1]).to(task.device)  # type: ignore[arg-type]
    trained = nn.ModuleDict({"encoder": network, "loss": loss})
    optimiser = torch.optim.AdamW(trained.parameters(), params.learning_rate, weight_decay=WEIGHT_DECAY)
    start, metrics, losses = _resume(task, trained, optimiser)
    steps = len(labels) // params.batch + (len(labels) % params.batch > 1)
    for epoch in tqdm(range(start, params.epochs), initial=start, total=params.epochs, disable=None, desc="epochs"):
        totals = np.zeros(3)
        for step, (x, y) in enumerate(batches(task, labels, epoch)):
            share = warm_cosine(epoch * steps + step, params.epochs * steps)
            totals += train_step(trained, optimiser, x.to(task.device), y.to(task.device), params.learning_rate * share)
        metrics = {"loss": float(totals[0] / totals[2]), "accuracy": float(totals[1] / totals[2])}
        losses.append(metrics["loss"])
        state = {"trained": trained.state_dict(), "optimiser": optimiser.state_dict(), "epoch": epoch + 1}
        checkpoints.save(task.work / "classifier.pt", state | {"metrics": metrics, "losses": losses})
    found = {"classes": int(labels.shape[1]), "epochs": params.epochs} | metrics | {"losses": losses}
    return dict(network.cpu().state_dict()), found


def _width(network: nn.Module, rows: int, task: Task) -> int:
    """Count the numbers of an embedding, all layers and bands that are pooled side by side."""
    with torch.inference_mode():
        return network.eval()(torch.zeros(1, rows, task.store.bands, device=task.device)).numel()


def _resume(
    task: Task, trained: nn.Module, optimiser: torch.optim.Optimizer
) -> tuple[int, dict[str, float], list[float]]:
    state = checkpoints.restore(task.work / "classifier.pt")
    if state is None:
        return 0, {}, []
    trained.load_state_dict(state["trained"])
    optimiser.load_state_dict(state["optimiser"])
    print(f"resumed after epoch {state['epoch']}", flush=True)
    return int(state["epoch"]), dict(state["metrics"]), list(state["losses"])


def train_step(
    trained: nn.ModuleDict, optimiser: torch.optim.Optimizer, x: Tensor, y: Tensor, learning_rate: float
) -> tuple[float, float, int]:
    """Make one step; give the summed loss, the number of clips classified right, and their number."""
    for group in optimiser.param_groups:
        group["lr"] = learning_rate
    trained.train()
    with torch.autocast("cuda", torch.bfloat16, enabled=x.device.type == "cuda"):
        embeddings = trained["encoder"](x).flatten(1)
    loss, logits = trained["loss"](embeddings.float(), y)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(trained.parameters(), 5.0)
    optimiser.step()
    right = (logits.argmax(dim=1) == y.argmax(dim=1)).sum().item()
    return loss.item() * len(x), right, len(x)


def batches(task: Task, labels: Tensor, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Draw the batches of an epoch: crops ``(clips, rows, bands)`` and soft labels ``(clips, classes)``.

    Every clip comes once; a rest of a single clip is left out, since batch normalisation needs two.
    """
    params = task.params
    assert isinstance(params, Classification)
    clip_ids = list(task.clips["clip_id"])
    rows = params.crop or max(task.store.rows(c) for c in clip_ids)
    generator = torch_rng(task.seed, "batches", epoch)
    for index in torch.randperm(len(clip_ids), generator=generator).split(params.batch):
        if len(index) < 2:
            continue
        chosen = [clip_ids[i] for i in index]
        cut = [crop(task.store.normalised(task.store[c]), rows, rng(task.seed, "crop", epoch, c)) for c in chosen]
        yield mixup(torch.from_numpy(np.stack(cut)), labels[index], params.mixup, generator)
