"""One front end over all clips: ragged, memory-mapped, training and test apart, machine after machine."""

from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from asd.base.artifacts import publish, read_csv, write_metrics
from asd.base.compute import compute_params
from asd.base.section import load
from asd.base.stage import run
from asd.checkpoints import fingerprint, unfinished
from asd.clips import CLIPS, FILES, read_clips, training
from asd.features.extraction import extract_all
from asd.features.fitting import fitted
from asd.features.params import FrontEnd, FrontEndParams
from asd.features.store import FeatureStore, describe, is_whole, writer

STORES = {"train": ("train", "supplemental"), "test": ("test",)}  # the splits that a store holds
FEATURES = Path("data/features")

Part = tuple[str, str]  # machine, store


def main(name: str) -> str:
    """Compute the front end ``features.<name>``."""
    params, compute = load(FrontEnd, "features", name).root, compute_params()
    rate = {} if params.rows_per_second is None else {"rows_per_second": params.rows_per_second}
    clips = read_clips().merge(read_csv(FILES, ("clip_id", "path")), on="clip_id")
    parts = _parts(clips if params.clips == "all" else training(clips))
    with unfinished(f"features@{name}", fingerprint(params, CLIPS, FILES)) as work:
        todo = {part: files for part, files in parts.items() if not is_whole(work / part[1], part[0])}
        _say_resumed(parts, todo)
        own = {str(machine): _fitted(params, some) for machine, some in clips.groupby("machine")}
        with tqdm(total=sum(map(len, todo.values())), desc=name, unit="clip", disable=None) as bar:
            for (machine, store), files in todo.items():
                with writer(work / store, machine, params.bands, params.precision) as append:
                    for clip_id, rows in extract_all(files, own[machine], compute):
                        append(clip_id, rows)
                        bar.update()
        for store in STORES:
            describe(work / store, {**params.model_dump(), "bands": params.bands, **rate, **_per_machine(params, own)})
            publish(work / store, FEATURES / name / store)
    stores = [FeatureStore(FEATURES / name / store) for store in STORES]
    count = sum(map(len, stores))
    total = sum(store.rows(clip_id) for store in stores for clip_id in store.clip_ids)
    write_metrics(f"metrics/features/{name}.json", {"clips": count, "rows": total, "bands": params.bands, **rate})
    return f"{count} clips, {total} rows of {params.bands} in {FEATURES / name}"


def _parts(clips: pd.DataFrame) -> dict[Part, dict[str, str]]:
    """Find the files by clip id, in the order of ids, of each machine and store that has any."""
    store = clips["split"].map({split: store for store, splits in STORES.items() for split in splits})
    return {
        (str(machine), str(name)): dict(zip(some["clip_id"], some["path"], strict=True))
        for (machine, name), some in clips.groupby([clips["machine"], store.rename("store")])
    }


def _fitted(params: FrontEndParams, clips: pd.DataFrame) -> FrontEndParams:
    """Fit what the description leaves open to the training and noise-only clips of one machine."""
    noise = clips[(clips["kind"] == "noise") & (clips["split"] != "test")]
    trains = training(clips)
    return fitted(params, list(trains["sample_rate"]), list(trains["path"]), list(noise["path"]))


def _per_machine(params: FrontEndParams, own: dict[str, FrontEndParams]) -> dict[str, Any]:
    """Describe what was fitted: the keys that differ from the common description, by machine."""
    common = params.model_dump()
    found = {m: {k: v for k, v in p.model_dump().items() if v != common[k]} for m, p in own.items()}
    return {"machines": found} if any(found.values()) else {}


def _say_resumed(parts: dict[Part, dict[str, str]], todo: dict[Part, dict[str, str]]) -> None:
    machines, missing = ({machine for machine, _ in some} for some in (parts, todo))
    if len(todo) < len(parts):
        print(f"resumed: {len(machines - missing)} of {len(machines)} machines were there", flush=True)


if __name__ == "__main__":
    run("features", main)
