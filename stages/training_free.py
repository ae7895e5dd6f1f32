"""Stage training_free@<system>: embeddings of every clip, training and test, by an encoder as it is."""

from asd.core import compute
from asd.core.artifacts import write_array, write_csv
from asd.core.project import Project
from asd.core.stage import run
from asd.encoders.embedding import apply
from asd.encoders.initial import initial_encoder
from asd.encoders.networks import write_encoder
from asd.features.store import FeatureStore


def main(name: str) -> str:
    """Embed all clips by the encoder of one training-free system, which is kept; all training seeds have the same."""
    project = Project()
    system, output, clips = project.systems[name], project.embeddings(name), project.clips()
    stores = [FeatureStore(project.features(system["features"], split)) for split in ("train", "test")]
    device = compute.device()  # sets the threads, on whose number bytes depend
    encoder = initial_encoder(project.encoder(system["encoder"]), stores[0], project.seed)
    write_encoder(project.model(name), encoder.network, encoder.params, encoder.n_features)
    embeddings = apply(encoder.network.to(device), stores, list(clips["clip_id"]), device)
    for seed in project.params["train"]["seeds"]:
        write_array(output / f"seed_{seed}.npy", embeddings)
    write_csv(output / "clips.csv", clips[["clip_id"]].assign(fitted=0))
    return f"{' x '.join(map(str, embeddings.shape))} in {output}"


if __name__ == "__main__":
    run("training_free", main)
