"""The pictures of embeddings: every training clip before and after, by its label and domain."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT
from scored import write_project
from test_report import made_report

from asd.core.project import systems_of
from asd.core.section import read_params
from asd.report.embeddings import before_and_after, principal_plane, shown


def points(svg):
    return re.findall(r'<use href="#m\w+" x="([\d.]+)" y="([\d.]+)"', svg)


def made(systems):
    params = read_params()
    return before_and_after(
        {name: systems_of(params)[name] for name in systems}, params["embed"]["encoder"], Path("data")
    )


def test_every_training_clip_has_a_place_and_the_group_of_its_label():
    rng = np.random.default_rng(0)
    domain, label = pd.Series(["source"] * 9 + ["target"]), pd.Series(["b", "a", "c"] * 3 + ["b"])
    plane = principal_plane(rng.normal(size=(10, 4)), domain, label)
    assert plane["group"].tolist() == [1, 0, 2] * 3 + [1]
    assert plane["domain"].tolist() == domain.tolist()
    assert np.isfinite(plane[["x", "y"]]).all(axis=None)


def test_groups_that_are_apart_are_drawn_apart():
    """Two directions with little noise: the distance between the groups is that of the unit vectors."""
    rng = np.random.default_rng(0)
    x = np.repeat(np.eye(6)[:2], 8, axis=0) + 0.01 * rng.normal(size=(16, 6))
    plane = principal_plane(x, pd.Series(["source"] * 16), pd.Series(["a"] * 8 + ["b"] * 8))
    a, b = (rows[["x", "y"]].to_numpy() for _, rows in plane.groupby("group"))
    assert np.linalg.norm(a.mean(axis=0) - b.mean(axis=0)) == pytest.approx(np.sqrt(2), rel=0.05)
    assert max(np.ptp(a, axis=0).max(), np.ptp(b, axis=0).max()) < 0.2


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_embeddings_that_are_alike_or_not_finite_are_no_failure(value):
    plane = principal_plane(np.full((4, 3), value), pd.Series(["source"] * 4), pd.Series(["a"] * 4))
    assert plane["x"].isna().all() == np.isnan(value)


def test_those_systems_are_shown_that_train_on_labels_found_in_embeddings(workdir):
    params = read_params()
    for name in ("noise_aware_ssl", "domain_adapted", "group_lora"):
        params["systems"][name]["encoder"] = "initial/mel_bands"
    Path("params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    write_project(seeds=(3, 10))
    found = made(systems_of(params))
    assert {own.system: own.labels for own in found} == {"domain_adapted": "pseudo/hierarchical"}
    assert [pair.title for pair in found[0].pairs] == ["fan", "pump"]
    assert points(found[0].pairs[0].before) != points(found[0].pairs[0].after)
    assert made(["frozen", "attribute_cnn"]) == []


def test_what_labellers_saw_is_the_same_for_every_system_that_trains_their_encoder(workdir):
    write_project(seeds=(3, 10))
    found = made(systems_of(read_params()))
    names = {own.system: own.labels for own in found}
    assert names == {"noise_aware_ssl": "given", "domain_adapted": "pseudo/hierarchical", "group_lora": "given"}
    assert points(found[0].pairs[0].before) == points(found[1].pairs[0].before) != points(found[0].pairs[0].after)


def test_those_systems_are_shown_that_train_the_labellers_encoder():
    systems = systems_of(read_params(ROOT / "params.yaml"))
    assert shown(systems, "adapted/tiny") == ["noise_aware_ssl", "domain_adapted", "group_lora"]
    assert shown(systems, "initial/mel_bands") == ["domain_adapted"]  # nothing of frozen is trained


def test_the_first_training_seed_is_shown_and_rows_are_found_by_clip(workdir):
    write_project(seeds=(3, 10))
    first = made(["domain_adapted"])
    folder = Path("data/embeddings/domain_adapted")
    order = np.random.default_rng(1).permutation(len(pd.read_csv(folder / "clips.csv")))
    pd.read_csv(folder / "clips.csv").iloc[order].to_csv(folder / "clips.csv", index=False)
    np.save(folder / "seed_3.npy", np.load(folder / "seed_3.npy")[order])
    np.save(folder / "seed_10.npy", np.zeros_like(np.load(folder / "seed_10.npy")))
    assert made(["domain_adapted"]) == first


@pytest.mark.slow
def test_the_page_has_both_pictures_of_every_machine(workdir):
    page, parser, _ = made_report()
    assert "<h2>Embeddings before and after training</h2>" in page
    said = [value for _, name, value in parser.attributes if name == "aria-label" and " training " in value]
    assert len(said) == 3 * 2 * 2  # systems that train the labellers' encoder, machines, before and after
    names = [f"Embeddings of fan {when} training noise_aware_ssl" for when in ("before", "after")]
    assert said[:2] == names
