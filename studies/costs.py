"""What each system costs: parameters, multiplications and additions, seconds a clip. The table of docs/systems.md.

    python -m studies.costs [--seconds 10] [--threads 2] [--systems NAME ...] [--full]

Of the networks of params.yaml, or with ``--full`` at the sizes of their papers, for one clip; the autoencoder has as
many parameters for each machine. MACs are those of the network's products and convolutions, half of what torch counts
as operations; transforms and scores are not in them. Seconds are of front end and network, medians on this machine.
"""

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from asd.base.section import read_params
from asd.classifiers.params import Classification, Reconstruction, Untrained
from asd.classifiers.reconstruction import gather, vectors
from asd.classifiers.tuning.groups import of_groups
from asd.classifiers.tuning.lora import merge
from asd.classifiers.tuning.tuned import tune
from asd.encoders.adaptation_module import with_module
from asd.encoders.dense import DenseAutoencoder
from asd.encoders.params import DualBranch, EncoderBlock, SEResNet18
from asd.encoders.registry import create_encoder
from asd.features.params import FrontEndParams
from asd.features.registry import front_end
from asd.features.waveform import heard
from asd.params import Params, check
from studies.factory import table

HEADER = ["system", "front end", "network", "stored", "trained", "MMAC/clip", "hearing, ms/clip", "computing, ms/clip"]
SIZES: dict[type[EncoderBlock], dict[str, Any]] = {SEResNet18: {"width": 64}, DualBranch: {"width": 16}}  # published
RUNS = 5


class Cost(NamedTuple):
    """What one system costs for one clip.

    Attributes
    ----------
    stored : int
        Numbers of a trained network, LoRA merged where it merges: parameters and running statistics.
    trained : int
        Those that its objective changes.
    macs : int
        Multiplications and additions of products and convolutions.
    hearing, computing : float
        [s] Front end, network.
    """

    stored: int
    trained: int
    macs: int
    hearing: float
    computing: float


def cost(
    encoder: EncoderBlock,
    features: FrontEndParams,
    trains: Untrained | Reconstruction | Classification,
    seconds: float,
) -> Cost:
    """Measure one system on a clip of noise."""
    samples = np.random.default_rng(0).standard_normal((round(seconds * features.sample_rate), 1)).astype(np.float32)
    waveform = heard(0.1 * samples, features.sample_rate, features)
    compute = front_end(features.kind)
    x = compute(waveform, features)
    network = _tuned(create_encoder(encoder, x.shape[1]), trains)
    trained = 0 if isinstance(trains, Untrained) else sum(p.numel() for p in network.parameters() if p.requires_grad)
    merge(network)
    seen = _seen(network, x)
    with of_groups(network, torch.zeros(len(seen), dtype=torch.long)):
        with torch.no_grad(), FlopCounterMode(display=False) as counted, sdpa_kernel(SDPBackend.MATH):  # it counts that
            network(seen)
        with torch.inference_mode():
            computing = _seconds(lambda: network(seen))
    stored = sum(value.numel() for value in network.state_dict().values() if value.is_floating_point())
    hearing = _seconds(lambda: compute(waveform, features))
    return Cost(stored, trained, counted.get_total_flops() // 2, hearing, computing)


def _tuned(network: nn.Module, trains: Untrained | Reconstruction | Classification) -> nn.Module:
    """Put into a network what is trained besides it, or instead."""
    if not isinstance(trains, Classification):
        return network
    network = with_module(network, trains.adaptation_module)
    groups = trains.groups if isinstance(trains.groups, int) else len(trains.groups)
    tune(network, trains, {str(number): number for number in range(groups)}, 0)
    return network.eval()


def _seen(network: nn.Module, x: np.ndarray) -> Tensor:
    """Make of one clip's rows what a network is called with: the autoencoder takes stacked frames."""
    return gather(*vectors([x])) if isinstance(network, DenseAutoencoder) else torch.from_numpy(x)[None]


def _seconds(work: Callable[[], object]) -> float:
    times = []
    for _ in range(RUNS + 1):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return median(times[1:])


def costs(params: Params, systems: list[str], seconds: float, published: bool) -> pd.DataFrame:
    """Measure the systems, a row each."""
    rows = []
    for name in systems:
        system = params.systems[name]
        encoder, features = params.encoders[system.encoder].root, params.features[system.features]
        if published:
            encoder = encoder.model_copy(update=SIZES.get(type(encoder), {}))
        own = cost(encoder, features, system.train.root, seconds)
        counts = (f"{own.stored:,}", f"{own.trained:,}", f"{own.macs / 1e6:,.1f}")
        rows.append((name, system.features, system.encoder, *counts, *(f"{1000 * s:.1f}" for s in own[3:])))
    return pd.DataFrame(rows, columns=HEADER).set_index("system")


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--seconds", type=float, default=10.0, help="of a clip")
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--systems", nargs="+", help="those of params.yaml by default")
    arguments.add_argument("--full", action="store_true", help="networks at the sizes of their papers")
    args = arguments.parse_args()
    torch.set_num_threads(args.threads)
    params = check(read_params())
    print(table(costs(params, args.systems or list(params.systems), args.seconds, args.full)))


if __name__ == "__main__":
    main()
