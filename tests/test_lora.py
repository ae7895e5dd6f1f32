"""LoRA: nothing is changed at first, nothing else is trained, what merges is the same map."""

import copy

import pytest
import torch
from classifier_runs import BANDS, CNN, TINY, clips, task, train_params

from asd.classifiers.tuning.lora import LoRA, install, merge, train_mode
from asd.classifiers.tuning.tuned import restore, stored
from asd.core.errors import UserError
from asd.encoders.adaptation_module import with_module
from asd.encoders.encoder_params import AdaptationModuleParams
from asd.encoders.networks import create_encoder

ENCODERS = {
    "tiny": 16,
    "small": 48,
    "eat_base": 48,
    "beats_iter3_plus": 72,
    "dasheng_base": 48,
}  # layers that have LoRA
MERGING = ("fixed", "learnt", "plain")
KINDS = (*MERGING, "gated")


def lora(**options):
    return train_params(**{"fine_tune": "lora", "branches": 3, "rank": 2} | options)


def randomised(network):
    """Draw whatever is trained, as if it had been."""
    generator = torch.Generator().manual_seed(1)
    for p in network.parameters():
        if p.requires_grad:
            p.data += 0.05 * torch.randn(p.shape, generator=generator)
    return network


def adapted(mixing):
    network = create_encoder(TINY, BANDS, seed=1)
    install(network, lora(mixing=mixing), 3)
    return network


@pytest.mark.parametrize(
    ("architecture", "mixing"), [*(("tiny", mixing) for mixing in MERGING), *((name, "gated") for name in ENCODERS)]
)
def test_at_first_the_output_is_the_same_to_the_bit(architecture, mixing):
    network = create_encoder(architecture)
    x = torch.randn(2, 48, 64 if architecture == "dasheng_base" else 128)
    with torch.inference_mode():
        before = network(x)
        install(network, lora(mixing=mixing), 3)
        after = network(x)
    assert sum(isinstance(part, LoRA) for part in network.modules()) == ENCODERS[architecture]
    assert before.numpy().tobytes() == after.numpy().tobytes()


@pytest.mark.parametrize("mixing", KINDS)
def test_lora_alone_gets_gradients(mixing):
    network = randomised(adapted(mixing))
    network(torch.randn(4, 32, BANDS)).square().sum().backward()
    got = {name.rsplit(".", 1)[1] for name, p in network.named_parameters() if p.grad is not None}
    assert got == {"fixed": {"a", "b"}, "plain": {"a", "b"}, "learnt": {"a", "b", "mix"}}.get(
        mixing, {"a", "b", "mix", "gate"}
    )
    assert all(p.grad.abs().sum() > 0 for p in network.parameters() if p.grad is not None)


@pytest.mark.parametrize("architecture", ["tiny", "dasheng"])
def test_what_is_frozen_stays_as_it_was_through_training(architecture, tmp_path, monkeypatch):
    """All weights and all statistics, also batch normalisation's."""
    from asd.encoders.architectures.dasheng import Dasheng

    made = task(clips(), lora(steps=8), TINY, tmp_path)
    network = made.network() if architecture == "tiny" else Dasheng(BANDS, dims=16, depth=2, heads=2, frames=32)
    before = copy.deepcopy(network.state_dict())
    monkeypatch.setattr(type(made), "network", lambda _: network)
    monkeypatch.setattr("asd.classifiers.tuning.lora.merge", lambda _: None)  # to look at the parts
    after, _ = made.params.train(made)
    for name, value in before.items():
        kept = after.get(name, after.get(f"{'.base.'.join(name.rsplit('.', 1))}"))
        assert torch.equal(value, kept), name
    changed = [name for name in after if name.endswith(".b")]
    assert len(changed) == 8
    assert all(after[name].abs().sum() > 0 for name in changed)


def test_behind_a_frozen_encoder_the_adaptation_module_learns_with_lora():
    network = with_module(create_encoder(TINY, BANDS, seed=1), AdaptationModuleParams(layers=2, dims=8))
    install(network, lora(), 3)
    train_mode(network, lora())
    assert network.linear.training
    assert not network.encoder.training
    network(torch.randn(4, 32, BANDS)).square().sum().backward()
    got = {name for name, p in network.named_parameters() if p.grad is not None}
    assert {name.split(".")[0] for name in got if not name.endswith((".a", ".b"))} == {"linear", "out"}
    assert sum(name.endswith(".b") for name in got) == 8


@pytest.mark.parametrize("mixing", MERGING)
def test_merged_is_unmerged(mixing):
    network = randomised(adapted(mixing))
    x = torch.randn(4, 32, BANDS)
    with torch.inference_mode():
        unmerged = network(x)
        plain = create_encoder(TINY, BANDS)
        changed = (plain.eval()(x) - unmerged).abs().max()
        merge(network)
        merged = network(x)
    assert network.state_dict().keys() == plain.state_dict().keys()
    assert changed > 0.01
    torch.testing.assert_close(merged, unmerged, rtol=0, atol=1e-5)


def test_several_branches_are_one_of_their_ranks_together_and_no_less():
    layer = randomised(LoRA(torch.nn.Linear(20, 20), 3, 2, "learnt"))
    fixed = randomised(LoRA(torch.nn.Linear(20, 20), 3, 2, "fixed"))
    for own in (layer, fixed):
        low = own.a.detach().flatten(0, 1)
        added = own.up(own.mix).detach() @ low
        assert torch.linalg.matrix_rank(added) == 6
        one = LoRA(own.base, 1, 6)
        one.a.data, one.b.data = low[None], own.up(own.mix).detach()[None]
        x = torch.randn(5, 20)
        torch.testing.assert_close(one(x), own(x))


def test_the_gate_looks_at_what_it_mixes():
    """The gated map is not linear, so no merged layer can do the same."""
    layer = randomised(LoRA(torch.nn.Linear(20, 20, bias=False), 3, 2, "gated"))
    x = torch.randn(5, 20)
    added = [layer(factor * x) - layer.base(factor * x) for factor in (1, 2)]
    assert (added[1] - 2 * added[0]).abs().max() > 1e-4
    loop = torch.zeros(5, 20)
    for clip in range(5):
        gate = 2 * torch.sigmoid(layer.gate @ x[clip]).view(3, 3) * layer.mix
        for i in range(3):
            for j in range(3):
                loop[clip] += gate[i, j] * layer.b[j] @ (layer.a[i] @ x[clip])
    torch.testing.assert_close(added[0], loop, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("mixing", KINDS)
def test_what_is_stored_gives_the_same_network_again(mixing):
    network = randomised(adapted(mixing))
    x = torch.randn(4, 32, BANDS)
    with torch.inference_mode():
        before = network(x)
        tensors = stored(network, None)
        again = create_encoder(TINY, BANDS)
        assert restore(again, tensors, lora(mixing=mixing)) is None
        torch.testing.assert_close(again.eval()(x), before, rtol=0, atol=0 if mixing == "gated" else 1e-5)


def test_a_network_without_transformer_blocks_is_refused_in_one_line():
    with pytest.raises(
        UserError, match=r"^train.fine_tune is 'lora': SEResNet18Encoder is no transformer, set it to full$"
    ):
        install(create_encoder(CNN, BANDS), lora(), 3)
