"""Stage embed: pooled embeddings of the training clips, from which pseudo-labels are made."""

from asd.core import compute
from asd.core.artifacts import write_array, write_csv, write_metrics
from asd.core.clips import training
from asd.core.project import Project
from asd.core.stage import run
from asd.encoders.embedding import apply
from asd.encoders.encoder_params import EmbedParams
from asd.encoders.initial import initial_encoder
from asd.features.store import FeatureStore


def main() -> str:
    """Embed the normal training clips with the encoder ``embed.encoder``."""
    project = Project()
    params = project.section(EmbedParams, "embed")
    clips = training(project.train_clips())
    store = FeatureStore(project.features(params.features))
    device = compute.device()
    encoder = initial_encoder(project.encoder(params.encoder), store, project.seed)
    embeddings = apply(encoder.network.to(device), [store], list(clips["clip_id"]), device)
    output = project.embed(params.encoder)
    write_array(output / "embeddings.npy", embeddings)
    write_csv(output / "clips.csv", clips[["clip_id"]])
    write_metrics(
        project.metrics / "embed.json", {"clips": len(clips), "bands": embeddings.shape[1], "dims": embeddings.shape[2]}
    )
    return f"{' x '.join(map(str, embeddings.shape))} in {output}"


if __name__ == "__main__":
    run("embed", main)
