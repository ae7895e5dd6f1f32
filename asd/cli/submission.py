"""``python -m asd submission``: the challenge's package of one system, written, read again and checked."""

import argparse
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from asd.core.artifacts import atomic, publish, read_json
from asd.core.errors import UserError
from asd.core.project import Project
from asd.evaluation.labelled_scores import scored_clips
from asd.evaluation.official_files import read_official

LABEL = re.compile(r"[A-Za-z]+_[A-Za-z0-9-]+_task2_[1-4]")
RESULTS = ("auc_source", "auc_target", "pauc", "auc")  # of metrics/evaluate.json, as far as there
AUGMENTATIONS = {  # key of systems.<name>.train -> what system descriptions of the challenge call it
    "mixup": "mixup",
    "statex": "StatEx",
    "featex": "FeatEx",
    "spec_augment": "SpecAugment",
    "noise_mix": "noise mixing",
}
EXAMPLE = "python -m asd submission --system ensemble --out package --label Doe_XYZ_task2_1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        "Write DIR/task2/<label>/: score and decision files and <label>.meta.yaml, re-read and checked."
    )
    parser.add_argument("--system", required=True, metavar="NAME", help="of params.yaml, or ensemble")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the package's folder")
    parser.add_argument("--label", default="Name_Affiliation_task2_1", help="<Name>_<Affiliation>_task2_<1 to 4>")
    parser.add_argument(
        "--meta", type=Path, metavar="YAML", help="your own fields (authors, ...), laid over the meta file"
    )


def main(args: argparse.Namespace) -> int:
    """Write the package."""
    project = Project()
    official = project.data / "evaluation" / "official"
    source = official / args.system
    if not LABEL.fullmatch(args.label):
        raise UserError(f"--label is {args.label!r}: <Name>_<Affiliation>_task2_<1 to 4> is expected")
    if not source.is_dir():
        known = ", ".join(sorted(path.name for path in official.glob("*"))) or "nothing: run dvc repro"
        raise UserError(f"{source} is missing: --system is one of those evaluated: {known}")
    package = args.out / "task2" / args.label
    if package.exists():
        raise UserError(f"{package} is there already: remove it or choose another --out or --label")
    meta = _merged(meta_of(project, args.system, args.label), _user_fields(args.meta))
    args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=args.out) as folder:
        work = Path(folder) / args.label
        shutil.copytree(source, work, copy_function=shutil.copyfile)
        with atomic(work / f"{args.label}.meta.yaml", "w") as file:
            yaml.safe_dump(meta, file, sort_keys=False, allow_unicode=True, width=100)
        clips = validate(project, work, args.label)
        publish(work, package)
    print(f"{clips} clips of {args.system}, read again and checked, in {package}", end="")
    print("" if args.meta else "; authors and descriptions in the meta file are empty: give --meta or fill them in")
    return 0


def validate(project: Project, package: Path, label: str) -> int:
    """Read a package as the organisers would.

    Parameters
    ----------
    project : Project
        Whose test clips the package must have.
    package : Path
    label : str

    Returns
    -------
    int
        How many clips were scored and decided.

    Raises
    ------
    UserError
        Where a clip is missing, there twice, unknown or without a finite score and a decision, or the meta file bears
        another label.
    """
    table, _ = read_official(package, expected(project))
    if table["decision"].isna().any():
        raise UserError(f"{package} lacks decisions: run dvc repro evaluate")
    meta = yaml.safe_load((package / f"{label}.meta.yaml").read_text(encoding="utf-8"))
    if not isinstance(meta, dict) or meta.get("submission", {}).get("label") != label:
        raise UserError(f"{package}: the meta file's submission.label is not {label}")
    return len(table)


def expected(project: Project) -> pd.DataFrame:
    """List the test clips that a package must have, in the form of a label list without labels."""
    clips = scored_clips(project.clips())
    name = clips["clip_id"].map(project.file_names())
    known = clips[["machine", "section", "domain"]]
    return known.assign(name=name, true_name=name, anomaly=float("nan"), attributes="")


def meta_of(project: Project, system: str, label: str) -> dict[str, Any]:
    """Fill in what the project knows of a system; what only its authors know is empty.

    Parameters
    ----------
    project : Project
    system : str
    label : str
        Of the submission.

    Returns
    -------
    dict
        Content of the meta file.
    """
    params, metrics = project.params, read_json(project.metrics / "evaluate.json")
    recipe = project.systems.get(system, {})
    front_end = params["features"].get(recipe.get("features"), {})
    person = dict.fromkeys(("firstname", "lastname", "email")) | {"corresponding": True}
    person["affiliation"] = dict.fromkeys(("abbreviation", "institute", "department", "location"))
    members = list(read_json(project.metrics / "ensemble.json")["weights"]) if system == "ensemble" else []
    trained = [project.systems[name].get("train", {}) for name in (members or [system])]
    machines = metrics[system].get("machines", {})
    return {
        "submission": {"label": label, "name": system, "abbreviation": system[:10], "authors": [person]},
        "system": {
            "description": {
                "input_sampling_rate": f"{front_end['sample_rate'] / 1000:g} kHz" if front_end else None,
                "data_augmentation": augmentations(trained),
                "front_end": recipe.get("features"),
                "acoustic_features": front_end.get("kind"),
                "embeddings": recipe.get("encoder"),
                "machine_learning_method": recipe.get("train", {}).get("objective"),
                "decision_making": recipe.get("score", {}).get("scorer"),
                "ensemble_method_subsystem_count": len(members) or None,
                "subsystems": members or None,
            },
            "complexity": {"total_parameters": None, "MACS": None},
            "external_datasets": None,
            "source_code": None,
        },
        "results": {"development_dataset": {m: _results(sections) for m, sections in sorted(machines.items())}},
    }


def augmentations(trained: list[dict[str, Any]]) -> str | None:
    """Name the augmentations that any of some blocks ``train`` uses: ``mixup, StatEx``; None where there is none."""
    return ", ".join(name for key, name in AUGMENTATIONS.items() if any(block.get(key) for block in trained)) or None


def _results(sections: dict[str, dict[str, float]]) -> dict[str, Any]:
    figures = {
        name: {key: section[key] for key in RESULTS if key in section} for name, section in sorted(sections.items())
    }
    return next(iter(figures.values())) if len(figures) == 1 else figures


def _user_fields(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"--meta {path} can't be read: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise UserError(f"--meta {path} is no YAML mapping")
    return content


def _merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Lay one nested mapping over another."""
    both = {
        key: _merged(under[key], over[key])
        for key in over
        if isinstance(under.get(key), dict) and isinstance(over[key], dict)
    }
    return under | over | both
