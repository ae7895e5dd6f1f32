"""Continued self-supervised pre-training on machine sounds, step by step, resumable at any of them."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from asd import checkpoints
from asd.adaptation.masks import visible_patches
from asd.adaptation.objective import UtteranceFrame
from asd.compute import rng
from asd.encoders.params import AdaptParams
from asd.encoders.training import crop, warm_cosine
from asd.encoders.vit import PATCH, ViTEncoder
from asd.features.store import FeatureStore

EVERY = 50  # steps between checkpoints


def adapt(
    encoder: ViTEncoder,
    store: FeatureStore,
    machines: dict[str, list[str]],
    params: AdaptParams,
    seed: int,
    device: torch.device,
    work: Path,
) -> dict[str, float]:
    """Adapt an encoder to unlabelled clips, in place.

    Parameters
    ----------
    encoder : ViTEncoder
        With its first weights.
    store : FeatureStore
        Training features.
    machines : dict of str to list of str
        Clips of each machine; machines are drawn evenly, whatever they have.
    params : AdaptParams
        Steps, masks, rates.
    seed : int
        Of clips, crops and masks, each keyed by step and place in the batch.
    device : torch.device
        Where to compute.
    work : Path
        Folder of the checkpoint.

    Returns
    -------
    dict of str to float
        ``frame_loss`` and ``utterance_loss``, mean over the last twentieth of the steps.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng(seed, "decoder").integers(2**63)))
        model = UtteranceFrame(encoder).to(device).train()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, params.learning_rate, betas=(0.9, 0.95), weight_decay=0.05)
    start, losses = _resume(work / "adapt.pt", model, optimiser)
    for step in tqdm(range(start, params.steps), initial=start, total=params.steps, disable=None, desc="adapt"):
        for group in optimiser.param_groups:
            group["lr"] = params.learning_rate * warm_cosine(step, params.steps)
        x, visible = batch(store, machines, params, encoder.frames, seed, step)
        with torch.autocast("cuda", torch.bfloat16, enabled=device.type == "cuda"):
            frame_loss, utterance_loss = model(x.to(device), visible.to(device))
        optimiser.zero_grad(set_to_none=True)
        (frame_loss + utterance_loss).backward()
        torch.nn.utils.clip_grad_norm_(trained, 4.0)
        optimiser.step()
        model.follow(params.decay + (params.decay_end - params.decay) * step / params.steps)
        losses.append((frame_loss.item(), utterance_loss.item()))
        if (step + 1) % EVERY == 0:
            state = {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "losses": losses}
            checkpoints.save(work / "adapt.pt", state)
    model.to("cpu").eval()
    last = np.mean(losses[-max(1, params.steps // 20) :], axis=0)
    return {"frame_loss": float(last[0]), "utterance_loss": float(last[1])}


def _resume(
    path: Path, model: UtteranceFrame, optimiser: torch.optim.Optimizer
) -> tuple[int, list[tuple[float, float]]]:
    state = checkpoints.restore(path)
    if state is None:
        return 0, []
    model.load_state_dict(state["model"])
    optimiser.load_state_dict(state["optimiser"])
    print(f"resumed at step {len(state['losses'])}", flush=True)
    return len(state["losses"]), [tuple(pair) for pair in state["losses"]]


def batch(
    store: FeatureStore, machines: dict[str, list[str]], params: AdaptParams, rows: int, seed: int, step: int
) -> tuple[Tensor, Tensor]:
    """Draw a batch: crops of so many rows ``(clips, rows, bands)``, visible patches ``(clips, clones, patches)``."""
    names = sorted(machines)
    grid = rows // PATCH, store.bands // PATCH
    crops, masks = [], []
    for place in range(params.batch):
        draw = rng(seed, "adapt", step, place)
        clips = machines[names[draw.integers(len(names))]]
        crops.append(crop(store.normalised(store[clips[draw.integers(len(clips))]]), rows, draw))
        masks.append([visible_patches(draw, *grid, params.mask, params.block) for _ in range(params.clones)])
    return torch.from_numpy(np.stack(crops)), torch.from_numpy(np.array(masks))
