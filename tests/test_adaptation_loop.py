"""The loop: killed and resumed, divided over parts and processes, it takes the same steps."""

import multiprocessing

import numpy as np
import pytest
import torch
from adaptation_runs import PARAMS, adapted, killed, twenty_steps
from conftest import posix, run_by_two_processes

from asd.adaptation import loop
from asd.core.errors import UserError
from asd.encoders.networks import load_tensors


def furthest(some, others) -> float:
    """The largest difference of two sets of weights."""
    return max(float((some[key] - others[key]).abs().max()) for key in some)


@pytest.mark.slow
@posix
def test_killed_at_ten_random_steps_it_ends_with_the_same_bytes(tmp_path, monkeypatch, capsys):
    """SIGKILL in the middle of a step, ten times in one run that saves every third step."""
    monkeypatch.setattr(loop, "EVERY", 3)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    whole, history = adapted(tmp_path / "whole", steps=30)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["adaptation_runs"])
    for at in sorted(np.random.default_rng(7).choice(np.arange(1, 30), 10, replace=False)):
        process = context.Process(target=killed, args=(tmp_path / "broken", 30, int(at)))
        process.start()
        process.join(60)
        assert process.exitcode == -9
    resumed, again = adapted(tmp_path / "broken", steps=30)
    torch.set_num_threads(threads)
    assert "resumed at step" in capsys.readouterr().out
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)
    assert again == history


@pytest.mark.parametrize(("precision", "most"), [(torch.float64, 1e-12), (torch.float32, 1e-4)])
def test_a_batch_in_parts_takes_the_same_steps(tmp_path, precision, most):
    whole, one = adapted(tmp_path / "whole", precision, learning_rate=1e-4)
    parts, two = adapted(tmp_path / "parts", precision, learning_rate=1e-4, accumulate=2, recompute=True)
    assert furthest(whole, parts) <= most
    np.testing.assert_allclose(one, two, rtol=1e-3)


@pytest.mark.slow
def test_two_processes_take_the_same_steps_as_one(tmp_path):
    """20 steps under torchrun, gloo on the CPU: 1e-9 in float64, 1e-3 relative in float32."""
    run_by_two_processes("adaptation_runs.py", tmp_path / "two")
    one = twenty_steps(tmp_path / "one")
    two = {precision: load_tensors(tmp_path / "two" / f"{precision}.safetensors") for precision in one}
    assert furthest(one["float64"], two["float64"]) <= 1e-9
    for key, value in one["float32"].items():
        torch.testing.assert_close(two["float32"][key], value, rtol=1e-3, atol=1e-3 * float(value.abs().max()))
    assert furthest(one["float32"], two["float32"]) > 0 or furthest(one["float64"], two["float64"]) > 0


def test_a_batch_that_does_not_divide_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"adapt\.batch is 4: it must divide by processes x adapt.accumulate, 3"):
        adapted(tmp_path, accumulate=3)


def test_the_loss_falls(tmp_path):
    _, history = adapted(tmp_path, steps=150)
    frame = [step.frame_loss for step in history]
    assert np.mean(frame[-10:]) < 0.9 * np.mean(frame[:10])


def test_the_adapted_encoder_is_the_teacher(tmp_path):
    start, _ = adapted(tmp_path / "none", steps=1, learning_rate=1e-12)
    frozen, _ = adapted(tmp_path / "frozen", ema_decay=1.0, ema_decay_end=1.0)
    assert furthest(start, frozen) < 1e-6
    assert PARAMS.ema_decay < 1
