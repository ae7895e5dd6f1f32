"""Stage extract@<system>: what a trained system makes of every clip, training and test."""

from pathlib import Path

from asd.base import compute
from asd.base.artifacts import read_csv, read_json, write_array, write_csv
from asd.base.section import read_params
from asd.base.stage import run
from asd.classifiers.task import module
from asd.clips import read_clips, training
from asd.encoders.registry import load_tensors, recreate
from asd.features.store import FeatureStore


def main(name: str) -> str:
    """Extract embeddings, or values, of all clips by one system."""
    features = Path("data/features") / read_params()["systems"][name]["features"]
    models, output = Path("data/models") / name, Path("data/extracted") / name
    model, clips = read_json(models / "model.json"), read_clips()
    stores = [FeatureStore(features / "train"), FeatureStore(features / "test")]
    device = compute.device()
    of_clips = {"seed": clips}
    if list(models.glob("second_*.safetensors")):
        of_clips["second"] = training(clips).reset_index(drop=True)
    for seed in model["seeds"]:
        for which, wanted in of_clips.items():
            tensors = load_tensors(models / f"{which}_{seed}.safetensors")
            embeddings = module(model["objective"]).extract(recreate(model), tensors, wanted, stores, device)
            write_array(output / f"{which}_{seed}.npy", embeddings)
    fitted = clips["clip_id"].isin(read_csv(models / "clips.csv", ("clip_id",))["clip_id"])
    write_csv(output / "clips.csv", clips[["clip_id"]].assign(fitted=fitted.astype(int)))
    return f"{len(clips)} x {' x '.join(map(str, embeddings.shape[1:]))} a training seed, in {output}"


if __name__ == "__main__":
    run("extract", main)
