"""The module behind an encoder: what learns when, what is kept, what it refuses; killed training, frozen at first."""

import pytest
import torch
import yaml
from classifier_runs import BANDS, CNN, CPU, Store, clips, embedded, supplements, task, train_params
from conftest import ROOT

from asd.classifiers.objectives import classification
from asd.classifiers.task import Task, model_description
from asd.core.errors import UserError
from asd.encoders.adaptation_module import AdaptationModule, freeze, with_module
from asd.encoders.architectures.beats import BEATs
from asd.encoders.architectures.dasheng import Dasheng
from asd.encoders.architectures.vit import TinyParams, ViTEncoder
from asd.encoders.embedding import apply
from asd.encoders.encoder_params import AdaptationModuleParams, PoolingParams
from asd.encoders.networks import create_encoder, recreate
from asd.params import check

TINY = TinyParams(architecture="tiny", features="x", dims=16, depth=3, heads=2, frames=16)
MODULE = AdaptationModuleParams(layers=2, dims=8)
PARAMS = {"steps": 20, "freeze_steps": 10, "adaptation_module": MODULE, "spec_augment": 0.5}
PARAMS |= {"noise_class": "shared", "clean_class": "machine"}
SHAPE = {"dims": 16, "depth": 3, "heads": 2, "frames": 32}
ENCODERS = {"eat": (ViTEncoder, 32), "beats": (BEATs, 32), "dasheng": (Dasheng, 16)}


def noise(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def made(name):
    kind, bands = ENCODERS[name]
    torch.manual_seed(0)
    return kind(bands, **SHAPE).eval(), bands


def ssl(folder, name="work", **changes) -> Task:
    return task(clips(), train_params(**PARAMS | changes), TINY, folder, name, supplements())


def trained(made: Task):
    return made.params.train(made)


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("kind", ["mean", "attentive_statistics", "relative_deviation"])
@pytest.mark.parametrize("per_band", [False, True])
def test_any_transformer_takes_it_and_padding_changes_nothing(name, kind, per_band):
    encoder, bands = made(name)
    params = AdaptationModuleParams(layers=2, dims=8, pooling=PoolingParams(kind=kind, per_band=per_band))
    network = with_module(encoder, params)
    x = noise(3, 32, bands)
    with torch.inference_mode():
        whole = network(x[:1, :16])
        padded = network(x, torch.tensor([16, 32, 32]))
    assert padded.shape == (3, encoder.bands if per_band else 1, 8)
    torch.testing.assert_close(padded[:1], whole, rtol=1e-4, atol=1e-5)


def test_it_hears_the_last_layers_and_no_others():
    encoder, bands = made("eat")
    network, x = with_module(encoder, MODULE), noise(2, 16, bands)
    heard = network.train()(x)
    heard.sum().backward()
    assert network.chosen == range(2, 4)
    assert all(part.weight.grad.abs().sum() > 0 for part in network.linear)
    assert all(part.qkv.weight.grad.abs().sum() > 0 for part in encoder.blocks)
    with torch.no_grad():
        for linear in network.linear:
            linear.weight.zero_()
        again = network(noise(2, 16, bands) + 5)
    torch.testing.assert_close(again[0], again[1])  # nothing is left but biases


@pytest.mark.parametrize("name", ENCODERS)
def test_a_frozen_encoder_gets_no_gradient_and_keeps_its_statistics(name):
    encoder, bands = made(name)
    network = with_module(encoder, MODULE)
    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    freeze(network, True)
    network.train()(noise(2, 16, bands)).sum().backward()
    assert not [key for key, p in encoder.named_parameters() if p.grad is not None]
    assert all(torch.equal(value, before[key]) for key, value in encoder.state_dict().items())
    assert all(p.grad is not None for key, p in network.named_parameters() if not key.startswith("encoder."))
    freeze(network, False)
    network.train()(noise(2, 16, bands)).sum().backward()
    assert sum(p.grad is not None for p in encoder.parameters()) > 12 * encoder.depth
    changed = [key for key, value in encoder.state_dict().items() if not torch.equal(value, before[key])]
    assert changed == [key for key in before if "running" in key or "tracked" in key]
    assert bool(changed) == (name == "dasheng")


def test_frozen_at_first_then_end_to_end(tmp_path):
    torch.set_num_threads(1)
    first = create_encoder(TINY, BANDS, seed=1).state_dict()
    frozen, _ = trained(ssl(tmp_path, "frozen", steps=10))
    whole, told = trained(ssl(tmp_path, "whole"))
    assert all(torch.equal(frozen[f"encoder.{key}"], value) for key, value in first.items())
    assert not torch.equal(frozen["out.weight"], with_module(create_encoder(TINY, BANDS), MODULE, 3).out.weight)
    assert not torch.equal(whole["encoder.blocks.0.qkv.weight"], first["blocks.0.qkv.weight"])
    assert told["losses"][-1][1] < told["losses"][0][1]
    assert told["classes"] == 8 + 2  # domains are classes in the test's params; clean, noise


@pytest.mark.parametrize("at", [4, 6, 12])
def test_killed_within_and_behind_the_frozen_steps_it_ends_with_the_same_bytes(at, tmp_path, monkeypatch):
    torch.set_num_threads(1)
    whole, told = trained(ssl(tmp_path, "whole"))
    real, done = classification.train_step, []

    def deadly(*arguments):
        if len(done) == at:
            raise KeyboardInterrupt
        done.append(at)
        return real(*arguments)

    monkeypatch.setattr(classification, "train_step", deadly)
    with pytest.raises(KeyboardInterrupt):
        trained(ssl(tmp_path, "killed"))
    monkeypatch.undo()
    resumed, told_again = trained(ssl(tmp_path, "killed"))
    assert told_again == told
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)


def test_what_is_stored_embeds_as_what_was_trained(tmp_path):
    made = ssl(tmp_path, steps=15)
    tensors, _ = trained(made)
    assert isinstance(recreate(model_description(made)), AdaptationModule)
    embeddings = embedded(made, tensors, clips())
    assert embeddings.shape == (len(clips()), 1, 8)
    assert embeddings.std(axis=0).min() > 0


def test_lora_in_the_encoder_and_the_module_behind_it_learn_together(tmp_path):
    first = create_encoder(TINY, BANDS, seed=1).state_dict()
    made = ssl(tmp_path, fine_tune="lora", rank=2)
    tensors, _ = trained(made)
    changed = {key for key, value in first.items() if not torch.equal(tensors[f"encoder.{key}"], value)}
    assert {"blocks.0.qkv.weight", "blocks.2.mlp.0.weight"} < changed
    assert all(key.startswith("blocks.") and key.endswith(".weight") for key in changed)  # LoRA's, merged
    assert not torch.equal(tensors["out.weight"], with_module(create_encoder(TINY, BANDS), MODULE, 3).out.weight)
    recreate(model_description(made)).load_state_dict(tensors)


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_it_embeds_at_the_encoders_precision(precision):
    encoder = create_encoder(TINY.model_copy(update={"precision": precision}), BANDS)
    network = with_module(encoder, MODULE)
    ids, store = list(clips()["clip_id"][:4]), Store(clips())
    rough = apply(network, [store], ids, CPU)
    encoder.precision = "float32"
    exact = apply(network, [store], ids, CPU)
    assert (rough != exact).any()
    assert abs(rough - exact).max() < 0.1 * abs(exact).max()


@pytest.mark.parametrize(
    ("encoder", "layers", "says"),
    [(TINY, 4, "is 4: the encoder has 3 layers"), (CNN, 1, "it takes an encoder of tokens")],
)
def test_an_encoder_that_does_not_fit_is_refused_in_one_line(encoder, layers, says):
    with pytest.raises(UserError, match=f"^adaptation_module.*{says}") as caught:
        with_module(create_encoder(encoder, BANDS), AdaptationModuleParams(layers=layers, dims=8))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("system", "changes", "says"),
    [
        (
            "attribute_cnn",
            {"adaptation_module": {"layers": 1, "dims": 8}},
            "systems.attribute_cnn.train.adaptation_module: se_resnet18 is no transformer, leave it out",
        ),
        ("attribute_cnn", {"freeze_steps": 1}, "without an adaptation_module nothing would learn"),
        ("noise_aware_ssl", {"freeze_steps": 9999}, "freeze_steps is 9999: at most steps"),
        (
            "noise_aware_ssl",
            {"adaptation_module": {"layers": 0, "dims": 8}},
            "systems.noise_aware_ssl.train.adaptation_module.layers is 0",
        ),
        (
            "noise_aware_ssl",
            {"adaptation_module": {"layers": 1, "dims": 8, "pooling": {"kind": "cls"}}},
            "pooling.kind is 'cls': the module pools tokens",
        ),
    ],
)
def test_params_that_do_not_fit_are_refused_in_one_line(system, changes, says):
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["systems"][system]["train"] |= changes
    with pytest.raises(UserError) as caught:
        check(content)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_several_instances_stand_side_by_side():
    """Wang 2025 submitted three: a further block of ``systems:`` each."""
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["features"] |= {"beats_fbank": {"kind": "beats_fbank"}, "dasheng_mel": {"kind": "dasheng_mel"}}
    for name, heard in (("beats_iter3_plus", "beats_fbank"), ("dasheng_base", "dasheng_mel")):
        content["encoders"][name] = {"architecture": name, "features": heard}
        own = content["systems"]["noise_aware_ssl"] | {"encoder": f"initial/{name}", "features": heard}
        content["systems"][f"noise_aware_{name}"] = own
    params = check(content)
    assert isinstance(params.systems["noise_aware_dasheng_base"].train.root, classification.Classification)
