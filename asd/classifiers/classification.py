"""Train an encoder to tell classes of normal sound apart; what it embeds differently from them is anomalous."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from asd import checkpoints, processes
from asd.base.compute import rng, torch_rng
from asd.classifiers.augmentations.registry import OF_EMBEDDINGS, augment, label_classes
from asd.classifiers.batches import batch
from asd.classifiers.losses.registry import create_loss
from asd.classifiers.material import Material, gather
from asd.classifiers.params import Classification
from asd.classifiers.task import Task
from asd.classifiers.tuning.groups import centres_of, divide, machine_means, of_groups
from asd.classifiers.tuning.lora import train_mode
from asd.classifiers.tuning.tuned import Groups, extract, stored, tune
from asd.encoders.adaptation_module import freeze
from asd.encoders.training import warm_cosine

__all__ = ["extract", "train"]
WEIGHT_DECAY = 0.01
CLIP = 5.0  # length of the gradient
POINTS = 20  # of the curve of the loss
Curve = list[tuple[int, float, float]]  # after so many steps: mean loss and accuracy since the last point
ROWS = 64  # of a clip that is embedded to see how wide embeddings are


def train(task: Task) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Train encoder and class centres for a fixed number of steps, resumable after every twentieth of them.

    Under ``torchrun`` each process embeds its share of every batch; batch normalisation, augmentation and loss see the
    whole batch: the same steps.

    Returns
    -------
    dict of str to Tensor
        The encoder's weights, and where they are not all, what :func:`extract` makes it from.
    dict
        ``classes`` (of clips, before augmentations make more), ``steps``, ``loss`` and ``accuracy`` on the training
        clips of the last twentieth, ``losses`` as pairs of the share of the training that is done and the loss,
        ``groups`` of machines where there are some, and what the loss tells.

    Raises
    ------
    UserError
        Where there is nothing to tell apart.
    """
    params = task.params
    assert isinstance(params, Classification)
    material, device = gather(task), processes.join(task.device)
    encoder = task.network()
    groups = _groups(task, encoder, material)
    tune(encoder.cpu(), params, groups, task.seed)  # drawn by the CPU's generators, whatever groups were found on
    trained = _model(task, material, encoder).to(device)
    curve = _run(task, material, trained, groups)
    found: dict[str, Any] = {"classes": len(material.names), "steps": params.steps}
    if curve:
        found |= {"loss": curve[-1][1], "accuracy": curve[-1][2]}
    found["losses"] = [(step / params.steps, loss) for step, loss, _ in curve]
    found |= getattr(trained["loss"], "figures", dict)() | ({"groups": groups} if groups else {})
    means = machine_means(encoder, [task.store], material.clips, device) if groups else {}
    return stored(encoder, Groups(groups, centres_of(groups, means)) if groups else None), found


def _groups(task: Task, encoder: nn.Module, material: Material) -> dict[str, int]:
    """Divide machines into the groups that are asked for, by what the first weights make of their clips."""
    params = task.params
    assert isinstance(params, Classification)
    if not params.groups:
        return {}
    return processes.from_first(
        lambda: divide(params.groups, machine_means(encoder, [task.store], material.clips, task.device))
    )


def _model(task: Task, material: Material, encoder: nn.Module) -> nn.ModuleDict:
    """Put encoder and loss together."""
    params = task.params
    assert isinstance(params, Classification)
    encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # convolutions are a third faster
    classes = label_classes(material.labels.shape[1], params)
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        dims = encoder.eval()(torch.zeros(1, params.crop or ROWS, task.store.bands)).numel()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng(task.seed, "centres").integers(2**63)))
        trained = nn.ModuleDict({"encoder": encoder, "loss": create_loss(params, dims, classes, material.names)})
    processes.normalise_together(trained)
    return trained


def _run(task: Task, material: Material, trained: nn.ModuleDict, groups: dict[str, int]) -> Curve:
    """Make all steps, in place, from the last checkpoint on; give the curve."""
    params = task.params
    assert isinstance(params, Classification)
    numbers = torch.tensor([groups[machine] for machine in material.clips["machine"]]) if groups else None
    optimiser = torch.optim.AdamW(trained.parameters(), params.learning_rate, weight_decay=WEIGHT_DECAY)
    start, curve = _resume(task, trained, optimiser)
    every = max(1, params.steps // POINTS)  # steps between points of the curve, which are checkpoints
    first, totals = processes.rank() == 0, np.zeros(3)
    for step in tqdm(range(start, params.steps), "steps", initial=start, total=params.steps, disable=not first or None):
        for group in optimiser.param_groups:
            group["lr"] = params.learning_rate * warm_cosine(step, params.steps)
        freeze(trained["encoder"], step < params.freeze_steps)
        x, y, index = batch(task, material, step)
        generator = torch_rng(task.seed, "embeddings", step)
        own = None if numbers is None else numbers[index]
        totals += train_step(trained, optimiser, x, y, params, generator, own)
        if (step + 1) % every == 0 or step + 1 == params.steps:
            loss, right, clips = totals.tolist()
            curve.append((step + 1, loss / clips, right / clips))
            totals[:] = 0
            state = {"trained": trained.state_dict(), "optimiser": optimiser.state_dict(), "step": step + 1}
            if first:
                checkpoints.save(task.work / "classifier.pt", state | {"curve": curve})
    return curve


def _resume(task: Task, trained: nn.Module, optimiser: torch.optim.Optimizer) -> tuple[int, Curve]:
    state = processes.from_first(lambda: checkpoints.restore(task.work / "classifier.pt"))
    if state is None:
        return 0, []
    trained.load_state_dict(state["trained"])
    optimiser.load_state_dict(state["optimiser"])
    print(f"resumed after step {state['step']}", flush=True)
    return int(state["step"]), list(state["curve"])


def train_step(
    trained: nn.ModuleDict,
    optimiser: torch.optim.Optimizer,
    x: Tensor,
    y: Tensor,
    params: Classification,
    generator: torch.Generator,
    groups: Tensor | None = None,
) -> tuple[float, float, int]:
    """Make one step; give the summed loss, the number of clips classified right, and their number.

    ``groups`` are those of the clips' machines, if there are adapters for them. On a GPU the encoder computes in
    bfloat16 where torch says that it may; embeddings and loss are float32 everywhere.
    """
    trained["loss"].train()
    train_mode(trained["encoder"], params)
    device = next(trained.parameters()).device
    numbers = None if groups is None else processes.share(groups).to(device)
    low = torch.autocast("cuda", torch.bfloat16, enabled=device.type == "cuda")
    with of_groups(trained["encoder"], numbers), low:
        own = trained["encoder"](processes.share(x).to(device)).flatten(1)
    embeddings = processes.put_together(own if own.dtype == torch.float64 else own.float(), len(x))
    embeddings, labels = augment(OF_EMBEDDINGS, embeddings, y.to(device), params, generator)
    loss, logits = trained["loss"](embeddings, labels)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    processes.sum_up(p.grad for p in trained["encoder"].parameters() if p.grad is not None)
    nn.utils.clip_grad_norm_(trained.parameters(), CLIP)
    optimiser.step()
    right = (logits.argmax(dim=1) == labels.argmax(dim=1)).sum().item()
    return loss.item() * len(x), right, len(x)
