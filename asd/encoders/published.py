"""Published encoders: what each is, what it hears, where its weights are and how they are known."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

HUB = "https://huggingface.co"


@dataclass(frozen=True)
class Published:
    """One published encoder."""

    network: str
    """Its architecture: key of :data:`asd.encoders.registry.NETWORKS`."""
    options: Mapping[str, float]
    """Of that network's constructor, besides the number of bands."""
    front_end: str
    """Kind of front end that it hears through, with that kind's own values."""
    bands: int
    """Width of a row of that front end."""
    patch: tuple[int, int]
    """Rows and bands of one token."""
    dims: int
    """Size of an embedding."""
    licence: str
    file: str
    """Name of the weights."""
    addresses: tuple[str, ...]
    """Folders that offer the file; the first that answers is taken."""
    layout: str
    """Key of :data:`asd.encoders.layouts.LAYOUTS`: how its tensors are named."""
    size: int | None = None
    """[bytes]; None: not known."""
    sha256: str | None = None
    """None: not known, recorded when the file is downloaded first."""


EAT = Published(
    network="eat",
    options={"dims": 768, "depth": 12, "heads": 12, "frames": 1024, "places": 768},
    front_end="kaldi_fbank",
    bands=128,
    patch=(16, 16),
    dims=768,
    licence="MIT",
    file="model.safetensors",
    addresses=(f"{HUB}/worstchan/EAT-base_epoch30_pretrain/resolve/main",),
    layout="eat",
    size=359_905_840,
    sha256="8623072d09aac4f3ad1168b4fed3a24e4f68fe1da25b9fe733375efb237e5f48",
)
BEATS = Published(
    network="beats",
    options={"dims": 768, "depth": 12, "heads": 12},
    front_end="beats_fbank",
    bands=128,
    patch=(16, 16),
    dims=768,
    licence="MIT",
    file="BEATs_iter3_plus_AS2M.pt",
    addresses=(f"{HUB}/lpepino/beats_ckpts/resolve/main", f"{HUB}/datasets/Bencr/beats-checkpoints/resolve/main"),
    layout="beats",
    size=361_499_833,
    sha256="d43cbfad4d7b56381c061d7a24774f908d4d94c72961f6eb1d9090ff18cd8d34",
)
DASHENG = Published(
    network="dasheng",
    options={"dims": 768, "depth": 12, "heads": 12},
    front_end="dasheng_mel",
    bands=64,
    patch=(4, 64),
    dims=768,
    licence="Apache-2.0",
    file="dasheng_base.pt",
    addresses=("https://zenodo.org/records/11511780/files",),
    layout="dasheng",
)
EFFICIENTAT = Published(
    network="efficientat",
    options={"width": 0.4},
    front_end="efficientat_mel",
    bands=128,
    patch=(32, 32),
    dims=384,
    licence="MIT",
    file="mn04_as_mAP_432.pt",
    addresses=("https://github.com/fschmid56/EfficientAT/releases/download/v0.0.1",),
    layout="own",
    size=4_066_513,
    sha256="899a8c6217063f6941793102a2780b3dd788ab11fce468d9cf5f0577c453321c",
)
WAVLM = Published(
    network="wavlm",
    options={},
    front_end="waveform",
    bands=320,
    patch=(1, 320),
    dims=768,
    licence="MIT",
    file="wavlm_base.pth",
    addresses=("https://download.pytorch.org/torchaudio/models",),
    layout="torchaudio",
)
PUBLISHED = {
    "eat_base": EAT,
    "eat_large": replace(
        EAT,
        options={"dims": 1024, "depth": 24, "heads": 16, "frames": 1024, "places": 768},
        dims=1024,
        addresses=(f"{HUB}/worstchan/EAT-large_epoch20_pretrain/resolve/main",),
        size=None,
        sha256=None,
    ),
    "sslam": replace(
        EAT,
        addresses=(f"{HUB}/ta012/SSLAM_pretrain/resolve/main",),
        size=None,
        sha256="8ec670adb241c710422ddd894ff1bade142ef0b25cf1ee68577aa45f89432298",
    ),
    "beats_iter3_plus": BEATS,
    "beats_iter3": replace(
        BEATS,
        file="BEATs_iter3.pt",
        size=None,
        sha256="8d1b234032a9ccff353612dc6c20982346dc2968b205b79d97303eb5e77bfb34",
    ),
    "dasheng_base": DASHENG,
    "dasheng_06b": replace(DASHENG, options={"dims": 1280, "depth": 32, "heads": 16}, dims=1280, file="dasheng_06b.pt"),
    "dasheng_12b": replace(DASHENG, options={"dims": 1536, "depth": 40, "heads": 24}, dims=1536, file="dasheng_12b.pt"),
    "mn04": EFFICIENTAT,
    "mn10": replace(EFFICIENTAT, options={"width": 1.0}, dims=960, file="mn10_as_mAP_471.pt", size=None, sha256=None),
    "mn20": replace(EFFICIENTAT, options={"width": 2.0}, dims=1920, file="mn20_as_mAP_478.pt", size=None, sha256=None),
    "wavlm_base": WAVLM,
    "hubert_base": replace(WAVLM, network="hubert", file="hubert_fairseq_base_ls960.pth"),
}
