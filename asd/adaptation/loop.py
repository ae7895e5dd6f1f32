"""Continued self-supervised pre-training on machine sounds, step by step, resumable at any of them."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from asd.adaptation.batches import Batch, Machines, draw
from asd.adaptation.objective import SelfDistillation, create_objective, recomputed
from asd.core import checkpoints, processes
from asd.core.compute import rng
from asd.core.errors import UserError
from asd.core.progress import progress
from asd.encoders.encoder import Encoder
from asd.encoders.encoder_params import AdaptParams
from asd.encoders.training import warm_cosine
from asd.features.store import FeatureStore

EVERY = 50  # steps between checkpoints
Objective = Callable[[Encoder, AdaptParams], SelfDistillation]


class Step(NamedTuple):
    """Figures of one step."""

    frame_loss: float
    utterance_loss: float
    target_spread: float
    """Root mean square over dimensions of the standard deviation of the raw utterance target over the batch."""


def adapt(
    encoder: Encoder,
    store: FeatureStore,
    machines: Machines,
    params: AdaptParams,
    seed: int,
    device: torch.device,
    work: Path,
    objective: Objective = create_objective,
) -> list[Step]:
    """Adapt an encoder to unlabelled clips, in place: it becomes the teacher, the average of all students.

    Under ``torchrun`` each process takes its part of every batch, and gradients are averaged: the same steps.

    Parameters
    ----------
    encoder : Encoder
        With its initial weights.
    store : FeatureStore
        Training features.
    machines : mapping of str to sequence of str
        Clips of each machine; machines come equally often, whatever they have.
    params : AdaptParams
        Steps, masks, rates.
    seed : int
        Of clips, crops, masks and of the decoder's initial weights.
    device : torch.device
        Where to compute.
    work : Path
        Folder of the checkpoint.
    objective : callable
        Makes the objective of an encoder.

    Returns
    -------
    list of Step

    Raises
    ------
    UserError
        Where an encoder is not adapted, or a batch does not divide by processes and accumulation.
    """
    device = processes.join(device)
    model = _model(encoder, params, seed, objective).to(device)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, params.learning_rate, betas=(0.9, 0.95), weight_decay=0.05, fused=True)
    history, in_step = _resume(work / "adapt.pt", model, optimiser), processes.in_step(model)
    first = processes.rank() == 0
    steps = range(len(history), params.steps)
    with recomputed(model.student) if params.recompute else nullcontext():
        for step in progress("adapt", "step", params.steps, steps, steps.start, first):
            for group in optimiser.param_groups:
                group["lr"] = params.learning_rate * warm_cosine(step, params.steps)
            optimiser.zero_grad(set_to_none=True)

            # Gradients of this process's clips, part by part; behind the last one they are averaged over processes.
            sums: Tensor | float = 0.0
            parts = parts_of_step(step, params)
            for part in parts:
                batch = draw(store, machines, params, model.student, seed, part).to(next(model.parameters()))
                with processes.without_sync(in_step, part != parts[-1]):
                    sums = sums + _backward(in_step, batch, params)
            history.append(_noted(sums, params))

            torch.nn.utils.clip_grad_norm_(trained, params.clip)
            optimiser.step()
            decay = params.ema_decay + (params.ema_decay_end - params.ema_decay) * step / params.steps
            model.follow(decay)  # the teacher
            if (step + 1) % EVERY == 0 and first:
                state = {"model": model.state_dict(), "optimiser": optimiser.state_dict()}
                checkpoints.save(work / "adapt.pt", state | {"history": [tuple(noted) for noted in history]})
    encoder.load_state_dict(model.teacher.state_dict())
    encoder.to("cpu").eval()
    return history


def _model(encoder: Encoder, params: AdaptParams, seed: int, objective: Objective) -> SelfDistillation:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng(seed, "decoder").integers(2**63)))
        return objective(encoder, params).to(next(encoder.parameters()).dtype).eval()


def _resume(path: Path, model: SelfDistillation, optimiser: torch.optim.Optimizer) -> list[Step]:
    state = processes.from_first(lambda: checkpoints.restore(path))
    if state is None:
        return []
    model.load_state_dict(state["model"])
    optimiser.load_state_dict(state["optimiser"])
    print(f"resumed at step {len(state['history'])}", flush=True)
    return [Step(*noted) for noted in state["history"]]


def parts_of_step(step: int, params: AdaptParams) -> list[range]:
    """Divide this process's clips of a step, positions of :func:`asd.adaptation.batches.clip_at`, into parts.

    Raises
    ------
    UserError
        Where a batch does not divide by processes and accumulation.
    """
    parts = processes.size() * params.accumulate
    if params.batch % parts:
        raise UserError(f"adapt.batch is {params.batch}: it must divide by processes x adapt.accumulate, {parts}")
    each = params.batch // parts
    first = step * params.batch + processes.rank() * params.accumulate * each
    return [range(start, start + each) for start in range(first, first + params.accumulate * each, each)]


def _backward(model: nn.Module, batch: Batch, params: AdaptParams) -> Tensor:
    """Add the gradients of some clips; give sums over them of both losses, of the targets and of their squares."""
    with torch.autocast("cuda", torch.bfloat16, enabled=batch.x.device.type == "cuda"):
        losses, targets = model(batch)
    frame, utterance = losses.frame.sum(), losses.utterance.sum()
    loss = (params.frame_weight * frame + params.utterance_weight * utterance) / params.batch
    (loss * processes.size()).backward()  # gradients are means over processes
    raw = targets.utterance.double()  # (clips, dims)
    return torch.cat([torch.stack([frame, utterance]).detach(), raw.sum(0), raw.square().sum(0)])  # (2 + 2 dims,)


def _noted(sums: Tensor | float, params: AdaptParams) -> Step:
    """Make means of the sums of all parts and processes."""
    assert isinstance(sums, Tensor)
    means = processes.total(sums) / params.batch
    dims = (len(means) - 2) // 2
    frame, utterance, mean, square = means.split([1, 1, dims, dims])
    spread = (square - mean.square()).clamp_min(0).mean().sqrt()
    return Step(frame.item(), utterance.item(), spread.item())
