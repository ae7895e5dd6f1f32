"""Continued self-supervised pre-training on machine sounds, step by step, resumable at any of them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from asd import checkpoints, processes
from asd.adaptation.batches import Batch, Machines, draw
from asd.adaptation.objective import SelfDistillation, create_objective, recompute
from asd.base.compute import rng
from asd.base.errors import UserError
from asd.encoders.encoder import Encoder
from asd.encoders.params import AdaptParams
from asd.encoders.training import warm_cosine
from asd.features.store import FeatureStore

EVERY = 50  # steps between checkpoints
Objective = Callable[[Encoder, AdaptParams], SelfDistillation]


class Step(NamedTuple):
    """What is noted of one step."""

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

    Under ``torchrun`` each process takes its share of every batch, and gradients are summed: the same steps.

    Parameters
    ----------
    encoder : Encoder
        With its first weights.
    store : FeatureStore
        Training features.
    machines : mapping of str to sequence of str
        Clips of each machine; machines are drawn evenly, whatever they have.
    params : AdaptParams
        Steps, masks, rates.
    seed : int
        Of clips, crops, masks and of the decoder's first weights.
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
    own = processes.join(device)
    model = _model(encoder, params, seed, objective).to(own)
    undo = recompute(model.student) if params.recompute else lambda: None
    trained = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, params.learning_rate, betas=(0.9, 0.95), weight_decay=0.05, fused=True)
    history = _resume(work / "adapt.pt", model, optimiser)
    quiet = None if processes.rank() == 0 else True
    for step in tqdm(range(len(history), params.steps), "adapt", params.steps, disable=quiet, initial=len(history)):
        for group in optimiser.param_groups:
            group["lr"] = params.learning_rate * warm_cosine(step, params.steps)
        optimiser.zero_grad(set_to_none=True)
        history.append(_gradients(model, _share(store, machines, params, model.student, seed, step), params))
        torch.nn.utils.clip_grad_norm_(trained, params.clip)
        optimiser.step()
        model.follow(params.decay + (params.decay_end - params.decay) * step / params.steps)
        if (step + 1) % EVERY == 0 and processes.rank() == 0:
            state = {"model": model.state_dict(), "optimiser": optimiser.state_dict()}
            checkpoints.save(work / "adapt.pt", state | {"history": [tuple(noted) for noted in history]})
    undo()
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


def _share(
    store: FeatureStore, machines: Machines, params: AdaptParams, encoder: Encoder, seed: int, step: int
) -> Iterator[Batch]:
    """Draw this process's share of a step's clips, part by part."""
    parts = processes.size() * params.accumulate
    if params.batch % parts:
        raise UserError(f"adapt.batch is {params.batch}: it must divide by processes x adapt.accumulate, {parts}")
    each = params.batch // parts
    for part in range(params.accumulate):
        first = step * params.batch + (processes.rank() * params.accumulate + part) * each
        yield draw(store, machines, params, encoder, seed, range(first, first + each))


def _gradients(model: SelfDistillation, share: Iterator[Batch], params: AdaptParams) -> Step:
    """Sum the gradients of a step over parts and processes."""
    weight = next(model.parameters())
    noted: Tensor | float = 0.0
    for batch in share:
        placed = Batch(*(p.to(weight) if p.is_floating_point() else p.to(weight.device) for p in batch))
        with torch.autocast("cuda", torch.bfloat16, enabled=weight.device.type == "cuda"):
            losses, targets = model(placed)
        frame, utterance = losses.frame.sum(), losses.utterance.sum()
        ((params.frame_weight * frame + params.utterance_weight * utterance) / params.batch).backward()
        raw = targets.utterance.double()
        noted = noted + torch.cat([torch.stack([frame, utterance]).detach(), raw.sum(0), raw.square().sum(0)])
    assert isinstance(noted, Tensor)
    processes.sum_up(p.grad for p in model.parameters() if p.grad is not None)
    processes.sum_up([noted])
    frame, utterance, *rest = (noted / params.batch).split([1, 1, raw.shape[1], raw.shape[1]])
    spread = (rest[1] - rest[0].square()).clamp_min(0).mean().sqrt()
    return Step(frame.item(), utterance.item(), spread.item())
