"""Every preset makes params that are right as a whole, by DVC's own overriding."""

import pytest
import yaml
from conftest import ROOT
from dvc.utils.hydra import apply_overrides

from asd.params import Params, check

PRESETS = sorted((ROOT / "presets").glob("*.txt"))
FROZEN = [preset for preset in PRESETS if preset.stem.startswith("frozen")]


def by_name(presets):
    return pytest.mark.parametrize("preset", presets, ids=lambda path: path.stem)


def applied(preset) -> Params:
    """Override params.yaml of the working directory as ``dvc exp run $(cat preset)`` does."""
    words = preset.read_text().split()
    assert set(words[::2]) == {"-S"}
    apply_overrides("params.yaml", words[1::2])
    with open("params.yaml", encoding="utf-8") as file:
        return check(yaml.safe_load(file))


@by_name(PRESETS)
def test_a_preset_makes_valid_params(preset, workdir):
    shipped = (workdir / "params.yaml").read_text()
    assert applied(preset) != check(yaml.safe_load(shipped))


@by_name(FROZEN)
def test_frozen_is_pooling_per_band_beam_and_var_min_whatever_the_encoder(preset, workdir):
    before, after = check(yaml.safe_load((workdir / "params.yaml").read_text())), applied(preset)
    assert before.systems["frozen"].encoder != after.systems["frozen"].encoder
    for params in (before, after):
        frozen = params.systems["frozen"]
        pooling = params.encoders[frozen.encoder].root.pooling
        assert (pooling.kind, pooling.per_band) == ("relative_deviation", True)
        assert (frozen.score.root.scorer, frozen.score.root.per_band) == ("var_min", True)
        assert frozen.train.root.objective == "none"


@by_name([preset for preset in PRESETS if preset.stem == "full" or preset.stem.startswith("dcase")])
def test_beyond_the_default_the_autoencoder_trains_as_long_as_the_baseline(preset, workdir):
    assert applied(preset).systems["autoencoder"].train.root.epochs == 100
