"""Parts of systems changed one at a time: system -> name of the variant -> keys and values for ``dvc exp run -S``."""

from typing import Any

import yaml

Changes = dict[str, Any]
SHIPPED, ORACLE = "as shipped", "oracle labels"
LABELS = {
    "no pseudo-labels": "given",
    "labels by frequency": "frequency",
    "labels by clustering": "hierarchical",
    "labels by clustering spectra": "spectrum",
    "labels by choice": "auto",
    ORACLE: "oracle",
}
NO_ADAPTATION = {"no adaptation": {"encoders.tiny_adapted.adapt": None}}  # of the encoder that three systems share


def trained(system: str, **values: Any) -> Changes:
    """Change keys of a system's training."""
    return {f"systems.{system}.train.{key}": value for key, value in values.items()}


def back_end(system: str, name: str, scorer: str) -> dict[str, Changes]:
    """Take another scorer, which has the shipped one's options."""
    return {name: {f"systems.{system}.score.scorer": scorer}}


def labelled(system: str, *names: str) -> dict[str, Changes]:
    """Take other labels."""
    return {name: {f"systems.{system}.labels": LABELS[name]} for name in names}


def _attribute_cnn(own: str) -> dict[str, Changes]:
    return {
        "no mixup": trained(own, mixup=0.0),
        "no StatEx, no FeatEx": trained(own, statex=0.0, featex=0.0),
        "no StatEx": trained(own, statex=0.0),
        "no FeatEx": trained(own, featex=0.0),
        **labelled(own, "no pseudo-labels", "labels by frequency", "labels by clustering", ORACLE),
        "no noise class": trained(own, noise_class="none"),
        "no supplemental clips": trained(own, noise_class="none", clean_class="none"),
        "noise mixed in": trained(own, noise_mix=0.5),
        "domains are one class": trained(own, domain_class=False),
        "whole clips": trained(own, crop=0),
        "softmax": trained(own, objective="softmax"),
        "ArcFace": trained(own, objective="arcface"),
        "sub-cluster AdaCos": trained(own, objective="sub_cluster_adacos"),
        "no high-pass": {"features.log_mel_high_pass.high_pass": 0},
        "level kept": {"features.log_mel_high_pass.level": "keep"},
        **back_end(own, "local density", "local_density"),
    }


def _noise_aware_cnn(own: str) -> dict[str, Changes]:
    branches = "encoders.dual_branch.branches"
    return {
        "whole clips": trained(own, crop=0),
        "spectrogram alone": {branches: "stft"} | trained(own, featex=0.0),
        "spectrum alone": {branches: "spectrum"} | trained(own, featex=0.0),
        "logarithms of magnitudes": {"encoders.dual_branch.magnitudes": "log"},
        "no exchange of branches": trained(own, featex=0.0),
        "no mixup": trained(own, mixup=0.0),
        "no noise classes": trained(own, noise_class="none", clean_class="none"),
        "domains are one class": trained(own, domain_class=False),
        "softmax": trained(own, objective="softmax"),
        "sub-cluster AdaCos": trained(own, objective="sub_cluster_adacos"),
        "level kept": {"features.waveform.level": "keep"},
        **labelled(own, "labels by choice", ORACLE),
        **back_end(own, "local density", "local_density"),
    }


def _noise_aware_ssl(own: str) -> dict[str, Changes]:
    return {
        **NO_ADAPTATION,
        "no freezing": trained(own, freeze_steps=0),
        "no noise classes": trained(own, noise_class="none", clean_class="none"),
        "no SpecAugment": trained(own, spec_augment=0.0),
        "last layer alone": {f"systems.{own}.train.adaptation_module.layers": 1},
        "domains are one class": trained(own, domain_class=False),
        **labelled(own, "labels by choice", ORACLE),
        **back_end(own, "local density", "local_density"),
    }


def _domain_adapted(own: str) -> dict[str, Changes]:
    return {
        **NO_ADAPTATION,
        "no fine-tuning": trained(own, steps=0),
        **labelled(own, "no pseudo-labels", "labels by frequency", "labels by clustering spectra"),
        **labelled(own, "labels by choice", ORACLE),
        "LoRA": trained(own, fine_tune="lora"),
        **back_end(own, "local density", "local_density"),
    }


def _group_lora(own: str) -> dict[str, Changes]:
    return {
        **NO_ADAPTATION,
        "full fine-tuning": trained(own, fine_tune="full"),
        "plain LoRA": trained(own, mixing="plain"),
        "fixed mixing": trained(own, mixing="fixed"),
        "gated mixing": trained(own, mixing="gated"),
        "no group adapter": trained(own, groups=0),
        "no VQ": trained(own, codes=0),
        "one-level contrastive": trained(own, levels=1),
        **labelled(own, "labels by choice", ORACLE),
        **back_end(own, "local density", "local_density"),
    }


def _autoencoder(own: str) -> dict[str, Changes]:
    baseline = {"epochs": 100, "batch": 256, "learning_rate": 0.001, "anneal": False, "fresh_statistics": False}
    return {
        "the baseline's training": trained(own, **baseline),
        "batches of 256": trained(own, epochs=18, batch=256),
        "running statistics": trained(own, fresh_statistics=False),
    }


VARIANTS: dict[str, dict[str, Changes]] = {
    system: {SHIPPED: {}} | changes(system)
    for system, changes in {
        "attribute_cnn": _attribute_cnn,
        "noise_aware_cnn": _noise_aware_cnn,
        "noise_aware_ssl": _noise_aware_ssl,
        "domain_adapted": _domain_adapted,
        "group_lora": _group_lora,
        "autoencoder": _autoencoder,
    }.items()
}


def changed(params: dict[str, Any], changes: Changes) -> dict[str, Any]:
    """Change keys of params that are there, as ``dvc exp run -S`` does."""
    params = yaml.safe_load(yaml.safe_dump(params))
    for key, value in changes.items():
        *path, last = key.split(".")
        block = params
        for part in path:
            block = block[part]
        if last not in block:
            raise KeyError(key)
        block[last] = value
    return params


def command(changes: Changes) -> str:
    """Write the command that makes a variant."""
    values = {key: "null" if value is None else str(value).lower() for key, value in changes.items()}
    return "dvc exp run " + " ".join(f"-S {key}={value}" for key, value in values.items())
