"""Every preset makes params that are right as a whole, by DVC's own overriding."""

import pytest
import yaml
from conftest import ROOT
from dvc.utils.hydra import apply_overrides

from asd.encoders.published import PUBLISHED
from asd.params import Params, check

PRESETS = sorted((ROOT / "presets").glob("*.txt"))
FROZEN = [preset for preset in PRESETS if preset.stem.startswith("frozen")]
YEARS = [preset for preset in PRESETS if preset.stem.startswith("dcase")]
PUBLISHED_ONES, THOROUGH = ROOT / "presets" / "published.txt", ROOT / "presets" / "thorough.txt"
ENCODER_KEYS = {"architecture", "features", "layers", "pooling", "precision", "weights", "width", "dims"}
ENCODER_KEYS |= {"depth", "heads", "frames", "branches", "points", "magnitudes", "n_fft", "hop_length"}


def by_name(presets):
    return pytest.mark.parametrize("preset", presets, ids=lambda path: path.stem)


def applied(*presets) -> Params:
    """Override params.yaml of the working directory as ``dvc exp run $(cat presets)`` does."""
    if presets:
        words = " ".join(preset.read_text() for preset in presets).split()
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
    assert before.training_free["frozen"].encoder != after.training_free["frozen"].encoder
    for params in (before, after):
        frozen = params.training_free["frozen"]
        pooling = params.encoder(frozen.encoder).pooling
        assert (pooling.kind, pooling.per_band) == ("relative_deviation", True)
        assert (frozen.score.root.scorer, frozen.score.root.per_band) == ("var_min", True)


@by_name([preset for preset in PRESETS if preset.stem in ("full", "published") or preset.stem.startswith("dcase")])
def test_beyond_the_default_systems_train_as_their_papers_say(preset, workdir):
    systems = applied(preset).systems
    baseline = systems["autoencoder"].train.root
    assert (baseline.epochs, baseline.batch, baseline.learning_rate) == (100, 256, 0.001)
    assert not baseline.anneal
    assert not baseline.fresh_statistics
    assert systems["noise_aware_cnn"].train.root.crop == 0


@by_name(YEARS)
def test_every_system_goes_on_published_encoders_and_real_data_with_one_command(preset, workdir):
    params = applied(preset, PUBLISHED_ONES)
    assert params.dataset.name == preset.stem[:9]
    networks = {name: params.encoder(system.encoder) for name, system in params.systems.items()}
    assert {name for name, network in networks.items() if network.architecture in PUBLISHED} == {
        name for name in networks if name not in ("autoencoder", "attribute_cnn", "noise_aware_cnn")
    }
    assert (networks["attribute_cnn"].width, networks["noise_aware_cnn"].width) == (64, 16)
    assert params.systems["domain_adapted"].encoder.removeprefix("adapted/") in params.adapt
    assert params.embed.encoder == params.systems["domain_adapted"].encoder
    weights = {encoder.root.weights for encoder in params.encoders.values() if encoder.root.architecture in PUBLISHED}
    assert weights == {"published"}


PAPERS_SCORERS = {
    "attribute_cnn": {"scorer": "knn", "metric": "cosine", "n_neighbors": 1},
    "noise_aware_cnn": {"scorer": "kmeans", "metric": "cosine", "n_clusters": 16},
    "noise_aware_ssl": {"scorer": "kmeans", "metric": "cosine", "n_clusters": 16},
    "domain_adapted": {"scorer": "knn", "metric": "cosine", "n_neighbors": 1},
    "group_lora": {"scorer": "knn", "metric": "cosine", "n_neighbors": 1},
}


@pytest.mark.parametrize("presets", [(), (PUBLISHED_ONES,), (THOROUGH,)], ids=["default", "published", "thorough"])
def test_what_is_run_is_the_trained_embedding_and_the_papers_scorer(presets, workdir):
    params = applied(*presets)
    for name, wanted in PAPERS_SCORERS.items():
        system = params.systems[name]
        score, train = system.score.root, system.train.root
        assert {key: getattr(score, key) for key in wanted} == wanted
        assert not score.per_band
        assert not score.whiten
        assert train.objective != "reconstruction"
        assert train.steps > 0
        encoder = params.encoder(system.encoder)
        assert set(encoder.model_dump()) <= ENCODER_KEYS, "nothing else of a network can be remembered"
    assert params.features[params.systems["attribute_cnn"].features].high_pass == 200
    branches = params.encoder(params.systems["noise_aware_cnn"].encoder)
    assert (branches.n_fft, branches.hop_length, branches.magnitudes) == (1024, 512, "linear")
    assert params.systems["domain_adapted"].encoder == params.embed.encoder
    assert params.systems["noise_aware_ssl"].train.root.freeze_steps > 0


def test_thorough_differs_in_budgets_alone(workdir):
    before, after = check(yaml.safe_load((workdir / "params.yaml").read_text())), applied(THOROUGH)
    for name, system in after.systems.items():
        assert system.score == before.systems[name].score
        if hasattr(system.train.root, "steps"):
            assert system.train.root.steps > before.systems[name].train.root.steps
            changed = {"steps", "freeze_steps"}
            assert system.train.root.model_dump(exclude=changed) == before.systems[name].train.root.model_dump(
                exclude=changed
            )


def test_the_papers_further_instance_stands_beside(workdir):
    params = applied(PUBLISHED_ONES, ROOT / "presets" / "noise_aware_dasheng.txt")
    own, other = params.systems["noise_aware_dasheng"], params.systems["noise_aware_ssl"]
    assert params.encoder(own.encoder).architecture == "dasheng_base"
    assert own.train.root.freeze_steps == other.train.root.freeze_steps > 0
    assert own.train.root.adaptation_module is not None
    assert own.score == other.score
