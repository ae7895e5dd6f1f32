"""Stage embed: pooled embeddings of the training clips, what the labellers see."""

from pathlib import Path

from asd.base import compute
from asd.base.artifacts import write_array, write_csv, write_metrics
from asd.base.section import load
from asd.base.stage import run
from asd.clips import TRAIN_CLIPS, read_clips, training
from asd.encoders.batches import apply
from asd.encoders.params import EmbedParams
from asd.encoders.registry import read_encoder
from asd.features.store import FeatureStore


def main() -> str:
    """Embed the normal training clips with the labellers' encoder."""
    params = load(EmbedParams, "embed")
    clips = training(read_clips(TRAIN_CLIPS))
    store = FeatureStore(Path("data/features") / params.features / "train")
    device = compute.device()
    network = read_encoder(Path("data/encoders") / params.encoder).to(device)
    embeddings = apply(network, [store], list(clips["clip_id"]), device)
    output = Path("data/embeddings") / params.encoder
    write_array(output / "embeddings.npy", embeddings)
    write_csv(output / "clips.csv", clips[["clip_id"]])
    write_metrics(
        "metrics/embed.json", {"clips": len(clips), "bands": embeddings.shape[1], "dims": embeddings.shape[2]}
    )
    return f"{' x '.join(map(str, embeddings.shape))} in {output}"


if __name__ == "__main__":
    run("embed", main)
