"""Adaptation: clips a second against the limit by matrix products of the processor or GPU."""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from asd.adaptation.batches import Batch, draw
from asd.adaptation.loop import adapt
from asd.adaptation.objective import create_objective
from asd.core.section import load
from asd.encoders.encoder import Encoder
from asd.encoders.encoder_params import AdaptBlock, AdaptParams, EncoderParams
from asd.encoders.networks import create_encoder
from bench.harness import Row, in_turns
from bench.products import operations_of, products, wait

THREADS, RUNS = 2, 3
FRACTION = {"cpu": 0.4, "cuda": 0.3}
EAT = {"steps": 1, "batch": 2, "clones": 4, "mask": 0.8, "block": 5, "learning_rate": 5e-5}
EAT |= {"ema_decay": 0.9998, "ema_decay_end": 0.99999, "decoder_layers": 6}  # of EAT; it has 16 clones
YEAR = 15_000 * 100  # [clips] of one DCASE year: fifteen machines of a thousand clips, a hundred times
MACHINES, CLIPS = 7, 160  # of the default data
MOST = 90.0  # [s] of the default's adapt


class Noise:
    """A store of random clips of one length, as in the default data."""

    def __init__(self, n_features: int, n_frames: int) -> None:
        self.n_features, self.length = n_features, n_frames
        self.clips = np.random.default_rng(0).standard_normal((16, n_frames, n_features), np.float32)

    def __getitem__(self, clip: str) -> np.ndarray:
        return self.clips[int(clip) % 16]

    def n_frames(self, clip: str) -> int:
        """Count the frames of a clip."""
        return self.length

    def normalised(self, x: np.ndarray) -> np.ndarray:
        """Return the clip unchanged."""
        return x


def machines() -> dict[str, list[str]]:
    """Name as many clips as the default data have."""
    return {str(m): [str(m * CLIPS + clip) for clip in range(CLIPS)] for m in range(MACHINES)}


def rows() -> list[Row]:
    """Measure a step of ``tiny`` and of EAT base on two cores, on a GPU where there is one, and the whole default."""
    torch.set_num_threads(THREADS)
    block, params = load(EncoderParams, "encoders", "tiny").root, load(AdaptBlock, "adapt", "tiny")
    eat = AdaptParams.model_validate(EAT)
    found = [_step("tiny", create_encoder(block, 128), params, "cpu")]
    found.append(_step("eat_base", create_encoder("eat_base"), eat, "cpu"))
    if torch.cuda.is_available():
        large = eat.model_copy(update={"batch": 48, "clones": 16})
        found += [row := _step("eat_base", create_encoder("eat_base"), large, "cuda"), _year(row)]
    return [*found, _default(block, params)]


def _step(name: str, encoder: Any, params: AdaptParams, device: str) -> Row:
    """Measure steps, sampling of the batch and optimiser included, against products of as many operations."""
    model = create_objective(encoder, params).to(device)
    store, clips_of = Noise(128, 1000), machines()
    optimiser = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), 1e-5)

    def step(clips: Sequence[int]) -> None:
        batch: Any = draw(store, clips_of, params, model.student, 0, range(len(clips)))  # type: ignore[arg-type]
        with torch.autocast("cuda", torch.bfloat16, enabled=device == "cuda"):
            losses, _ = model(Batch(*(part.to(device) for part in batch)))
        (losses.frame.sum() + losses.utterance.sum()).backward()
        optimiser.step()
        optimiser.zero_grad()
        model.follow(0.999)
        wait(device)

    clips = list(range(params.batch))
    with sdpa_kernel(SDPBackend.MATH):  # the fused attention is not counted
        operations = operations_of(lambda: step(clips)) / len(clips)
    works: Mapping[str, Callable] = {"step": step, "peak": products(operations, device)}
    times = in_turns(works, clips, RUNS)
    where = f"{THREADS} threads, float32" if device == "cpu" else "GPU, bfloat16"
    name = f"a step of adaptation of {name}, {len(clips)} clips x {params.clones} clones, {where}"
    name += f", {operations / 1e9:.1f} GFLOP/clip"
    floor = "matrix products of as many operations"
    return Row(
        name, "ms/clip", times["step"], floor, times["peak"], floor, times["peak"], min_fraction=FRACTION[device]
    )


def _year(step: Row) -> Row:
    hours = [[value * YEAR / 3.6e6 for value in values] for values in (step.values, step.reference_values)]
    return Row(f"the same for one DCASE year, {YEAR:,} clips", "h", hours[0], step.reference, hours[1])


def _default(block: Any, params: AdaptParams) -> Row:
    """Measure the adaptation of the default run, without its probes."""
    encoder: Encoder = create_encoder(block, 128)  # type: ignore[assignment]
    store: Any = Noise(128, 160)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as work:
        adapt(encoder, store, machines(), params, 0, torch.device("cpu"), Path(work))
    seconds = [time.perf_counter() - start]
    return Row(f"adapt of the default, {params.steps} steps", "s", seconds, "allowed", [MOST], limit=MOST)
