"""Train an encoder to tell classes of normal sound apart; clips that it embeds far from normal ones are anomalous."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field, create_model, model_validator
from torch import Tensor, nn

from asd.classifiers.augmentations import BLENDING, OF_EMBEDDINGS, augment, label_classes
from asd.classifiers.batches import Batch, Batches, Material, gather
from asd.classifiers.classes import SoundClass
from asd.classifiers.losses import LOSSES, Loss, options_of
from asd.classifiers.params import (
    OBJECTIVES,
    Augmented,
    ClassParams,
    FineTuneParams,
    Fraction,
    Trained,
    TrainedObjective,
)
from asd.classifiers.task import Task
from asd.classifiers.tuning.groups import centres_of, divide, machine_means, of_groups
from asd.classifiers.tuning.lora import train_mode
from asd.classifiers.tuning.tuned import Groups, embed_tuned, stored, tune
from asd.core import checkpoints, processes
from asd.core.compute import rng, torch_rng
from asd.core.progress import TRAIN, progress
from asd.encoders.adaptation_module import freeze, with_module
from asd.encoders.encoder_params import AdaptationModuleParams
from asd.encoders.training import warm_cosine

WEIGHT_DECAY = 0.01
CLIP = 5.0  # length of the gradient
POINTS = 20  # of the curve of the loss
FRAMES = 64  # of the clip that is embedded to see how wide embeddings are, where whole clips are trained on
Curve = list[tuple[int, float, float]]  # after so many steps: mean loss and accuracy since the last point


class Classification(Augmented, ClassParams, FineTuneParams, TrainedObjective):
    """A classifier of machine x section x domain x label; its embeddings are what is used.

    Every loss of :data:`asd.classifiers.losses.LOSSES` is an objective of this kind, whose further keys are the loss's
    options.
    """

    loss: ClassVar[type[Loss]]

    steps: int = Field(ge=0, description="of the optimiser; 0: the network keeps its initial weights")
    crop: int = Field(0, ge=0, description="[frames], 0: whole clips")
    min_target_fraction: Fraction = Field(0.0, description="of target clips, by repeating them")
    confidence: Literal["ignore", "weight", "soften"] = Field("ignore", description="what is made of unsure labels")
    sampler: Literal["shuffled", "views", "pairs"] = Field(
        "shuffled", description="of batches: any clips, two crops of each, or two clips of a class"
    )
    adaptation_module: AdaptationModuleParams | None = Field(None, description="behind the encoder's last layers")
    freeze_steps: int = Field(0, ge=0, description="first ones, in which the module learns and the encoder does not")

    def create_loss(self, dims: int, n_classes: int, classes: Sequence[SoundClass]) -> Loss:
        """Make the loss with its options; see :meth:`Loss.create`."""
        options = {name: getattr(self, name) for name in options_of(self.loss)}
        return self.loss.create(dims, n_classes, classes, **options)

    def description(self) -> dict[str, Any]:
        """See :meth:`Objective.description`: the module behind the encoder and how the encoder was tuned."""
        module = {"adaptation_module": self.adaptation_module.model_dump()} if self.adaptation_module else {}
        return module | {"fine_tune": {name: getattr(self, name) for name in FineTuneParams.model_fields}}

    def train(self, task: Task) -> Trained:
        """Train encoder and loss for a fixed number of steps, resumable after every twentieth of them.

        Under ``torchrun`` each process embeds its rows of every batch; batch normalisation, augmentation and loss see
        the whole batch: the same steps.

        Returns
        -------
        dict of str to Tensor
            The encoder's weights, and where they are not all, what :meth:`embed` makes it from.
        dict
            ``classes`` (of clips, before augmentations make more), ``steps``, ``loss`` and ``accuracy`` on the training
            clips of the last twentieth, ``losses`` as pairs of the fraction of the training that is done and the loss,
            ``groups`` of machines where there are some, and the loss's figures.

        Raises
        ------
        UserError
            Where there is nothing to tell apart.
        """
        material, device = gather(task), processes.join(task.device)
        encoder = with_module(task.network(), self.adaptation_module, task.seed)
        groups = self._groups(task, encoder, material)
        tune(encoder.cpu(), self, groups, task.seed)  # initialised on the CPU, wherever the groups were made
        network = self._network(task, material, encoder).to(device)
        curve = self._fit(task, material, network, groups)
        metrics: dict[str, Any] = {"classes": len(material.classes), "steps": self.steps}
        if curve:
            metrics |= {"loss": curve[-1][1], "accuracy": curve[-1][2]}
        metrics["losses"] = [(step / self.steps, loss) for step, loss, _ in curve]
        metrics |= network["loss"].figures() | ({"groups": groups} if groups else {})  # type: ignore[operator]
        means = machine_means(encoder, [task.store], material.clips, device) if groups else {}
        return stored(encoder, Groups(groups, centres_of(groups, means)) if groups else None), metrics

    embed = staticmethod(embed_tuned)

    def _groups(self, task: Task, encoder: nn.Module, material: Material) -> dict[str, int]:
        """Divide machines into groups, by embeddings of their clips with the initial weights."""
        if not self.groups:
            return {}
        return processes.from_first(
            lambda: divide(self.groups, machine_means(encoder, [task.store], material.clips, task.device))
        )

    def _network(self, task: Task, material: Material, encoder: nn.Module) -> nn.ModuleDict:
        """Put encoder and loss together."""
        encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # convolutions are a third faster
        n_classes = label_classes(material.labels.shape[1], self)
        with torch.random.fork_rng(devices=[]), torch.inference_mode():
            dims = encoder.eval()(torch.zeros(1, self.crop or FRAMES, task.store.n_features)).numel()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng(task.seed, "centres").integers(2**63)))
            loss = self.create_loss(dims, n_classes, material.classes)
        network = nn.ModuleDict({"encoder": encoder, "loss": loss})
        processes.normalise_together(network)
        return network

    def _fit(self, task: Task, material: Material, network: nn.ModuleDict, groups: Mapping[str, int]) -> Curve:
        """Make all steps, in place, from the last checkpoint on; give the curve of the loss."""
        of_clips = torch.tensor([groups[machine] for machine in material.clips["machine"]]) if groups else None
        optimiser = torch.optim.AdamW(network.parameters(), self.learning_rate, weight_decay=WEIGHT_DECAY)
        checkpoint, batches = task.work / "classifier.pt", Batches(task, material)
        start, curve = _resume(checkpoint, network, optimiser)
        every = max(1, self.steps // POINTS)  # steps between points of the curve, which are checkpoints
        encode = processes.in_step(network["encoder"])
        first, totals = processes.rank() == 0, np.zeros(3)  # summed loss, clips classified right, clips
        for step in progress(TRAIN, "step", self.steps, range(start, self.steps), start, first):
            for group in optimiser.param_groups:
                group["lr"] = self.learning_rate * warm_cosine(step, self.steps)
            freeze(network["encoder"], step < self.freeze_steps)
            batch = batches[step]
            numbers = None if of_clips is None else of_clips[batch.clips]  # (clips,)
            generator = torch_rng(task.seed, "embeddings", step)
            totals += train_step(network, encode, optimiser, batch, self, generator, numbers)
            if (step + 1) % every == 0 or step + 1 == self.steps:
                loss, right, clips = totals.tolist()
                curve.append((step + 1, loss / clips, right / clips))
                totals[:] = 0
                if first:
                    state = {"network": network.state_dict(), "optimiser": optimiser.state_dict()}
                    checkpoints.save(checkpoint, state | {"step": step + 1, "curve": curve})
        return curve

    @model_validator(mode="before")
    @classmethod
    def _options_of_other_losses(cls, block: Any) -> Any:
        for key in block if isinstance(block, dict) else ():
            having = sorted(name for name, loss in LOSSES.items() if key in options_of(loss))
            if having and key not in cls.model_fields:
                owners = ", ".join(having)
                raise ValueError(f"{key} is an option of {owners}, not of {block.get('objective')}: leave it out")
        return block

    @model_validator(mode="after")
    def _something_learns(self) -> "Classification":
        if self.freeze_steps and self.adaptation_module is None:
            raise ValueError(f"freeze_steps is {self.freeze_steps}: without an adaptation_module nothing would learn")
        if self.freeze_steps > self.steps:
            raise ValueError(f"freeze_steps is {self.freeze_steps}: at most steps, {self.steps}")
        return self

    @model_validator(mode="after")
    def _batches_fit(self) -> "Classification":
        if blending := [name for name in BLENDING if getattr(self, name) and self.loss.hard_labels]:
            raise ValueError(f"{blending[0]} blends classes, which {self.objective} can't compare: set it to 0")
        if self.sampler != "shuffled" and self.batch % 2:
            raise ValueError(f"batch is {self.batch}: {self.sampler} come in twos, make it even")
        return self


def _with_loss(name: str, loss: type[Loss]) -> type[Classification]:
    """Make the objective of a loss, whose options become keys."""
    fields: dict[str, Any] = {"objective": (Literal[name], ...), **options_of(loss)}
    made = create_model(loss.__name__, __base__=Classification, __doc__=loss.__doc__, **fields)
    made.loss = loss
    return made


for _name, _loss in LOSSES.items():
    OBJECTIVES.register(_name)(_with_loss(_name, _loss))


def _resume(checkpoint: Any, network: nn.Module, optimiser: torch.optim.Optimizer) -> tuple[int, Curve]:
    state = processes.from_first(lambda: checkpoints.restore(checkpoint))
    if state is None:
        return 0, []
    network.load_state_dict(state["network"])
    optimiser.load_state_dict(state["optimiser"])
    print(f"resumed after step {state['step']}", flush=True)
    return int(state["step"]), list(state["curve"])


def train_step(
    network: nn.ModuleDict,
    encode: Callable[[Tensor], Tensor],
    optimiser: torch.optim.Optimizer,
    batch: Batch,
    params: Classification,
    generator: torch.Generator,
    groups: Tensor | None = None,
) -> tuple[float, float, int]:
    """Make one step of training.

    On a GPU the encoder computes in bfloat16 where torch says that it may; embeddings and loss are float32 everywhere.

    Parameters
    ----------
    network : nn.ModuleDict
        ``encoder`` and ``loss``.
    encode : callable
        The encoder, with gradients that are means over processes: :func:`asd.core.processes.in_step`.
    optimiser : torch.optim.Optimizer
    batch : Batch
        The same in all processes.
    params : Classification
    generator : torch.Generator
        Of the augmentations of embeddings.
    groups : Tensor [shape=(clips,)], int, optional
        Of the clips' machines, if there are adapters for them.

    Returns
    -------
    float, float, int
        Summed loss, number of clips classified right, number of clips.
    """
    network["loss"].train()
    train_mode(network["encoder"], params)
    device = next(network.parameters()).device
    clips = len(batch.x)

    # Forward: this process's rows of the batch through the encoder, all rows through the loss.
    x = processes.local_rows(batch.x).to(device)  # (clips of this process, frames, bands)
    numbers = None if groups is None else processes.local_rows(groups).to(device)
    low = torch.autocast("cuda", torch.bfloat16, enabled=device.type == "cuda")
    with of_groups(network["encoder"], numbers), low:
        own = encode(x).flatten(1)  # (clips of this process, dims)
    embeddings = processes.all_rows(own if own.dtype == torch.float64 else own.float(), clips)  # (clips, dims)
    embeddings, labels = augment(OF_EMBEDDINGS, embeddings, batch.y.to(device), params, generator)  # (clips, classes)
    loss, logits = network["loss"](embeddings, labels)  # scalar, (clips, classes)

    # Backward: the gradients of the encoder are averaged over processes, those of the loss are the same in all.
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(network.parameters(), CLIP)
    optimiser.step()
    right = (logits.argmax(dim=1) == labels.argmax(dim=1)).sum().item()
    return loss.item() * clips, right, clips
