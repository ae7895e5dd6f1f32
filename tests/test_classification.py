"""Training to its end, after a kill, by two processes; classes of all kinds; few of them."""

import multiprocessing
import signal
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from classifier_runs import CNN, SETUPS, clips, embedded, killed, supplements, task, train_params, twelve_steps, whole
from conftest import posix, run_by_two_processes

from asd.classifiers.batches import Batches, epoch_order, gather
from asd.classifiers.classes import class_targets, sound_classes
from asd.classifiers.losses import LOSSES
from asd.classifiers.params import ClassParams
from asd.classifiers.task import embed, model_description
from asd.core.errors import UserError
from asd.encoders.networks import create_encoder, load_tensors

OF_LABELS = [name for name in LOSSES if not LOSSES[name].hard_labels]


def train(made):
    return made.params.train(made)


@pytest.mark.slow
@pytest.mark.parametrize("objective", OF_LABELS)
def test_a_classifier_learns_its_classes(objective, tmp_path):
    made = task(clips(), train_params(objective=objective, steps=96), CNN, tmp_path)
    tensors, metrics = train(made)
    assert metrics["classes"] == 8
    assert metrics["accuracy"] > 0.8
    assert len(metrics["losses"]) == 96 // (96 // 20)
    assert metrics["losses"][-1] == (1, metrics["loss"])
    assert metrics["loss"] < metrics["losses"][0][1]
    embeddings = embedded(made, tensors, clips())
    assert embeddings.shape == (len(clips()), 1, 64)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("setup", SETUPS)
def test_everything_trains_and_extracts_on_a_gpu(setup, tmp_path):
    made, gpu = whole(setup, tmp_path, "gpu"), torch.device("cuda")
    tensors, told = train(replace(made, device=gpu))
    assert np.isfinite(told["losses"]).all()
    description = model_description(made)
    assert np.isfinite(embed(description, tensors, made.clips, [made.store], gpu)).all()


@pytest.mark.slow
@posix
@pytest.mark.parametrize("setup", SETUPS)
def test_killed_training_ends_with_the_same_bytes(setup, tmp_path, capsys):
    torch.set_num_threads(1)
    undisturbed, told = train(whole(setup, tmp_path, "undisturbed"))
    process = multiprocessing.get_context("spawn").Process(target=killed, args=(tmp_path, 21, setup))
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    resumed, told_again = train(whole(setup, tmp_path, "killed"))
    assert "resumed after step 20" in capsys.readouterr().out
    assert told_again == told
    assert all(torch.equal(undisturbed[k], resumed[k]) for k in undisturbed)


@pytest.mark.slow
def test_two_processes_take_the_same_steps_as_one(tmp_path):
    """Under torchrun, gloo on the CPU, in float64: batch normalisation, exchanges and loss see the whole batch."""
    run_by_two_processes("classifier_runs.py", tmp_path / "two")
    for setup in SETUPS:
        one, two = twelve_steps(setup, tmp_path / "one"), load_tensors(tmp_path / "two" / f"{setup}.safetensors")
        assert one.keys() == two.keys()
        for key, value in one.items():
            torch.testing.assert_close(two[key], value, rtol=1e-7, atol=1e-9)


def named(**params):
    table = pd.concat([clips(), supplements()], ignore_index=True)
    names = [str(one or "") for one in sound_classes(table, ClassParams.model_validate(params))]
    return pd.Series(names), table["kind"]


def test_classes_are_machine_section_domain_and_label():
    names, kind = named()
    assert set(names[kind == "machine"]) == {
        f"{m}|00|{d}|speed={s}" for m in ("fan", "valve") for d in ("source", "target") for s in (1, 2)
    }
    assert set(names[kind != "machine"]) == {""}
    assert names[0] == "fan|00|source|speed=1"
    assert len(set(named(domain_class=False)[0])) == 5


@pytest.mark.parametrize(
    ("params", "kind", "expected"),
    [
        ({"clean_class": "machine"}, "clean", "fan|00|clean"),
        ({"clean_class": "normal"}, "clean", "fan|00|source|"),
        ({"noise_class": "shared"}, "noise", "noise"),
        ({"noise_class": "machine"}, "noise", "valve|00|noise"),
    ],
)
def test_supplements_have_classes_where_they_are_asked_for(params, kind, expected):
    names, kinds = named(**params)
    assert set(names[kinds == kind]) == {expected}
    assert set(names[~kinds.isin((kind, "machine"))]) == {""}


def test_supplements_are_trained_on_only_where_they_have_a_class(tmp_path):
    def kinds(**params):
        made = task(clips(), train_params(**params), CNN, tmp_path, extra=supplements())
        return gather(made).clips["kind"]

    assert set(kinds()) == {"machine"}
    assert set(kinds(noise_class="shared")) == {"machine", "noise"}
    assert set(kinds(noise_class="machine", clean_class="normal")) == {"machine", "noise", "clean"}


@pytest.mark.parametrize("confidence", ["ignore", "weight", "soften"])
def test_unsure_labels_count_less_or_are_shared_within_their_machine(confidence):
    table = pd.DataFrame(
        {
            "machine": ["fan", "fan", "fan", "pump"],
            "section": "00",
            "kind": "machine",
            "domain": ["source", "source", "target", "source"],
            "label": ["a", "b", "a", "a"],
            "split": "train",
        }
    )
    classes, sure = sound_classes(table), np.array([0.75, 1.0, 0.5, 0.25])
    targets = class_targets(classes, sure, confidence)
    own = {"ignore": [1, 1, 1, 1], "weight": [0.75, 1, 0.5, 0.25], "soften": [0.75, 1, 1, 1]}[confidence]
    assert np.diag(targets).tolist() == own
    off = targets - np.diag(np.diag(targets))
    assert off[0, 1] == (0.25 if confidence == "soften" else 0)  # the other class of that machine, section and domain
    assert off.sum() == off[0, 1]
    assert np.array_equal(class_targets(classes, sure), np.eye(4))


def test_all_clips_are_gone_through_before_one_comes_again(tmp_path):
    """33 clips by eights: four batches, and a rest of one that is left out, another one each time."""
    table = pd.concat([clips(), clips().iloc[:1].assign(clip_id="more")], ignore_index=True)
    made = task(table, train_params(batch=8), CNN, tmp_path)
    batches = Batches(made, gather(made))
    steps = [batches.clips(step).tolist() for step in range(12)]
    assert all(len(set(step)) == 8 for step in steps)
    for epoch in range(3):
        assert len({clip for step in steps[4 * epoch : 4 * epoch + 4] for clip in step}) == 32
    assert steps[:4] != steps[4:8]
    assert batches.clips(5).tolist() == steps[5]


def test_a_network_of_no_steps_is_as_it_was_drawn(tmp_path):
    drawn, told = train(task(clips(), train_params(steps=0), CNN, tmp_path))
    assert all(torch.equal(drawn[key], value) for key, value in create_encoder(CNN, 16, seed=1).state_dict().items())
    assert told == {"classes": 8, "steps": 0, "losses": []}


@pytest.mark.parametrize(("share", "count"), [(0.0, 4), (0.1, 4), (0.5, 16), (1.0, 32)])
def test_target_clips_are_repeated_evenly_in_an_epoch_of_the_same_length(share, count):
    domain = clips()["domain"].to_numpy()
    order = epoch_order(domain, share, torch.Generator().manual_seed(0)).numpy()
    assert len(order) == len(domain)
    times = np.bincount(order, minlength=len(domain))
    assert times[domain == "target"].sum() == count
    assert np.ptp(times[domain == "target"]) == 0
    assert times[domain == "source"].max(initial=0) <= 1


@pytest.mark.parametrize("only", ["source", "target"])
def test_one_domain_alone_is_not_repeated(only):
    order = epoch_order(np.full(7, only), 0.5, torch.Generator().manual_seed(0))
    assert sorted(order.tolist()) == list(range(7))


def few(count=20):
    """One machine without attributes or domains."""
    return clips(machines=("fan",), labels=("",), count=count).assign(domain="source")


def test_one_class_is_refused_in_one_line(tmp_path):
    with pytest.raises(
        UserError, match=r"^train: all clips are of one class, fan\|00\|source\|: switch on statex, .*$"
    ):
        train(task(few(), train_params(), CNN, tmp_path))


@pytest.mark.parametrize("objective", OF_LABELS)
@pytest.mark.parametrize("params", [{"statex": 0.5}, {"featex": 0.5}, {"statex": 0.5, "featex": 0.5, "mixup": 0.5}])
def test_one_class_is_learnable_by_exchanges(objective, params, tmp_path):
    made = task(few(), train_params(objective=objective, steps=4, **params), CNN, tmp_path)
    tensors, metrics = train(made)
    assert metrics["classes"] == 1
    embeddings = embedded(made, tensors, few())
    assert np.isfinite(embeddings).all()
    assert np.ptp(embeddings, axis=0).max() > 0


def test_a_clip_a_class_is_trained(tmp_path):
    one = clips(count=1).drop_duplicates(["machine", "label"]).reset_index(drop=True)
    _, metrics = train(task(one, train_params(), CNN, tmp_path))
    assert metrics["classes"] == len(one) == 4
    assert np.isfinite(metrics["loss"])


def test_noise_is_that_of_the_machine_or_of_all(tmp_path):
    params = train_params(noise_mix=1.0)
    material = gather(task(clips(), params, CNN, tmp_path, extra=supplements()))
    assert material.noise_for("valve") == material.noise_for("fan") == [f"noisevalve{i}" for i in range(4)]
    with pytest.raises(UserError, match=r"^train.noise_mix is 1: there are no noise-only clips, set it to 0$"):
        gather(task(clips(), params, CNN, tmp_path, "none"))


def test_further_machines_are_classes_unless_they_are_left_out(tmp_path):
    further = clips(machines=("pump",), count=4).assign(split="supplemental", domain="source")
    further["clip_id"] = "further" + further["clip_id"]
    found = {}
    for switch in (True, False):
        params = train_params(steps=3, further_machines=switch, statex=0.1)
        found[switch] = train(task(few(), params, CNN, tmp_path, str(switch), further))[1]
    assert (found[True]["classes"], found[False]["classes"]) == (3, 1)
