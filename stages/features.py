"""One front end over all clips: ragged, memory-mapped, training and test apart, machine after machine."""

from pathlib import Path

from tqdm import tqdm

from asd.artifacts import publish, read_csv, write_metrics
from asd.checkpoints import fingerprint, unfinished
from asd.clips import CLIPS, FILES, read_clips
from asd.compute import compute_params
from asd.features.extraction import extract_all
from asd.features.params import FrontEnd
from asd.features.registry import front_end
from asd.features.store import FeatureStore, describe, is_whole, writer
from asd.section import load
from asd.stage import run

STORES = {"train": ("train", "supplemental"), "test": ("test",)}  # the splits that a store holds
FEATURES = Path("data/features")

Part = tuple[str, str]  # machine, store


def main(name: str) -> str:
    """Compute the front end ``features.<name>``."""
    params, compute = load(FrontEnd, "features", name).root, compute_params()
    front_end(params.kind)  # loads its module, so that its code is part of the fingerprint
    rate = {} if params.rows_per_second is None else {"rows_per_second": params.rows_per_second}
    parts = _parts()
    with unfinished(f"features@{name}", fingerprint(params, CLIPS, FILES)) as work:
        todo = {part: files for part, files in parts.items() if not is_whole(work / part[1], part[0])}
        _say_resumed(parts, todo)
        with tqdm(total=sum(map(len, todo.values())), desc=name, unit="clip", disable=None) as bar:
            for (machine, store), files in todo.items():
                with writer(work / store, machine, params.bands) as append:
                    for clip_id, rows in extract_all(files, params, compute):
                        append(clip_id, rows)
                        bar.update()
        for store in STORES:
            describe(work / store, {**params.model_dump(), "bands": params.bands, **rate})
            publish(work / store, FEATURES / name / store)
    stores = [FeatureStore(FEATURES / name / store) for store in STORES]
    clips = sum(map(len, stores))
    total = sum(store.rows(clip_id) for store in stores for clip_id in store.clip_ids)
    write_metrics(f"metrics/features/{name}.json", {"clips": clips, "rows": total, "bands": params.bands, **rate})
    return f"{clips} clips, {total} rows of {params.bands} in {FEATURES / name}"


def _parts() -> dict[Part, dict[str, str]]:
    """Find the files by clip id, in the order of ids, of each machine and store that has any."""
    clips = read_clips().merge(read_csv(FILES, ("clip_id", "path")), on="clip_id")
    store = clips["split"].map({split: store for store, splits in STORES.items() for split in splits})
    return {
        (str(machine), str(name)): dict(zip(some["clip_id"], some["path"], strict=True))
        for (machine, name), some in clips.groupby([clips["machine"], store.rename("store")])
    }


def _say_resumed(parts: dict[Part, dict[str, str]], todo: dict[Part, dict[str, str]]) -> None:
    machines, missing = ({machine for machine, _ in some} for some in (parts, todo))
    if len(todo) < len(parts):
        print(f"resumed: {len(machines - missing)} of {len(machines)} machines were there", flush=True)


if __name__ == "__main__":
    run("features", main)
