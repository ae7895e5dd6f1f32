"""Every preset makes params that are right as a whole, by DVC's own overriding."""

import pytest
import yaml
from conftest import ROOT
from dvc.utils.hydra import apply_overrides

from asd.params import check

PRESETS = sorted((ROOT / "presets").glob("*.txt"))


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_a_preset_makes_valid_params(preset, workdir):
    words = preset.read_text().split()
    assert set(words[::2]) == {"--set-param"}
    apply_overrides("params.yaml", words[1::2])
    params = check(yaml.safe_load((workdir / "params.yaml").read_text()))
    assert params.systems["frozen"].features in params.features


def test_frozen_is_pooling_per_band_beam_and_var_min_whatever_the_encoder(workdir):
    for preset in PRESETS:
        apply_overrides("params.yaml", preset.read_text().split()[1::2])
        frozen = (params := check(yaml.safe_load((workdir / "params.yaml").read_text()))).systems["frozen"]
        pooling = params.encoders[frozen.encoder].root.pooling
        assert (pooling.kind, pooling.per_band) == ("relative_deviation", True)
        assert (frozen.score.root.scorer, frozen.score.root.per_band) == ("var_min", True)
        assert frozen.train.root.objective == "none"
