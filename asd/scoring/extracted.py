"""What the stage ``extract`` wrote."""

from pathlib import Path

import numpy as np
import pandas as pd

from asd.artifacts import read_csv
from asd.errors import UserError


def read_extracted(folder: Path, clips: pd.DataFrame) -> dict[int, np.ndarray]:
    """Read a system's embeddings or values of all clips, by training seed.

    Raises
    ------
    UserError
        Where they are those of other clips.
    """
    if list(read_csv(folder / "clips.csv", ("clip_id",))["clip_id"]) != list(clips["clip_id"]):
        raise UserError(f"{folder} holds other clips than data/clips.csv: run dvc repro")
    seeds = sorted(int(path.stem.removeprefix("seed_")) for path in folder.glob("seed_*.npy"))
    return {seed: np.load(folder / f"seed_{seed}.npy") for seed in seeds}
