"""One picture a machine for docs/simulated_factory.md: a normal clip, a transient and a stationary fault, envelopes.

    python -m studies.factory_pictures [--seeds 1000] [--machines all] [--folder docs/simulated_factory]

Test clips of the source with severity 1, and the first of them without its fault; the squared envelope spectrum of the
normal clip and of the transient fault without the factory around them, with the machine's true frequencies.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from asd.base.section import load
from asd.clips import parse_attributes
from asd.datasets.params import SimulatedParams
from asd.datasets.simulated.plan import Cell, Order, orders
from asd.datasets.simulated.signals import RATE
from asd.datasets.simulated.simulation import MACHINES, Stems, simulate
from asd.features.mel import log_mel
from asd.features.params import FrontEnd
from studies.factory import PARAMS, chosen, parser
from studies.factory_envelope import envelope_spectrum
from studies.factory_statistics import recording

COLOURS = 64  # of a picture: a third of the bytes
SHOWN = {  # a transient and a stationary fault
    "ToyCar": ("chipped_tooth", "dry_gears"),
    "ToyTrain": ("flat_wheel", "axle_squeal"),
    "bearing": ("outer_race", "misalignment"),
    "fan": ("bent_blade", "slit"),
    "gearbox": ("chipped_tooth", "misaligned_shafts"),
    "slider": ("dry_carriage", "worn_pulley"),
    "valve": ("worn_spring", "loose_coil"),
}
HIGHEST = {"ToyCar": 60, "ToyTrain": 60, "bearing": 150, "fan": 80, "gearbox": 60, "slider": 100, "valve": 60}  # [Hz]


def examples(machine: str, seed: int) -> list[Stems]:
    """Simulate the first clip with each shown fault at severity 1, behind the first of them without its fault."""
    params = SimulatedParams(size="default", seed=seed)
    first: list[Order] = []
    for fault in SHOWN[machine]:
        listed = orders(MACHINES[machine], params, Cell("test", "source", 1), 200)
        order, facts = next((o, facts) for o in listed if (facts := simulate(o).facts)["fault"] == fault)
        first.append(order._replace(severity=1 / facts["severity"]))
    return [simulate(order) for order in (first[0]._replace(severity=0.0), *first)]


def draw(machine: str, seed: int, file: Path) -> None:
    """Draw one machine's picture."""
    stems = examples(machine, seed)
    figure, axes = plt.subplots(1, 4, figsize=(13, 3), width_ratios=(1, 1, 1, 1.3), layout="constrained")
    titles = ["normal", *(stem.facts["fault"].replace("_", " ") for stem in stems[1:])]
    _spectrograms(axes[:3], stems, titles)
    _envelopes(axes[3], stems[:2], titles[:2], HIGHEST[machine])
    figure.suptitle(f"{machine}: {stems[1].facts['attributes']}, SNR {stems[1].facts['snr_db']:.1f} dB", fontsize=9)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.set_dpi(80)
    figure.canvas.draw()
    image = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())).convert("RGB")  # type: ignore[attr-defined]
    image.quantize(COLOURS).save(file, optimize=True)
    plt.close(figure)


def _spectrograms(axes: Sequence[Any], stems: Sequence[Stems], titles: Sequence[str]) -> None:
    params = load(FrontEnd, "features", "log_mel", path=PARAMS).root
    rows = [log_mel(recording(stem), params) for stem in stems]
    low, high = np.percentile(rows[0], [2, 99.8])
    for axis, image, title in zip(axes, rows, titles, strict=True):
        extent = (0, len(image) * 512 / RATE, 0, image.shape[1])
        axis.imshow(image.T, origin="lower", aspect="auto", vmin=low, vmax=high, extent=extent, cmap="magma")
        axis.set(title=title, xlabel="time [s]", ylabel="mel band")


def _envelopes(axis: Any, stems: Sequence[Stems], titles: Sequence[str], highest: float) -> None:
    for stem, title, colour in zip(stems[::-1], titles[::-1], ("C3", "0.3"), strict=True):
        hz, lines = envelope_spectrum((stem.healthy + stem.fault)[:, 0], 2000, 7000)
        shown = (hz > 0.3) & (hz < highest)
        axis.plot(hz[shown], lines[shown], color=colour, linewidth=0.8, label=title)
    true = {name: float(hz) for name, hz in parse_attributes(stems[1].facts["frequencies_hz"]).items()}
    for place, (name, hz) in enumerate(sorted(true.items(), key=lambda item: item[1])):
        if hz < highest:
            axis.axvline(hz, color="C0", linestyle=":", linewidth=0.8)
            axis.text(hz, 0.98 - 0.12 * (place % 3), name, fontsize=7, transform=axis.get_xaxis_transform())
    axis.set(title="squared envelope, 2-7 kHz, clean", xlabel="frequency [Hz]", ylabel="share of the mean")
    axis.legend(loc="center right", fontsize=7)


def main() -> None:
    """Draw the pictures."""
    matplotlib.use("agg")
    made = parser(__doc__, seeds=[1000])
    made.add_argument("--folder", type=Path, default=PARAMS.parent / "docs/simulated_factory")
    args = made.parse_args()
    for machine in chosen(args.machines):
        draw(machine, args.seeds[0], args.folder / f"{machine}.png")
        print(f"{args.folder / machine}.png: {(args.folder / f'{machine}.png').stat().st_size // 1000} kB", flush=True)


if __name__ == "__main__":
    main()
