"""Against peers, side by side: the organisers' baseline, others' front ends and distances, as their users run them."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import soundfile
import torch
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from asd.classifiers.objectives.reconstruction import Reconstruction, one_thread
from asd.classifiers.task import Task, embed, model_description
from asd.core.compute import ComputeParams, configure, rng
from asd.core.errors import UserError
from asd.core.section import checked
from asd.encoders.encoder_params import EncoderParams
from asd.encoders.initial import InitialEncoder
from asd.encoders.networks import create_encoder
from asd.features.extraction import extract_all
from asd.features.fitting import description_of
from asd.features.store import FeatureStore, describe, writer
from asd.scoring.params import Metric
from asd.scoring.scorer import Scorer
from asd.scoring.scorers.knn import KNN
from asd.scoring.scorers.outlier_factor import LocalOutlierFactor
from bench.features import LOG_MEL, RATE, SECONDS, WORKERS, extraction, front_end_of, least, recordings, usual
from bench.harness import Row, in_turns
from bench.organisers import Scores, baseline
from bench.products import operations_of, products

CLIPS, EPOCHS = 50, 20  # of the baseline here; its own are 1,000 clips of a machine and 100 epochs
RUNS = 3  # the peers are slow
FILES = 200  # clips of the front ends
NORMAL, TESTED, DIMS = 10_000, 200, 768  # of scikit-learn and PyOD
FEW, WIDE = 1000, 6144  # of the nested loops: eight bands of 768
FBANK = {"kind": "kaldi_fbank", "sample_rate": RATE, "n_mels": 128, "frame_shift": 10}
FBANK |= {"mean": -4.268, "std": 4.569}  # of EAT

Work = Callable[[Sequence], object]


def rows(clips: int = CLIPS, epochs: int = EPOCHS) -> list[Row]:
    """Measure all peers.

    Parameters
    ----------
    clips, epochs : int
        Training clips, and epochs, of the organisers' baseline.
    """
    torch.set_num_threads(WORKERS)
    with recordings(FILES) as files:
        front_ends = [_librosa(files), _kaldi(files)]
    return [*_baseline(clips, epochs), *front_ends, *_nested_loops(), *_neighbours()]


# The organisers' baseline


@contextmanager
def _machine(clips: int) -> Iterator[tuple[list[str], list[str]]]:
    """Write training and test files of one machine: harmonic tones in noise, one in a hundred of the target domain."""
    with TemporaryDirectory() as folder:
        count = {"train": clips, "test": max(10, clips // 5)}
        paths = {split: [_name(Path(folder), split, n) for n in range(many)] for split, many in count.items()}
        for path in (*paths["train"], *paths["test"]):
            soundfile.write(path, _sound(path), RATE, subtype="PCM_16")
        yield paths["train"], paths["test"]


def _name(folder: Path, split: str, number: int) -> str:
    domain = "target" if number % 100 < 2 else "source"
    return str(folder / f"section_00_{domain}_{split}_normal_{number:04d}.wav")


def _sound(path: str) -> np.ndarray:
    generator, seconds = rng("bench", Path(path).name), np.arange(SECONDS * RATE) / RATE
    pitch = generator.uniform(95, 105)
    tones = sum(np.sin(2 * np.pi * pitch * k * seconds + generator.uniform(0, 6)) / k for k in range(1, 30))
    return 0.05 * tones + 0.02 * generator.standard_normal(len(seconds))


def _ours(train: Sequence[str], test: Sequence[str], epochs: int, seed: int) -> Scores:
    """Do the same work by the front end, store and objective of the pipeline, with the baseline's settings."""
    names = {Path(path).stem: path for path in (*train, *test)}
    splits = {"train": sorted(Path(p).stem for p in train), "test": sorted(Path(p).stem for p in test)}
    front_end = front_end_of(LOG_MEL)
    compute = ComputeParams(jobs=WORKERS, threads=WORKERS)
    configure(compute)
    with TemporaryDirectory() as folder:
        stores = {split: Path(folder) / split for split in splits}
        for split, clip_ids in splits.items():
            describe(stores[split], description_of(front_end.params, {}))
            with writer(stores[split], "machine", front_end.params.n_features) as append:
                for clip_id, features in extract_all({c: names[c] for c in clip_ids}, front_end, compute):
                    append(clip_id, features)
        opened = {split: FeatureStore(path) for split, path in stores.items()}
        task = _task(epochs, seed, opened["train"], Path(folder))
        tensors, _ = task.params.train(task)
        tested = pd.DataFrame({"clip_id": [Path(p).stem for p in test], "machine": "machine"})
        values = embed(model_description(task), tensors, tested, [opened["test"]], task.device)
    return Scores(values[:, 0], values[:, 1])


def _task(epochs: int, seed: int, store: FeatureStore, work: Path) -> Task:
    settings = {"objective": "reconstruction", "epochs": epochs, "batch": 256, "learning_rate": 0.001}
    block = checked(EncoderParams, {"architecture": "dense", "features": "log_mel"}).root
    encoder = InitialEncoder(create_encoder(block, store.n_features, seed), block, store.n_features)
    clips = pd.DataFrame({"clip_id": store.clip_ids, "machine": "machine"})
    clips["domain"] = np.where(clips["clip_id"].str.contains("target"), "target", "source")
    return Task(Reconstruction.model_validate(settings), encoder, store, clips, seed, torch.device("cpu"), work)


@one_thread(torch.device("cpu"))
def _baseline(clips: int, epochs: int) -> list[Row]:
    """Measure one thread by its processor time: threads of layers so small mostly wait for each other."""
    works: dict[str, Callable] = {"ours": _ours, "organisers'": baseline}
    times: dict[str, list[float]] = {name: [] for name in (*works, "products")}
    scores: dict[str, list[Scores]] = {name: [] for name in works}
    with _machine(clips) as (train, test):
        for name in works:
            works[name](train[:10], test[:2], 1, 0)  # what is imported and compiled when first called
        for seed in range(RUNS):
            for name, work in works.items():
                start = time.process_time()
                scores[name].append(work(train, test, epochs, seed))
                times[name].append(time.process_time() - start)
            start = time.process_time()
            _training_products(clips, epochs)
            times["products"].append(time.process_time() - start)
    name = (
        f"the organisers' baseline, {clips} training clips, {epochs} epochs: files to both scores, float32, one thread"
    )
    floor = ("matrix products of the training's operations", times["products"])
    row = Row(name, "s", times["ours"], "the organisers'", times["organisers'"], *floor, min_ratio=1.8)
    return [row, *(_equal(value, scores, clips, epochs) for value in Scores._fields)]


def _training_products(clips: int, epochs: int) -> None:
    """Multiply matrices for as many operations as the training takes."""
    network = create_encoder("dense", 128).train()
    x = torch.randn(256, 640)
    operations = operations_of(lambda: network(x).square().mean().backward()) / len(x)
    vectors = (1 + SECONDS * RATE // 512 - 4) * clips * 0.9
    products(operations, "cpu")(range(round(vectors * epochs)))


def _equal(value: str, scores: dict[str, list[Scores]], clips: int, epochs: int) -> Row:
    """Compare test scores, divided by their mean: ours less theirs, beside theirs less those by another seed."""
    by_seed = {name: np.array([getattr(one, value) for one in runs]) for name, runs in scores.items()}
    ours, theirs = (values / values.mean(axis=1, keepdims=True) for values in by_seed.values())
    apart = 100 * np.abs(ours - theirs).mean(axis=1)
    spread = 100 * np.abs(theirs - np.roll(theirs, 1, axis=0)).mean(axis=1)
    name = f"its scores by {value}, {clips} clips, {epochs} epochs: mean difference from the organisers'"
    return Row(name, "%", list(apart), "theirs by two seeds", list(spread), min_ratio=0.67)


# Front ends


def _librosa(files: list[str]) -> Row:
    loop: Work = lambda some: [usual(path) for path in some]  # noqa: E731
    works: dict[str, Work] = {"ours": extraction(LOG_MEL), "loop": loop, "floor": least}
    times = in_turns(works, files, RUNS)
    name = f"log-mel, file to array, {len(files)} clips of {SECONDS} s, {WORKERS} threads"
    floor = ("bytes + one batched FFT, one thread", times["floor"])
    return Row(name, "ms/clip", times["ours"], "librosa loop", times["loop"], *floor, min_ratio=5)


def _kaldi(files: list[str]) -> Row:
    """Measure Kaldi's fbank against Kaldi's own C++."""
    kaldi_native_fbank = _peer("kaldi_native_fbank")
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.window_type, options.frame_opts.dither = "hanning", 0
    options.mel_opts.num_bins = 128

    def native(files: Sequence[str]) -> None:
        for path in files:
            waveform = soundfile.read(path, dtype="float32")[0]
            fbank = kaldi_native_fbank.OnlineFbank(options)
            fbank.accept_waveform(RATE, waveform - waveform.mean())
            fbank.input_finished()
            np.stack([fbank.get_frame(i) for i in range(fbank.num_frames_ready)])

    works: dict[str, Work] = {"ours": extraction(FBANK), "native": native, "floor": partial(least, n_fft=512, hop=160)}
    times = in_turns(works, files)
    name = f"Kaldi fbank, file to array, {len(files)} clips of {SECONDS} s, {WORKERS} threads"
    floor = ("bytes + one batched FFT, one thread", times["floor"])
    return Row(name, "ms/clip", times["ours"], "kaldi-native-fbank loop", times["native"], *floor, min_ratio=5)


def _peer(package: str) -> Any:
    """Import a peer."""
    try:
        return import_module(package)
    except ImportError:
        raise UserError(f"{package.split('.')[0]} is missing: pip install -r requirements-dev.txt") from None


# Distances


def _embeddings(normal: int, tested: int, dims: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw embeddings of normal and test clips, and the normal ones' domains: all but ten are of the source."""
    generator = np.random.default_rng(0)
    reference, clips = (generator.standard_normal((count, dims), np.float32) for count in (normal, tested))
    return reference, clips, np.repeat(["source", "target"], [normal - 10, 10])


def _cosine_loop(clips: Sequence[np.ndarray], reference: np.ndarray) -> list[float]:
    from scipy.spatial.distance import cosine

    return [min(cosine(x, y) for y in reference) for x in clips]


def _euclidean_loop(clips: Sequence[np.ndarray], reference: np.ndarray) -> list[float]:
    """Measure pair by pair, as a peer's published script did."""
    y = torch.from_numpy(reference)
    near = [torch.stack([torch.sqrt(torch.pow(torch.from_numpy(x) - other, 2).sum()) for other in y]) for x in clips]
    return [float(distances.min()) for distances in near]


LOOPS: dict[Metric, tuple[str, Callable]] = {
    "cosine": ("double loop of scipy's cosine", _cosine_loop),
    "euclidean": ("double loop in torch, as GenRep's", _euclidean_loop),
}


def _nested_loops() -> list[Row]:
    """Measure one thread by its processor time: waiting for a busy processor would count otherwise."""
    reference, clips, domain = _embeddings(FEW, TESTED, WIDE)
    double, found = reference.astype(np.float64), []
    for metric, (peer, loop) in LOOPS.items():
        knn = KNN(metric=metric).fit(reference, domain)
        works: dict[str, Work] = {
            "ours": lambda some, knn=knn: knn.anomaly_score(np.stack(some)),  # type: ignore[misc]
            "loop": lambda some, loop=loop: loop(some, reference),  # type: ignore[misc]
            "product": lambda some: np.stack(some).astype(np.float64) @ double.T,
        }
        with threadpool_limits(1):
            times = in_turns(works, list(clips), RUNS, time.process_time)
        name = f"{metric} 1-NN, {TESTED} x {FEW} clips x {WIDE} dimensions, one thread"
        floor = ("one matrix product, float64", times["product"])
        found.append(Row(name, "ms/clip", times["ours"], peer, times["loop"], *floor, min_ratio=20, min_fraction=0.5))
    return found


def _neighbours() -> list[Row]:
    """Fit on normal clips and score test clips: all in one thread, by its processor time."""
    from sklearn.neighbors import NearestNeighbors

    pyod_knn, pyod_lof = _peer("pyod.models.knn").KNN, _peer("pyod.models.lof").LOF
    reference, clips, domain = _embeddings(NORMAL, TESTED, DIMS)
    double = reference.astype(np.float64)
    product = lambda some: np.stack(some).astype(np.float64) @ double.T  # noqa: E731
    square = lambda some: [product(some), double @ double.T]  # noqa: E731 - to each other, too

    def ours(scorer: Scorer) -> Callable:
        return lambda some: clone(scorer).fit(reference, domain).anomaly_score(np.stack(some))

    def nearest(metric: str) -> Callable:
        return lambda some: NearestNeighbors(n_neighbors=1, metric=metric).fit(reference).kneighbors(np.stack(some))

    def pyod(model: Any, **options: Any) -> Callable:
        return lambda some: model(metric="euclidean", **options).fit(reference).decision_function(np.stack(some))

    lof = LocalOutlierFactor(n_neighbors=20, metric="euclidean")
    knn = KNN(n_neighbors=5, metric="euclidean", per_domain=False)
    peers = {
        "scikit-learn's NearestNeighbors, cosine": (ours(KNN(metric="cosine")), nearest("cosine"), product),
        "scikit-learn's NearestNeighbors, euclidean": (ours(KNN(metric="euclidean")), nearest("euclidean"), product),
        "PyOD's KNN, 5 neighbours": (ours(knn), pyod(pyod_knn, n_neighbors=5, method="mean"), product),
        "PyOD's LOF, 20 neighbours": (ours(lof), pyod(pyod_lof, n_neighbors=20), square),
    }
    return [_neighbour(name, works, list(clips)) for name, works in peers.items()]


def _neighbour(peer: str, works: tuple[Callable, Callable, Callable], clips: list[np.ndarray]) -> Row:
    with threadpool_limits(1):
        times = in_turns(dict(zip(("ours", "peer", "product"), works, strict=True)), clips, RUNS, time.process_time)
    name = f"fit and score as {peer}, {TESTED} x {NORMAL} clips x {DIMS} dimensions, one thread"
    floor = ("matrix products, float64", times["product"])
    return Row(name, "ms/clip", times["ours"], peer.split(",")[0], times["peer"], *floor, min_ratio=2)
