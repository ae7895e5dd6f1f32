"""Real published weights on real recordings of a fan."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from asd.core.section import checked
from asd.encoders import weights
from asd.encoders.networks import create_encoder
from asd.features.front_end import FrontEnd
from asd.features.prepare import load_waveform

EFFICIENTAT_MEL = {"kind": "efficientat_mel", "low_rate": "resample"}
# AudioSet's classes of things that turn: its branches Vehicle and Engine without horns, sirens and what has no motor,
# Mechanisms without clocks and cameras, Power tool, and appliances with a motor (blender, hair dryer, vacuum cleaner,
# shaver). Chosen, with the level, on the clips 0-9; the clips 10-19 were then classified once.
SILENT_OR_SIGNAL = {302, 303, *range(308, 314), *range(317, 321), *range(322, 326), 330, 331, 341, 342}
MECHANICAL = {*range(300, 354), 404, *range(409, 414), 424, 425, 369, 373, 377, 382} - SILENT_OR_SIGNAL


@pytest.fixture
def mn04(shared, tmp_path, monkeypatch):
    monkeypatch.setenv("ASD_WEIGHTS", str(tmp_path))
    return create_encoder("mn04", weights=weights.get("mn04", shared / "weights" / "mn04_as_mAP_432.pt"))


def features_of(files: list[Path], full_scale: bool = False) -> torch.Tensor:
    """Features normalised as the store does; of recordings brought to full scale, if wanted."""
    params = checked(FrontEnd, EFFICIENTAT_MEL).root
    waveforms = [load_waveform(file, params) for file in files]
    scaled = [w / np.abs(w).max() if full_scale else w for w in waveforms]
    rows = np.stack([params.compute(waveform) for waveform in scaled])
    return torch.from_numpy((rows - params.mean) / (2 * params.std)).float()


def test_real_fans_are_machines_to_the_head_trained_on_audioset(mn04, shared):
    """The recordings are 44 dB below full scale, which the training data were not."""
    files = sorted((shared / "real" / "mimii_fan_id_00" / "normal").glob("*.wav"))[10:]
    with torch.inference_mode():
        top = mn04.classify(features_of(files, full_scale=True)).topk(5).indices.tolist()
    assert len(files) == 10
    assert sum(bool(set(five) & MECHANICAL) for five in top) >= 8


def test_embeddings_of_real_fans_tell_faulty_ones(mn04, shared):
    """Half of the normal clips are the memory; a nearest neighbour among them finds the others nearer than faults."""
    folder = shared / "real" / "mimii_fan_id_00"
    normal, faulty = (sorted((folder / kind).glob("*.wav")) for kind in ("normal", "abnormal"))
    with torch.inference_mode():
        memory, test = (mn04(features_of(files)).flatten(1) for files in (normal[:10], normal[10:] + faulty))
    scores = torch.cdist(torch.nn.functional.normalize(test), torch.nn.functional.normalize(memory)).amin(dim=1)
    truth = [0] * len(normal[10:]) + [1] * len(faulty)
    assert roc_auc_score(truth, scores) > 0.6
