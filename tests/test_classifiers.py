"""The autoencoder, its two scores against a straightforward implementation."""

import numpy as np
import pytest
import torch
from classifier_runs import Store, embedded, task
from classifier_runs import clips as table

from asd.classifiers.objectives.reconstruction import Reconstruction, refresh, vectors
from asd.core.errors import UserError
from asd.encoders.architectures.dense import DenseParams
from asd.encoders.networks import create_encoder


def trained(made):
    return made.params.train(made)


@pytest.fixture
def clips():
    return table()


def test_vectors_never_cross_a_clip():
    clips = [np.full((n, 2), i, dtype=np.float32) for i, n in enumerate((7, 3, 5))]
    frames, starts = vectors(clips)
    stacked = frames[starts[:, None] + torch.arange(5)]
    assert len(stacked) == 3 + 1 + 1  # the clip of three frames is repeated to five
    assert (stacked == stacked[:, :1]).all()


def test_autoencoder_scores_agree_with_a_straightforward_implementation(clips, tmp_path):
    params = Reconstruction(objective="reconstruction", epochs=2, batch=16, learning_rate=0.001)
    block = DenseParams(architecture="dense", features="x")
    store = Store(clips)
    made = task(clips, params, block, tmp_path)
    tensors, metrics = trained(made)
    assert len(metrics["losses"]) == 2
    assert metrics["losses"][1][1] < metrics["losses"][0][1]
    values = embedded(made, tensors, clips)

    fan = clips[clips["machine"] == "fan"]
    network = create_encoder(block, 16).eval()
    network.load_state_dict({k[4:]: v for k, v in tensors.items() if k.startswith("fan/") and "." in k})

    def errors(clip_id):
        x = store[clip_id]
        stacks = np.stack([x[i : i + 5].ravel() for i in range(len(x) - 4)])
        with torch.no_grad():
            return (network(torch.from_numpy(stacks)).numpy() - stacks).astype(float)

    def inverse(domain):
        frames = np.concatenate([errors(c).reshape(-1, 16) for c in fan.loc[fan["domain"] == domain, "clip_id"]])
        return np.linalg.inv(np.cov(frames.T))

    inverses = {d: inverse(d) for d in ("source", "target")}
    for place, clip_id in enumerate(fan["clip_id"]):
        e = errors(clip_id)
        frames = e.reshape(-1, 16)
        pairs = [np.mean(frames @ i @ frames.T) for i in inverses.values()]  # all pairs, as the organisers' code
        np.testing.assert_allclose(values[place], [np.mean(e**2), min(pairs)], rtol=1e-3)


def test_autoencoder_resumes_at_the_machine(clips, tmp_path, capsys):
    params = Reconstruction(objective="reconstruction", epochs=1, batch=16, learning_rate=0.001, fresh_statistics=True)
    block = DenseParams(architecture="dense", features="x")
    whole, _ = trained(task(clips, params, block, tmp_path, "one"))
    (tmp_path / "one" / "valve.pt").unlink()
    resumed, _ = trained(task(clips, params, block, tmp_path, "one"))
    assert "resumed: fan was there" in capsys.readouterr().out
    assert all(torch.equal(whole[k], resumed[k]) for k in whole)


@pytest.mark.slow
def test_autoencoders_trained_side_by_side_are_those_trained_one_after_the_other(clips, workdir, monkeypatch):
    params = Reconstruction(objective="reconstruction", epochs=2, batch=16, learning_rate=0.001, fresh_statistics=True)
    block = DenseParams(architecture="dense", features="x")
    alone, _ = trained(task(clips, params, block, workdir, "alone"))
    monkeypatch.setattr("asd.classifiers.objectives.reconstruction.PAYS", 0.0)
    monkeypatch.setattr("asd.core.compute.PAYS", 0.0)
    monkeypatch.setattr("asd.classifiers.objectives.reconstruction._train_machine", None)  # workers have their own
    threads = torch.get_num_threads()
    beside, _ = trained(task(clips, params, block, workdir, "beside"))
    assert torch.get_num_threads() == threads
    assert alone.keys() == beside.keys()
    assert all(torch.equal(alone[k], beside[k]) for k in alone)


def test_autoencoders_are_not_for_torchrun(clips, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    params = Reconstruction(objective="reconstruction", epochs=1, batch=16, learning_rate=0.001)
    with pytest.raises(UserError, match="start their stage without torchrun"):
        trained(task(clips, params, DenseParams(architecture="dense", features="x"), tmp_path))


@pytest.mark.parametrize("anneal", [False, True])
def test_the_rate_of_the_autoencoder_is_constant_or_falls(clips, tmp_path, monkeypatch, anneal):
    rates, step = [], torch.optim.Adam.step

    def noted(optimiser):
        rates.append(optimiser.param_groups[0]["lr"])
        step(optimiser)

    monkeypatch.setattr(torch.optim.Adam, "step", noted)
    params = Reconstruction(objective="reconstruction", epochs=4, batch=16, learning_rate=0.01, anneal=anneal)
    fan = clips[clips["machine"] == "fan"]
    trained(task(fan, params, DenseParams(architecture="dense", features="x"), tmp_path))
    assert max(rates) == pytest.approx(0.01)
    if anneal:
        assert rates[0] < 0.01
        assert rates[-1] < 0.001
    else:
        assert set(rates) == {0.01}


def test_fresh_statistics_change_nothing_but_statistics(clips, tmp_path):
    options = {"objective": "reconstruction", "epochs": 2, "batch": 16, "learning_rate": 0.01}
    block = DenseParams(architecture="dense", features="x")
    running, fresh = (
        trained(task(clips, Reconstruction(**options, fresh_statistics=fresh), block, tmp_path, f"{fresh}"))
        for fresh in (False, True)
    )
    assert running[1]["losses"] == fresh[1]["losses"]
    assert running[1]["held_out_loss"] != fresh[1]["held_out_loss"]
    learnt = {f"{machine}/{n}" for machine in ("fan", "valve") for n, _ in create_encoder(block, 16).named_parameters()}
    assert all(torch.equal(running[0][name], fresh[0][name]) for name in learnt)
    assert all(not torch.equal(running[0][n], fresh[0][n]) for n in fresh[0] if n.endswith(("mean", "var", "source")))


def test_fresh_statistics_are_means_over_batches_of_equal_size(clips):
    frames, starts = vectors(list(Store(clips).clips.values()))
    network = create_encoder(DenseParams(architecture="dense", features="x"), 16, seed=2)
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm1d):
            torch.nn.init.normal_(layer.weight)
            torch.nn.init.normal_(layer.bias)
            layer.running_mean += 7.0
    refresh(network, frames, starts, 50)
    assert not network.training

    batches = []
    for rows in np.array_split(starts.numpy(), len(starts) // 50):
        x, own = np.stack([frames.numpy()[r : r + 5].ravel() for r in rows]).astype(float), []
        for layer in [*network.encoder, *network.decoder]:
            if isinstance(layer, torch.nn.Linear):
                x = x @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
            elif isinstance(layer, torch.nn.ReLU):
                x = np.maximum(x, 0)
            else:
                own.append((x.mean(axis=0), x.var(axis=0, ddof=1)))
                x = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-3)
                x = x * layer.weight.detach().numpy() + layer.bias.detach().numpy()
        batches.append(own)
    layers = [layer for layer in network.modules() if isinstance(layer, torch.nn.BatchNorm1d)]
    assert len(layers) == 9
    for place, layer in enumerate(layers):
        assert layer.momentum == 0.01
        mean, variance = (np.mean([own[place][i] for own in batches], axis=0) for i in (0, 1))
        np.testing.assert_allclose(layer.running_mean, mean, rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(layer.running_var, variance, rtol=1e-3, atol=1e-3)
    before = [layer.running_mean.clone() for layer in layers]
    refresh(network, frames, starts[:1], 50)  # nothing to take a variance of
    assert all(torch.equal(layer.running_mean, b) for layer, b in zip(layers, before, strict=True))
