"""Stage embeddings@<system>: embeddings of every clip, training and test, by a trained system."""

from asd.classifiers.task import embed
from asd.core import compute
from asd.core.artifacts import read_csv, read_json, write_array, write_csv
from asd.core.clips import training
from asd.core.project import Project
from asd.core.stage import run
from asd.encoders.networks import load_tensors
from asd.features.store import FeatureStore


def main(name: str) -> str:
    """Embed all clips by one system; autoencoders give anomaly values."""
    project = Project()
    front_end, models, output = (
        project.systems[name]["features"],
        project.model(name),
        project.embeddings(name),
    )
    model, clips = read_json(models / "model.json"), project.clips()
    stores = [FeatureStore(project.features(front_end, split)) for split in ("train", "test")]
    device = compute.device()
    of_clips = {"seed": clips}
    if list(models.glob("second_*.safetensors")):
        of_clips["second"] = training(clips).reset_index(drop=True)
    for seed in model["seeds"]:
        for which, wanted in of_clips.items():
            tensors = load_tensors(models / f"{which}_{seed}.safetensors")
            embeddings = embed(model, tensors, wanted, stores, device)
            write_array(output / f"{which}_{seed}.npy", embeddings)
    fitted = clips["clip_id"].isin(read_csv(models / "clips.csv", ("clip_id",))["clip_id"])
    write_csv(output / "clips.csv", clips[["clip_id"]].assign(fitted=fitted.astype(int)))
    return f"{len(clips)} x {' x '.join(map(str, embeddings.shape[1:]))} a training seed, in {output}"


if __name__ == "__main__":
    run("embeddings", main)
