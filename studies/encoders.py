"""Whether a pre-trained encoder pays, frozen and fine-tuned, on real recordings and simulated. docs/encoders.md.

    python -m studies.encoders real MANIFEST ... [--encoders NAME[=FILE] ...] [--mn04 FILE] [--fine-tuned]
                                                 [--out scores.csv]
    python -m studies.encoders simulated [--seeds 1000] [--size study] [--training-seeds 0 1 2] [options]

``--help`` after the name of a study says what it measures. A frozen encoder is a block of ``training_free:`` for each
scorer, made here; those of params.yaml and presets (``-S``) are known by their names, too, ``NAME_drawn`` is an encoder
with random weights instead of published ones, ``NAME_any=FILE`` with those of a file (variants of one encoder beside
each other), ``adapted/NAME`` the same adapted to the training clips as ``tiny`` is.
"""

import argparse
import hashlib
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_mutual_info_score

from asd.adaptation.measures import probe
from asd.core.artifacts import read_csv, write_csv
from asd.core.clips import training
from asd.core.errors import UserError
from asd.core.project import FILES, HIDDEN, RAW, systems_of
from asd.core.section import checked
from asd.encoders.encoder_params import EncoderParams
from asd.encoders.weights import weights_of
from asd.params import check
from asd.pseudo_labels.params import PseudoLabelParams
from asd.scoring.candidates import CANDIDATES
from asd.scoring.registry import ScoreParams
from studies import comparison, shared
from studies.real import WRITTEN, folds, overridden, read_manifests, system_scores
from studies.real_scores import Judged, Values, by_section, judged
from studies.systems import labelled

MEAN = {"kind": "mean", "per_band": True}
FRONT_ENDS = {  # where params.yaml has none of the name
    "log_mel_two_scales": {"kind": "log_mel_two_scales"},
    "efficientat_mel": {"kind": "efficientat_mel", "low_rate": "resample"},
}
OURS = {"features": "log_mel_two_scales", "weights": "published", "pooling": MEAN}
MN04 = {"architecture": "mn04", "features": "efficientat_mel", "weights": "published"}
ENCODERS: dict[str, dict[str, Any]] = {  # the same
    **{f"machine_{size}": OURS | {"architecture": f"machine_{size}"} for size in ("tiny", "small", "base")},
    "machine_small_parameters": OURS | {"architecture": "machine_small", "output": "parameters"},
    "mean_log_mel": {"architecture": "mel_bands", "features": "log_mel", "tokens": 8, "pooling": MEAN},
    "mn04": MN04 | {"pooling": MEAN},
    "mn04_preset": MN04 | {"pooling": MEAN | {"kind": "relative_deviation", "gamma": 8.0}},  # frozen_mn04.txt
}
COMPARED = ["machine_small", "machine_small_drawn", "machine_small_parameters", "mean_log_mel", "texture"]
SCORERS = ["knn_bands", "density_whitened"]  # a nearest neighbour a band, distances averaged; of all bands at once
TUNED = {"noise_aware_ssl": False, "domain_adapted": True, "group_lora": False}  # whether adapted, too, as its paper is
DRAWN, BEFORE = "_drawn", "adapted/tiny"  # what systems are trained from where nothing is pre-trained


def tag(name: str) -> str:
    """Give an encoder's name within that of a system."""
    return name.replace("/", "_")


def with_encoders(params: dict[str, Any], names: Sequence[str], files: dict[str, str]) -> dict[str, Any]:
    """Add encoders with their front ends and adaptation; ``files`` are weights in the place of those of a block."""
    known, encoders, adapt = ENCODERS | params["encoders"], dict(params["encoders"]), dict(params["adapt"])
    for folder in names:
        name = folder.removeprefix("adapted/")
        of = max((of for of in known if f"{name}_".startswith(f"{of}_")), key=len, default="")
        block = known.get(of)
        if not block or (name not in known and "weights" not in block):
            raise UserError(f"{name!r} is no encoder: choose among {', '.join(known)}, with {DRAWN} if it is published")
        weights = files.get(name) or (None if name in known else "random")
        encoders[name] = block | ({"weights": weights} if weights else {})
        if folder != name:
            adapt[name] = params["adapt"]["tiny"] | {"features": block["features"]} | adapt.get(name, {})
    wanted = {block["features"] for block in encoders.values()}
    features = {name: block for name, block in FRONT_ENDS.items() if name in wanted} | params["features"]
    return params | {"features": features, "encoders": encoders, "adapt": adapt}


def starts(params: dict[str, Any], first: str, system: str) -> list[str]:
    """List what a system is fine-tuned from: the first encoder, its drawn weights, both adapted, ``adapted/tiny``."""
    drawn = [first + DRAWN] if "weights" in (ENCODERS | params["encoders"]).get(first, {}) else []
    adapted = [f"adapted/{name}" for name in [first, *drawn] if TUNED[system]]
    return list(dict.fromkeys([first, *drawn, *adapted, BEFORE]))


def scorer_of(system: dict[str, Any]) -> str:
    """Name a system's scorer as the candidates are named."""
    own = checked(ScoreParams, system["score"]).root
    candidates = {name: checked(ScoreParams, block).root for name, block in CANDIDATES["embeddings"].items()}
    return next((name for name, block in candidates.items() if block == own), own.scorer)


def of_study(params: dict[str, Any], args: argparse.Namespace) -> dict[str, Any]:
    """Set ``ENCODER-SCORER`` (frozen) and ``SYSTEM-ENCODER-SCORER`` (fine-tuned) in the place of params' systems."""
    names, files = encoders_of(args)
    shipped, tuned = params["systems"], TUNED if args.fine_tuned else {}
    pairs = [(system, name) for system in tuned for name in starts(params, names[0], system)]
    made = with_encoders(params, [*names, *(name for _, name in pairs)], files)
    scorers = {name: CANDIDATES["embeddings"][name] for name in args.scorers}
    own = {scorer_of(shipped[system]): shipped[system]["score"] for system in tuned}  # the first encoder, frozen, too
    made["training_free"] = {
        f"{tag(name)}-{scorer}": _on(made, name) | {"score": block}
        for name in names
        for scorer, block in (scorers | (own if name == names[0] else {})).items()
    }
    made["systems"] = {
        f"{system}-{tag(name)}-{scorer_of(shipped[system])}": shipped[system] | _on(made, name)
        for system, name in pairs
    }
    made["ensemble"] = params["ensemble"] | {"members": "all"}
    check(made)
    return made


def _on(params: dict[str, Any], name: str) -> dict[str, Any]:
    folder = name if "/" in name else f"initial/{name}"
    return {"encoder": folder, "features": params["encoders"][folder.split("/")[1]]["features"]}


def encoders_of(args: argparse.Namespace) -> tuple[list[str], dict[str, str]]:
    """Read the options ``--encoders`` and ``--mn04``: names, the first of which others are compared with; weights."""
    words = [*args.encoders, *(f"{name}={args.mn04}" for name in ("mn04", "mn04_preset") if args.mn04)]
    pairs = [word.partition("=") for word in words]
    files = {name.removeprefix("adapted/"): str(Path(file).resolve()) for name, _, file in pairs if file}
    return list(dict.fromkeys(name for name, _, _ in pairs)), files


def references(system: str, first: str) -> dict[str, str]:
    """Name the systems that one is compared with, by the title of the difference."""
    *which, scorer = system.split("-")
    found = {f"frozen {first}": f"{tag(first)}-{scorer}"}
    if len(which) == 2:
        tuned, start = which
        found["drawn weights"] = f"{tuned}-{start.removesuffix(DRAWN)}{DRAWN}-{scorer}"
        found[BEFORE] = f"{tuned}-{tag(BEFORE)}-{scorer}"
    return found


def real(args: argparse.Namespace) -> None:
    """Compare encoders on labelled recordings of real machines.

    Manifests, ``--folds`` and ``-S`` are those of studies.real. Every encoder is frozen, each clip embedded by the mean
    over time of each band's tokens, and scored by the cosine nearest neighbour of each band, averaged (``knn_bands``),
    and by the whitened density of all bands together (``density_whitened``), or by ``--scorers``. With ``--fine-tuned``
    three systems of params.yaml are trained from the first encoder, from drawn weights and from ``adapted/tiny``, and
    compared with the first encoder frozen under their own scorer. Differences are paired: 95 % intervals of resampled
    recordings, which cover neither other machines nor other draws and training seeds.
    """
    if bool(args.manifests) == bool(args.scores):
        raise UserError("give manifests, or --scores alone")
    scores = read_csv(args.scores, tuple(WRITTEN[1:6])) if args.scores else real_scores(args)
    if args.out:
        write_csv(args.out, scores)
    results, first = judged(scores), encoders_of(args)[0][0]
    print(shared.table(compared(results, first)), shared.table(by_section(results)), sep="\n\n")


def real_scores(args: argparse.Namespace) -> pd.DataFrame:
    """Score the labelled test clips of every fold by all systems of the study: the columns of studies.real."""
    listed, params = read_manifests(args.manifests), of_study(overridden(args.S, None, args.training_seed), args)
    parts = [system_scores(fold, params, False).assign(fold=i) for i, fold in enumerate(folds(listed, args.folds))]
    scores = pd.concat(parts, ignore_index=True)
    scores = scores[scores["counts"] & (scores["anomaly"] != "")]
    return scores.astype({"anomaly": int})[WRITTEN].reset_index(drop=True)


def compared(results: Judged, first: str) -> pd.DataFrame:
    """Tabulate systems, scorer by scorer, the highest mean AUC first; percent, with 95 % intervals."""
    rows = []
    for name in sorted(results, key=lambda n: (n.count("-"), n.split("-")[-1], -results[n]["auc"].mean)):
        (*which, scorer), auc, pauc = name.split("-"), results[name]["auc"], results[name]["pauc"].centred()
        row = {"system": " from ".join(which), "scorer": scorer, "AUC [95 %]": shown(auc), "pAUC [95 %]": shown(pauc)}
        for title, other in references(name, first).items():
            row[f"AUC less {title} [95 %]"] = shown(auc.minus(results[other]["auc"]), True) if other in results else ""
        rows.append(row)
    return pd.DataFrame(rows).fillna("").set_index("system")


def shown(values: Values, difference: bool = False) -> str:
    """Write a mean and its interval in percent; of a paired difference also whether it is resolved."""
    (low, high), sign = values.interval(), "+" if difference else ""
    text = f"{100 * values.mean:{sign}.1f} [{100 * low:{sign}.1f}, {100 * high:{sign}.1f}]"
    return text + (" not resolved" if difference and low <= 0 <= high else "")


def simulated(args: argparse.Namespace) -> None:
    """Compare encoders on simulated factories.

    The systems of the study ``real``. 1. Official score and AUCs: means over machines, factories and training seeds,
    with paired differences; 95 % intervals over clips and training seeds, of drawn weights one draw alone.
    2. What the frozen encoders tell of the true attributes of normal training clips, machine by machine: whether
    the nearest other clip (cosine) has the same, and the adjusted mutual information (AMI) of the groups that the
    labeller ``hierarchical`` makes of the embeddings; means over machines and factories [%] and paired differences to
    the first encoder, 95 % intervals over these (Student's t).
    """
    (names, _), sections, told = encoders_of(args), [], []
    for seed in args.seeds:
        params = factory_params(args, seed)
        with shared.kept(f"encoders-{args.size}-{seed}-{digest(params)}", params):
            sections += labelled(params, seed)
            told.append(attributes(params, [f"{tag(name)}-{args.scorers[0]}" for name in names]).assign(factory=seed))
    for title, reference in by_title(list(sections[0].scores), names[0]).items():
        print(f"\ndifferences are to {title}\n")
        some = [replace(one, scores={name: one.scores[name] for name in reference}) for one in sections]
        comparison.show(comparison.rows(some, reference.__getitem__, args.resamples, same_models=False))
    print("", shared.table(attribute_table(pd.concat(told))), sep="\n")


def factory_params(args: argparse.Namespace, seed: int) -> dict[str, Any]:
    """Make params of one factory: the shipped ones with overrides and the systems of the study."""
    params = overridden(args.S, None, 0)
    params["dataset"] |= {"name": "simulated", "simulated": params["dataset"]["simulated"] | {"seed": seed}}
    params["dataset"]["simulated"]["size"], params["train"]["seeds"] = args.size, args.training_seeds
    return shared.without_second_networks(shared.without_evidence(of_study(params, args)))


def digest(params: dict[str, Any]) -> str:
    """Digest the weights that systems start from: a checkpoint of the same name may be another one."""
    used = sorted({system["encoder"].split("/")[1] for system in systems_of(params).values()})
    files = [weights_of(checked(EncoderParams, params["encoders"][name]).root) for name in used]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files if file)).hexdigest()[:8]


def by_title(systems: list[str], first: str) -> dict[str, dict[str, str]]:
    """Collect, by the title of a difference, what each of the systems that have it is compared with."""
    found: dict[str, dict[str, str]] = {}
    for name in systems:
        for title, other in references(name, first).items():
            if other in systems:
                found.setdefault(title, {})[name] = other
    return found


def attributes(params: dict[str, Any], systems: list[str]) -> pd.DataFrame:
    """Measure what the embeddings of frozen encoders tell of the true attributes: a row an encoder and machine."""
    clips, _ = shared.tables()
    clips = clips.assign(truth=true_attributes(clips))
    normal, rows = training(clips), []
    params_of = checked(PseudoLabelParams, params["pseudo_label"])
    labeller, limits = params_of.labellers()["hierarchical"], (params_of.min_groups, params_of.max_groups)
    for system in systems:
        embeddings = next(iter(shared.system_embeddings(system, clips).values()))  # alike for all training seeds
        x = embeddings[clips.index.get_indexer(normal.index)].reshape(len(normal), -1)
        for machine, told in probe(x, normal, "truth").get("machines", {}).items():
            mine = (normal["machine"] == machine).to_numpy()
            groups = labeller.agglomerate(x[mine], normal["domain"].to_numpy()[mine], *limits).groups
            ami = adjusted_mutual_info_score(normal["truth"][mine], groups)
            rows.append({"system": system.split("-")[0], "machine": machine, "1-NN": told["accuracy"], "AMI": ami})
    return pd.DataFrame(rows)


def true_attributes(clips: pd.DataFrame) -> np.ndarray:
    """Read the attributes of clips of a simulated factory, hidden ones, too."""
    files = read_csv(FILES, ("clip_id", "path")).set_index("clip_id")["path"][clips["clip_id"]]
    facts = pd.read_csv(HIDDEN / "simulated.csv").set_index("file")["attributes"].fillna("")
    return facts[[Path(path).relative_to(RAW).as_posix() for path in files]].to_numpy()


def attribute_table(found: pd.DataFrame) -> pd.DataFrame:
    """Tabulate the means over machines and factories, and differences to the first encoder."""
    rows, order = dict[str, Any](), list(dict.fromkeys(found["system"]))
    for measure in ("1-NN", "AMI"):
        values = 100 * found.pivot_table(index=["factory", "machine"], columns="system", values=measure)[order]
        less = {name: shared.interval(values[name] - values[order[0]]) for name in order}
        rows[measure] = values.mean().map("{:.1f}".format)
        rows[f"{measure} less {order[0]}"] = {n: "{:+.1f} [{:+.1f}, {:+.1f}]".format(*of) for n, of in less.items()}
    return pd.DataFrame(rows).loc[order].rename_axis("encoder")


def main() -> None:
    """Run the study that the command line names."""
    commands, parsers = shared.Commands(__doc__), {}
    for study, encoders in ((real, COMPARED), (simulated, [*COMPARED, BEFORE])):
        parsers[study] = made = commands.add(study.__name__, study)
        made.add_argument("--encoders", nargs="+", default=encoders, metavar="NAME[=FILE]", help="FILE: its weights")
        made.add_argument("--mn04", type=Path, metavar="FILE", help="beside them EfficientAT mn04, of this file")
        made.add_argument("--scorers", nargs="+", default=SCORERS, choices=CANDIDATES["embeddings"], metavar="NAME")
        made.add_argument("--fine-tuned", action="store_true", help="systems that train, too, from the first encoder")
        made.add_argument("-S", action="append", default=[], metavar="KEY=VALUE", help="override params.yaml")
    parsers[real].add_argument("manifests", type=Path, nargs="*", metavar="MANIFEST")
    parsers[real].add_argument("--folds", type=int, default=0, help="0: the manifest's split")
    parsers[real].add_argument("--training-seed", type=int, default=0)
    parsers[real].add_argument("--out", type=Path, metavar="FILE.csv", help="write the scores")
    parsers[real].add_argument("--scores", type=Path, metavar="FILE.csv", help="written before: the tables again")
    parsers[simulated].add_argument("--seeds", type=int, nargs="+", default=[1000], help="of the simulated factories")
    parsers[simulated].add_argument("--size", default="study", help="dataset.simulated.size")
    parsers[simulated].add_argument("--training-seeds", type=int, nargs="+", default=[0, 1, 2])
    parsers[simulated].add_argument("--resamples", type=int, default=1000)
    try:
        commands.run()
    except UserError as error:
        print(f"asd: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
