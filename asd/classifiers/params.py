"""The blocks ``systems.<name>.train`` and the section ``train`` of params.yaml."""

from typing import Annotated, Any, Literal

from pydantic import Field, RootModel, field_validator, model_validator

from asd.base.section import Section
from asd.encoders.params import AdaptationModuleParams

Share = Annotated[float, Field(ge=0, le=1)]
Objective = Literal[
    "softmax", "adacos", "adacos_dynamic", "sub_cluster_adacos", "arcface", "sub_center_arcface", "dual_contrastive"
]
LOSS_OPTIONS: dict[str, tuple[str, ...]] = {
    "softmax": (),
    "adacos": ("train_centres",),
    "adacos_dynamic": (),
    "sub_cluster_adacos": ("sub_clusters", "train_centres"),
    "arcface": ("scale", "margin"),
    "sub_center_arcface": ("sub_clusters", "scale", "margin"),
    "dual_contrastive": ("temperature", "weight", "levels", "codes", "decay", "commitment", "projection"),
}
HARD = ("dual_contrastive",)  # losses of clips that are of one class
BLENDING = ("mixup", "statex", "featex")  # changes after which a clip is of several
OPTIONS = sorted({option for options in LOSS_OPTIONS.values() for option in options})


class Untrained(Section):
    """No training: the encoder's first weights are used as they are."""

    objective: Literal["none"]


class Reconstruction(Section):
    """The organisers' autoencoder, one for each machine."""

    objective: Literal["reconstruction"]
    epochs: int = Field(ge=1)
    batch: int = Field(ge=2)
    learning_rate: float = Field(gt=0)
    hold_out: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="share of recordings, the last, that a second network is trained without, for thresholds; 0: none",
    )
    anneal: bool = Field(False, description="the rate rises at first and falls to 0; the baseline's is constant")
    fresh_statistics: bool = Field(
        False,
        description="batch normalisation's, of the trained weights; the baseline's are running means, which lag behind",
    )


class Augmented(Section):
    """What is done to the clips of a batch: for each augmentation the share of clips that it changes."""

    mixup: Share = 0.0
    statex: Share = 0.0
    featex: Share = 0.0
    spec_augment: Share = 0.0
    noise_mix: Share = Field(0.0, description="of all clips but noise: with a noise-only clip")
    snr_low: float = Field(0.0, description="[dB] of the clip to the noise added")
    snr_high: float = Field(15.0, description="[dB]")

    @model_validator(mode="after")
    def _snr_in_order(self) -> "Augmented":
        if self.snr_low > self.snr_high:
            raise ValueError(f"snr_low is {self.snr_low:g}: at most snr_high, {self.snr_high:g}")
        return self


class Classified(Section):
    """What is a class of its own, besides every machine, section and label."""

    domain_class: bool = Field(True, description="source and target apart")
    clean_class: Literal["none", "machine", "normal"] = Field(
        "none", description="of clean clips: left out, a class a machine, or that of the machine's source clips"
    )
    noise_class: Literal["none", "shared", "machine"] = Field("none", description="of noise-only clips")
    further_machines: bool = Field(
        True, description="those of dataset.auxiliary and dataset.pretrain, if there are any"
    )


class Tuned(Section):
    """What of an encoder is trained; all but ``full`` and 0 are for transformers alone."""

    fine_tune: Literal["full", "lora"] = "full"
    rank: int = Field(4, ge=1, description="of a LoRA branch")
    branches: int = Field(1, ge=1, description="of LoRA, connected with each other")
    mixing: Literal["fixed", "learnt", "gated", "plain"] = Field(
        "fixed", description="how they are connected; plain: one of branches x rank"
    )
    alpha: float = Field(8.0, gt=0, description="alpha / rank scales what LoRA adds")
    groups: Annotated[int, Field(ge=0)] | Annotated[list[str], Field(min_length=1)] = Field(
        0, description="of machines, an adapter each: so many found, machines joined by + each, or 0: no adapters"
    )
    bottleneck: int = Field(16, ge=1, description="dimensions within an adapter")

    @field_validator("groups")
    @classmethod
    def _in_one_group(cls, groups: int | list[str]) -> int | list[str]:
        named = [] if isinstance(groups, int) else [machine for own in groups for machine in own.split("+")]
        if twice := sorted({machine for machine in named if named.count(machine) > 1 or not machine}):
            raise ValueError(f"{twice[0]!r}: each machine once")
        return groups


class Classification(Augmented, Classified, Tuned):
    """A classifier of machine x section x domain x label; its embeddings are what is used."""

    objective: Objective
    steps: int = Field(ge=0, description="of the optimiser; 0: the network as it is drawn or adapted")
    batch: int = Field(ge=2)
    learning_rate: float = Field(gt=0)
    hold_out: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="share of recordings, the last, that a second network is trained without, for thresholds; 0: none",
    )
    crop: int = Field(0, ge=0, description="[rows], 0: whole clips")
    target_share: Share = Field(0.0, description="least share of target clips, by repeating them")
    confidence: Literal["ignore", "weight", "soften"] = Field("ignore", description="what is made of unsure labels")
    sampler: Literal["shuffled", "views", "pairs"] = Field(
        "shuffled", description="of batches: any clips, two crops of each, or two clips of a class"
    )
    adaptation_module: AdaptationModuleParams | None = Field(None, description="behind the encoder's last layers")
    freeze_steps: int = Field(0, ge=0, description="first ones, in which the module learns and the encoder does not")
    sub_clusters: int | None = Field(None, ge=1, description="centres of a class")
    train_centres: bool | None = Field(None, description="or centres stay where they were drawn")
    scale: float | None = Field(None, gt=0)
    margin: float | None = Field(None, ge=0, lt=1.5, description="[rad]")
    temperature: float | None = Field(None, gt=0)
    weight: float | None = Field(None, ge=0, description="of the second level")
    levels: Literal[1, 2] | None = Field(None, description="machines, and attributes or codes within them")
    codes: int | None = Field(None, ge=0, description="of a machine without attributes, 0: none")
    decay: float | None = Field(None, ge=0, lt=1, description="of the codes' moving averages")
    commitment: float | None = Field(None, ge=0, description="weight of a clip's distance to its code")
    projection: int | None = Field(None, ge=1, description="dimensions in which clips are compared")

    def loss_options(self) -> dict[str, Any]:
        """Pick what the loss is told; what is not said has the loss's own default."""
        return {name: value for name in LOSS_OPTIONS[self.objective] if (value := getattr(self, name)) is not None}

    @model_validator(mode="after")
    def _something_learns(self) -> "Classification":
        if self.freeze_steps and self.adaptation_module is None:
            raise ValueError(f"freeze_steps is {self.freeze_steps}: without an adaptation_module nothing would learn")
        if self.freeze_steps > self.steps:
            raise ValueError(f"freeze_steps is {self.freeze_steps}: at most steps, {self.steps}")
        return self

    @model_validator(mode="after")
    def _options_of_the_objective(self) -> "Classification":
        for option in OPTIONS:
            if getattr(self, option) is not None and option not in LOSS_OPTIONS[self.objective]:
                having = ", ".join(name for name, options in LOSS_OPTIONS.items() if option in options)
                raise ValueError(f"{option} is an option of {having}, not of {self.objective}: leave it out")
        return self

    @model_validator(mode="after")
    def _batches_fit(self) -> "Classification":
        if blending := [name for name in BLENDING if getattr(self, name) and self.objective in HARD]:
            raise ValueError(f"{blending[0]} blends classes, which {self.objective} can't compare: set it to 0")
        if self.sampler != "shuffled" and self.batch % 2:
            raise ValueError(f"batch is {self.batch}: {self.sampler} come in twos, make it even")
        return self


class TrainParams(RootModel):
    """One block ``systems.<name>.train``, told apart by its objective."""

    root: Annotated[Untrained | Reconstruction | Classification, Field(discriminator="objective")]


class SeedsParams(Section):
    """The section ``train``: training seeds of every system."""

    seeds: list[int] = Field(min_length=1)
    average: Literal["none", "scores"] = "none"

    @model_validator(mode="after")
    def _distinct(self) -> "SeedsParams":
        if len(set(self.seeds)) < len(self.seeds) or min(self.seeds) < 0:
            raise ValueError("training seeds are distinct and not negative")
        return self
