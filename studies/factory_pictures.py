"""One picture a machine for docs/simulated_factory.md: a normal and a faulty clip, and the envelope spectrum.

    python -m studies.factory_pictures [--seeds 1000] [--machines all] [--folder docs/simulated_factory]

Test clips of the source with severity 1 and without the fault, otherwise the same; the squared envelope spectrum of
the two without the factory around them, with the machine's true frequencies.
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
SHOWN = {
    "ToyCar": "bent_axle",
    "ToyTrain": "flat_wheel",
    "bearing": "outer_race",
    "fan": "imbalance",
    "gearbox": "chipped_tooth",
    "slider": "dry_carriage",
    "valve": "worn_spring",
}
HIGHEST = {"ToyCar": 60, "ToyTrain": 60, "bearing": 150, "fan": 80, "gearbox": 60, "slider": 100, "valve": 60}  # [Hz]


def pair(machine: str, seed: int) -> tuple[Stems, Stems]:
    """Find the first clip with the shown fault; give it without and with the fault, at severity 1."""
    params = SimulatedParams(size="default", seed=seed)
    found = orders(MACHINES[machine], params, Cell("test", "source", 1), 50)
    order: Order = next(o for o in found if simulate(o).facts["fault"] == SHOWN[machine])
    drawn = simulate(order).facts["severity"]
    return simulate(order._replace(severity=0.0)), simulate(order._replace(severity=1 / drawn))


def draw(machine: str, seed: int, file: Path) -> None:
    """Draw one machine's picture."""
    stems = pair(machine, seed)
    figure, axes = plt.subplots(1, 3, figsize=(11, 3), width_ratios=(1, 1, 1.3), layout="constrained")
    titles = ("normal", stems[1].facts["fault"].replace("_", " "))
    _spectrograms(axes[:2], stems, titles)
    _envelopes(axes[2], stems, titles, HIGHEST[machine])
    figure.suptitle(f"{machine}: {stems[1].facts['attributes']}, SNR {stems[1].facts['snr_db']:.1f} dB", fontsize=9)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.set_dpi(80)
    figure.canvas.draw()
    image = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())).convert("RGB")  # type: ignore[attr-defined]
    image.quantize(COLOURS).save(file, optimize=True)
    plt.close(figure)


def _spectrograms(axes: Sequence[Any], stems: tuple[Stems, Stems], titles: tuple[str, str]) -> None:
    params = load(FrontEnd, "features", "log_mel", path=PARAMS).root
    rows = [log_mel(recording(stem), params) for stem in stems]
    low, high = np.percentile(rows[0], [2, 99.8])
    for axis, image, title in zip(axes, rows, titles, strict=True):
        extent = (0, len(image) * 512 / RATE, 0, image.shape[1])
        axis.imshow(image.T, origin="lower", aspect="auto", vmin=low, vmax=high, extent=extent, cmap="magma")
        axis.set(title=title, xlabel="time [s]", ylabel="mel band")


def _envelopes(axis: Any, stems: tuple[Stems, Stems], titles: tuple[str, str], highest: float) -> None:
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
