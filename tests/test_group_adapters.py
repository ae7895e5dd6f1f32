"""Adapters of groups of machines: who is in which, nothing is changed at first, where an unseen machine goes."""

import numpy as np
import pandas as pd
import pytest
import torch
from classifier_runs import BANDS, CNN, CPU, TINY, Store, clips, embedded, supplements, task, train_params
from test_lora import lora, randomised

from asd.classifiers.tuning.groups import divide, install, machine_means, of_groups
from asd.classifiers.tuning.tuned import MEMBER, Groups, restore, stored, tune
from asd.core.errors import UserError
from asd.encoders.networks import create_encoder

MEANS = {
    "fan": np.array([1.0, 0.0]),
    "pump": np.array([0.995, 0.0995]),
    "saw": np.array([0.0, 1.0]),
    "valve": np.array([0.1, 0.995]),
}


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        (2, [0, 0, 1, 1]),
        (1, [0, 0, 0, 0]),
        (9, [0, 1, 2, 3]),
        (["saw+valve", "pump+fan"], [1, 1, 0, 0]),
        (["valve", "fan"], [1, 1, 0, 0]),  # the others go to the nearest
    ],
)
def test_machines_are_divided_as_given_or_by_likeness(groups, expected):
    assert list(divide(groups, MEANS).values()) == expected


def test_machines_that_sound_the_same_and_one_alone_are_groups_too():
    assert divide(3, {"a": MEANS["fan"], "b": MEANS["fan"]}).keys() == {"a", "b"}
    assert divide(3, {"a": MEANS["fan"]}) == {"a": 0}


def test_a_group_of_nobody_is_refused_in_one_line():
    with pytest.raises(UserError, match=r"^train.groups names fann: the training clips are of fan, pump, saw, valve$"):
        divide(["fann+pump"], MEANS)


def grouped(**options):
    network = create_encoder(TINY, BANDS, seed=1)
    tune(network, lora(bottleneck=4, **options), {"fan": 0, "valve": 1}, 3)
    return network


def test_at_first_the_output_is_the_same_to_the_bit():
    network, x = create_encoder(TINY, BANDS, seed=1), torch.randn(4, 100, BANDS)  # four windows
    with torch.inference_mode():
        before = network(x)
        tune(network, lora(), {"fan": 0, "valve": 1}, 3)
        for numbers in (None, torch.tensor([0, 1, 1, 0]), torch.tensor([1])):
            with of_groups(network, numbers):
                assert network(x).numpy().tobytes() == before.numpy().tobytes()


def test_every_clip_takes_its_own_adapter_whoever_stands_beside_it():
    network, x = randomised(grouped()), torch.randn(4, 100, BANDS)
    numbers = torch.tensor([0, 1, 1, 0])
    with torch.inference_mode():
        with of_groups(network, numbers):
            together = network(x)
        for clip in range(4):
            with of_groups(network, numbers[clip : clip + 1]):
                torch.testing.assert_close(network(x[clip : clip + 1]), together[clip : clip + 1])
        shared = network(x)
    assert (together - shared).abs().amax(dim=(1, 2)).min() > 1e-3


@pytest.mark.parametrize("mixing", ["learnt", "gated"])
def test_what_is_stored_gives_the_same_network_again(mixing):
    network, x = randomised(grouped(mixing=mixing)), torch.randn(4, 32, BANDS)
    numbers, centres = torch.tensor([0, 1, 1, 0]), np.eye(2)
    with torch.inference_mode():
        with of_groups(network, numbers):
            before = network(x)
        again = create_encoder(TINY, BANDS)
        tensors = stored(network, Groups({"fan": 0, "valve": 1}, centres))
        groups = restore(again, tensors, lora(bottleneck=4, mixing=mixing))
        with of_groups(again, numbers):
            torch.testing.assert_close(again.eval()(x), before, rtol=0, atol=1e-5)
    assert groups.of == {"fan": 0, "valve": 1}
    assert np.array_equal(groups.centres, centres)


def test_an_unseen_machine_goes_to_the_nearest_group_or_the_shared_path(tmp_path):
    """The nearest by its own training clips; without any, the shared path; test clips have no say."""
    table = clips()
    network, store = randomised(grouped()), [Store(table)]
    means = machine_means(network, store, table, CPU)
    tensors = stored(network, Groups({"fan": 0, "valve": 1}, np.stack([means["fan"], means["valve"]])))
    unseen = {name.replace(f"{MEMBER}valve", f"{MEMBER}elsewhere"): value for name, value in tensors.items()}
    assert unseen.keys() != tensors.keys()

    def made(tensors, table):
        return embedded(task(table, lora(bottleneck=4), TINY, tmp_path), tensors, table, store)

    known = made(tensors, table)
    np.testing.assert_array_equal(made(unseen, table), known)  # valve is nearest to its own centre
    valve = (table["machine"] == "valve").to_numpy()
    shared = made(unseen, table.assign(split=np.where(valve, "test", "train")))
    plain = network.eval()
    for row in np.flatnonzero(valve):
        with torch.inference_mode():
            alone = plain(torch.from_numpy(store[0][table["clip_id"].iloc[row]])[None])[0].numpy()
        np.testing.assert_allclose(shared[row], alone, atol=1e-5)
    np.testing.assert_array_equal(shared[~valve], known[~valve])
    assert np.abs(shared[valve] - known[valve]).max() > 1e-3


def test_a_machine_is_known_by_its_normal_clips_and_only_without_them_by_others():
    table = pd.concat([clips(), supplements()], ignore_index=True)
    network, store = create_encoder(TINY, BANDS, seed=1), [Store(table)]
    alone, together = (machine_means(network, store, own, CPU) for own in (clips(), table))
    assert all(np.array_equal(alone[machine], together[machine]) for machine in ("fan", "valve"))
    noise = supplements().query("kind == 'noise'").assign(machine="saw")
    assert machine_means(network, store, pd.concat([table, noise]), CPU).keys() == {"fan", "saw", "valve"}


def test_groups_are_learnt_trained_and_told(tmp_path):
    own = task(clips(), train_params(groups=2, bottleneck=4, steps=8), TINY, tmp_path)
    tensors, found = own.params.train(own)
    assert found["groups"] == {"fan": 0, "valve": 1}
    up = [value for name, value in tensors.items() if name.endswith(".up")]
    assert len(up) == 2
    assert all(own[group].abs().sum() > 0 for own in up for group in (0, 1))
    assert np.isfinite(embedded(own, tensors, clips())).all()


def test_a_network_without_transformer_blocks_is_refused_in_one_line():
    with pytest.raises(UserError, match=r"^train.groups: SEResNet18Encoder is no transformer, set it to 0$"):
        install(create_encoder(CNN, BANDS), 2, 4, 3)
