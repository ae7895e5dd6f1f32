"""Pre-training, step by step, resumable: ``python -m pretraining.train [--params FILE] [--work DIR]``.

A block of synthetic recordings is made while the network trains on the one before; each recording is used a few times,
in other crops, by other gains. Which blocks, batches, crops and gains depends on the seed and the number of the step
alone, so a run that was broken off ends with the same bytes. The weights that are kept are averages over steps.
"""

import argparse
import copy
import os
import time
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from asd.adaptation.batches import band_gain
from asd.core import checkpoints
from asd.core.artifacts import write_csv
from asd.core.compute import rng
from asd.core.follow import follow as end_after
from asd.encoders.architectures.machine import PARAMETERS, SHORT_BANDS, STEPS
from asd.encoders.networks import create_encoder, save_tensors
from asd.encoders.training import crop
from pretraining.blocks import Block, block, fitted, kept_at
from pretraining.objectives import Batch, Pretraining
from pretraining.settings import PretrainingParams, read

HERE = Path(__file__).parent
EVERY = 100  # steps between checkpoints
CHECKPOINT = "checkpoint.pt"
TEACHER_DECAY = 0.999  # of EAT's
History = list[dict[str, float]]  # figures of each step


def train(params: PretrainingParams, work: Path, blocks: Path | None = None) -> nn.Module:
    """Pre-train an encoder; goes on where the checkpoint in ``work`` was left.

    Parameters
    ----------
    params : PretrainingParams
    work : Path
        Folder of the checkpoint, of the weights and of the curve of losses.
    blocks : Path, optional
        Where blocks of recordings are kept. None: they are made anew.

    Returns
    -------
    nn.Module
        The encoder, averaged over steps.
    """
    torch.set_num_threads(params.train.threads)
    stream = Blocks(params, blocks)
    model = create(params)
    average = copy.deepcopy(model.encoder)
    optimiser = torch.optim.AdamW(model.parameters(), params.train.learning_rate, betas=(0.9, 0.95), weight_decay=0.05)
    history = resume(work / CHECKPOINT, model, average, optimiser)
    if not history:
        standardise(model, stream[0])
        average.load_state_dict(model.encoder.state_dict())
    for step in range(len(history), params.train.steps):
        start = time.monotonic()
        for part in optimiser.param_groups:  # warm-up, then constant: there is no last step
            part["lr"] = params.train.learning_rate * min(1.0, (step + 1) / params.train.warm_up)
        batch = draw(stream[step // params.steps_of_block], params, step)
        losses = model(batch, rng("pretraining", params.seed, "masks", step))
        loss = sum(params.train.objectives[name] * value for name, value in losses.items())
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[union-attr]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 4.0)
        optimiser.step()
        if model.masked is not None:
            model.masked.follow(TEACHER_DECAY)
        follow(average, model.encoder, min(params.train.ema_decay, (step + 1) / (step + 10)))
        seconds = time.monotonic() - start
        history.append({"step": step, "seconds": seconds} | {name: value.item() for name, value in losses.items()})
        if (step + 1) % EVERY == 0 or step + 1 == params.train.steps:
            keep(work, model, average, optimiser, history)
            recent = history[-EVERY:]
            means = {name: float(np.mean([row[name] for row in recent])) for name in recent[0] if name != "step"}
            print(step + 1, {name: round(value, 4) for name, value in means.items()}, flush=True)
    return average


class Blocks:
    """Blocks by number; while one is used, other processes make the next.

    Parameters
    ----------
    params : PretrainingParams
    folder : Path, optional
        Where blocks are kept.
    """

    def __init__(self, params: PretrainingParams, folder: Path | None = None) -> None:
        self.folder = folder
        self.make = partial(block, params.sounds, params.seed, folder=folder)
        self.workers, self.last = params.train.workers, (params.train.steps - 1) // params.steps_of_block
        self.pool = ProcessPoolExecutor(params.train.workers, get_context("spawn"), _worker, (os.getpid(),))
        self.asked: dict[int, Future[Block]] = {}
        self.current: tuple[int, Block] | None = None

    def __getitem__(self, number: int) -> Block:
        if self.current is None or self.current[0] != number:
            for ahead in range(number, min(number + self.workers, self.last) + 1):
                self._ask(ahead)
            made = self.asked.pop(number, None)
            self.current = number, made.result() if made else self.make(number)
        return self.current[1]

    def _ask(self, number: int) -> None:
        """Have a block made, unless it is kept already."""
        if number not in self.asked and not (self.folder and kept_at(self.folder, number).is_file()):
            self.asked[number] = self.pool.submit(self.make, number)


def _worker(trainer: int) -> None:
    torch.set_num_threads(1)
    end_after(trainer)


def create(params: PretrainingParams) -> Pretraining:
    """Make the network and its heads; weights that are not given depend on the seed alone."""
    given = None if params.model.weights == "random" else params.model.weights
    encoder: Any = create_encoder(params.model.architecture, None, params.seed, given)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng("pretraining", params.seed, "heads").integers(2**63)))
        return Pretraining(encoder, params.train, len(PARAMETERS)).train()


def standardise(model: Pretraining, made: Block) -> None:
    """Set what the network and its targets are standardised by to the figures of a block."""
    scale = fitted(made)
    encoder: Any = model.encoder
    encoder.input.level.fill_(1.0)
    encoder.input.set(scale.mean, scale.std)
    model.target_mean.copy_(torch.from_numpy(scale.target_mean))
    model.target_std.copy_(torch.from_numpy(scale.target_std))
    model.dry_mean.copy_(torch.from_numpy(scale.dry_mean))
    model.dry_std.copy_(torch.from_numpy(scale.dry_std))


def draw(made: Block, params: PretrainingParams, step: int) -> Batch:
    """Draw the batch of a step: whole groups, each recording cropped at random and by a random smooth gain."""
    train, each = params.train, params.sounds.clips
    turn, within = divmod(step % params.steps_of_block, params.sounds.groups // train.batch)
    number = step // params.steps_of_block
    order = rng("pretraining", params.seed, "order", number, turn).permutation(params.sounds.groups)
    groups = order[within * train.batch : (within + 1) * train.batch]
    clips = (groups[:, None] * each + np.arange(each)).ravel()
    generator = rng("pretraining", params.seed, "crops", step)
    x = [crop(made.features[i], train.crop, generator) + train.gain_db * gain(generator) for i in clips]
    return Batch(
        torch.from_numpy(np.stack(x).astype(np.float32)),
        torch.from_numpy(made.sound[clips]),
        torch.from_numpy(groups.repeat(each)),
        torch.from_numpy(made.amount[clips]),
        torch.from_numpy(made.parameters[clips]),
        torch.from_numpy(made.dry[clips]),
    )


def gain(generator: np.random.Generator) -> np.ndarray:
    """Draw one smooth gain for the bands of both scales: ``(n_features,)``."""
    curve = band_gain(generator, 128)
    short = np.interp(np.linspace(0, 127, SHORT_BANDS), np.arange(128), curve)
    return np.concatenate([curve, short.repeat(STEPS)]).astype(np.float32)


@torch.no_grad()
def follow(average: nn.Module, model: nn.Module, decay: float) -> None:
    """Move the averaged weights towards the current ones."""
    for mean, value in zip(average.parameters(), model.parameters(), strict=True):
        mean.lerp_(value, 1 - decay)


def keep(work: Path, model: nn.Module, average: nn.Module, optimiser: torch.optim.Optimizer, history: History) -> None:
    """Write the checkpoint, the averaged weights and the curve of losses."""
    state = {"model": model.state_dict(), "average": average.state_dict(), "optimiser": optimiser.state_dict()}
    checkpoints.save(work / CHECKPOINT, state | {"history": history})
    save_tensors(dict(average.state_dict()), work / "weights.safetensors")
    write_csv(work / "losses.csv", pd.DataFrame(history).drop(columns="seconds"))


def resume(path: Path, model: nn.Module, average: nn.Module, optimiser: torch.optim.Optimizer) -> History:
    """Go on from a checkpoint, if there is one; give the figures of the steps that were taken."""
    kept = checkpoints.restore(path)
    if kept is None:
        return []
    model.load_state_dict(kept["model"])
    average.load_state_dict(kept["average"])
    optimiser.load_state_dict(kept["optimiser"])
    return list(kept["history"])


def main() -> None:
    """Train as the command line says."""
    parser = argparse.ArgumentParser("python -m pretraining.train", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--params", type=Path, default=HERE / "params.yaml")
    parser.add_argument("--work", type=Path, default=HERE / "work")
    parser.add_argument("--blocks", type=Path, help="keep blocks of recordings here, and read them again")
    args = parser.parse_args()
    train(read(args.params), args.work, args.blocks)


if __name__ == "__main__":
    main()
