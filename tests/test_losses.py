"""Losses of classifiers against closed forms, their scales, their gradients."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from asd.classifiers.classes import ANY, SoundClass
from asd.classifiers.losses import LOSSES, options_of
from asd.classifiers.losses.adacos import AdaCos, DynamicAdaCos, SubClusterAdaCos
from asd.classifiers.losses.arcface import ArcFace, SubCenterArcFace
from asd.classifiers.losses.centers import fixed_scale
from asd.classifiers.losses.softmax import Softmax
from asd.classifiers.params import OBJECTIVES, TrainParams
from asd.core.errors import UserError
from asd.core.section import checked

COMMON = {"steps": 1, "batch": 2, "learning_rate": 0.1}
OF_LABELS = [name for name in LOSSES if not LOSSES[name].hard_labels]
CLIPS, DIMS, CLASSES, SUB = 7, 6, 5, 3
OWN = torch.tensor([0, 1, 2, 3, 4, 0, 1])


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(5)


def created(objective, dims, classes, **options):
    """Make a loss as its block of params.yaml asks for it."""
    params = checked(TrainParams, {"objective": objective, **COMMON, **options}, "train").root
    return params.create_loss(dims, classes, [SoundClass("fan", "00", ANY, str(n)) for n in range(classes)])


def drawn(**options):
    return torch.randn(CLIPS, DIMS, dtype=torch.float64, **options)


def soft_labels(classes=CLASSES, clips=CLIPS):
    return torch.softmax(torch.randn(clips, classes, dtype=torch.float64), dim=1)


def by_hand(loss, x):
    """Cosines to every centre, one by one: [clips, classes, centres]."""
    found = [[a @ b / (math.sqrt(a @ a) * math.sqrt(b @ b)) for b in loss.centers.detach().numpy()] for a in x.numpy()]
    return np.array(found).reshape(len(x), -1, loss.sub_clusters)


def cross_entropy(logits, y):
    return -(y * (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))).sum(axis=1).mean()


def test_the_scale_is_that_of_the_papers_and_floored_at_four_classes():
    for classes in (4, 5, 10, 531):
        assert AdaCos(DIMS, classes).scale == pytest.approx(math.sqrt(2) * math.log(classes - 1))
        assert DynamicAdaCos(DIMS, classes).scale.item() == pytest.approx(math.sqrt(2) * math.log(classes - 1))
        assert SubClusterAdaCos(DIMS, classes, 16).scale == pytest.approx(math.sqrt(2) * math.log(16 * classes - 1))
    assert fixed_scale(1) == fixed_scale(2) == fixed_scale(3) == pytest.approx(math.sqrt(2) * math.log(3))


def test_softmax_is_cross_entropy_of_a_linear_layer():
    loss, x, y = Softmax(DIMS, CLASSES).double(), drawn(), soft_labels()
    logits = x.numpy() @ loss.linear.weight.detach().numpy().T + loss.linear.bias.detach().numpy()
    assert loss(x, y)[0].item() == pytest.approx(cross_entropy(logits, y.numpy()), abs=1e-9)


def test_adacos_is_cross_entropy_of_scaled_cosines():
    loss, x, y = AdaCos(DIMS, CLASSES).double(), drawn(), soft_labels()
    logits = math.sqrt(2) * math.log(4) * by_hand(loss, x)[:, :, 0]
    value, given = loss(x, y)
    assert value.item() == pytest.approx(cross_entropy(logits, y.numpy()), abs=1e-9)
    np.testing.assert_allclose(given.detach(), logits, atol=1e-9)


def test_sub_cluster_adacos_adds_the_probabilities_of_a_class():
    loss, x, y = SubClusterAdaCos(DIMS, CLASSES, SUB).double(), drawn(), soft_labels()
    p = np.exp(math.sqrt(2) * math.log(CLASSES * SUB - 1) * by_hand(loss, x))
    p = (p / p.sum(axis=(1, 2), keepdims=True)).sum(axis=2)
    assert loss(x, y)[0].item() == pytest.approx(-(y.numpy() * np.log(p)).sum(axis=1).mean(), abs=1e-9)


def test_dynamic_adacos_follows_the_paper_for_one_hot_labels():
    loss, x, y = DynamicAdaCos(DIMS, CLASSES).double(), drawn(), F.one_hot(OWN, CLASSES).double()
    cosines = by_hand(loss, x)[:, :, 0]
    first = math.sqrt(2) * math.log(CLASSES - 1)
    others = [
        sum(math.exp(first * row[j]) for j in range(CLASSES) if j != own) for row, own in zip(cosines, OWN, strict=True)
    ]
    angle = np.median([math.acos(row[own]) for row, own in zip(cosines, OWN, strict=True)])
    followed = math.log(np.mean(others)) / math.cos(min(math.pi / 4, angle))
    value, _ = loss(x, y)
    expected = max(followed, fixed_scale(4))
    assert loss.scale.item() == pytest.approx(expected, abs=1e-6)
    assert value.item() == pytest.approx(cross_entropy(expected * cosines, y.numpy()), abs=1e-6)


def test_the_dynamic_scale_rests_when_training_does():
    loss = DynamicAdaCos(DIMS, 100).double().eval()
    before = loss.scale.clone()
    loss(drawn(), soft_labels(100))
    assert torch.equal(loss.scale, before)
    loss.train()(drawn(), soft_labels(100))
    assert not torch.equal(loss.scale, before)


@given(st.integers(1, 9), st.integers(0, 99))
def test_the_dynamic_scale_is_finite_and_above_its_floor(classes, seed):
    torch.manual_seed(seed)
    loss = DynamicAdaCos(DIMS, classes).double()
    for _ in range(3):
        value, _ = loss(drawn(), soft_labels(classes))
        assert math.isfinite(value.item())
        assert fixed_scale(4) - 1e-6 <= loss.scale.item() < 1e3


@pytest.mark.parametrize("sub_clusters", [1, SUB])
def test_arcface_adds_the_margin_to_the_angle_to_the_nearest_own_centre(sub_clusters):
    loss, x = SubCenterArcFace(DIMS, CLASSES, sub_clusters, scale=30, margin=0.2).double(), drawn()
    angles = np.arccos(by_hand(loss, x).max(axis=2))
    cosines = np.cos(angles)
    angles[np.arange(CLIPS), OWN] += 0.2
    y = F.one_hot(OWN, CLASSES).double()
    value, logits = loss(x, y)
    assert value.item() == pytest.approx(cross_entropy(30 * np.cos(angles), y.numpy()), abs=1e-6)
    np.testing.assert_allclose(logits.detach(), 30 * cosines, atol=1e-6)


def test_arcface_keeps_falling_beyond_pi():
    """Away from its own centre, in a plane at right angles to the other one, the loss only rises."""
    loss = ArcFace(3, 2, scale=1, margin=0.5)
    loss.centers.data = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    turned = [torch.tensor([[math.cos(a), math.sin(a), 0.0]]) for a in np.linspace(0, math.pi, 40)]
    values = [loss(x, torch.tensor([[1.0, 0.0]]))[0].item() for x in turned]
    assert values == sorted(values)


@pytest.mark.parametrize("objective", OF_LABELS)
def test_every_loss_has_right_gradients(objective):
    loss = created(objective, 4, 3).double().eval()
    labels, x = soft_labels(3, 5), torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    weights = [p for p in loss.parameters() if p.requires_grad]
    assert weights
    assert torch.autograd.gradcheck(lambda x, *_: loss(x, labels)[0], (x, *weights))


def test_centres_that_are_not_trained_stay_where_they_were_drawn():
    loss = created("sub_cluster_adacos", DIMS, CLASSES, sub_clusters=2, train_centers=False).double()
    x = drawn(requires_grad=True)
    loss(x, soft_labels())[0].backward()
    assert loss.sub_clusters == 2
    assert loss.centers.grad is None
    assert x.grad.abs().sum() > 0


def test_every_loss_is_an_objective_and_takes_its_options_alone():
    values = {"sub_clusters": 2, "train_centers": True, "scale": 20.0, "margin": 0.3, "temperature": 0.1, "weight": 0.5}
    values |= {"n_levels": 1, "n_codes": 3, "ema_decay": 0.9, "commitment": 0.1, "projection": 4}
    assert set(values) == {option for loss in LOSSES.values() for option in options_of(loss)}
    for objective, loss in LOSSES.items():
        assert OBJECTIVES[objective].loss is loss
        for option, value in values.items():
            if option in options_of(loss):
                created(objective, DIMS, CLASSES, **{option: value})
                continue
            with pytest.raises(UserError, match=f"{option} is an option of .*, not of {objective}: leave it out"):
                created(objective, DIMS, CLASSES, **{option: value})
        with pytest.raises(UserError, match=r"^params.yaml: train.scael is unknown: check its spelling$"):
            created(objective, DIMS, CLASSES, scael=1.0)


def test_an_unknown_objective_is_refused_with_those_that_there_are():
    with pytest.raises(UserError, match="objective is 'adacoz': choose among adacos, adacos_dynamic, arcface, "):
        created("adacoz", DIMS, CLASSES)


@pytest.mark.parametrize("sub_clusters", [1, 3])
def test_arcface_is_that_of_pytorch_metric_learning(sub_clusters):
    """For whole labels; soft ones it has not, which is why ours is here."""
    from pytorch_metric_learning.losses import ArcFaceLoss, SubCenterArcFaceLoss

    options = {"num_classes": CLASSES, "embedding_size": DIMS, "scale": 30.0, "margin": math.degrees(0.2)}
    theirs = ArcFaceLoss(**options) if sub_clusters == 1 else SubCenterArcFaceLoss(sub_centers=sub_clusters, **options)
    ours, x = SubCenterArcFace(DIMS, CLASSES, sub_clusters).double(), drawn(requires_grad=True)
    theirs.W.data = ours.centers.data.T.clone()
    value, wanted = ours(x, F.one_hot(OWN, CLASSES).double())[0], theirs(x, OWN)
    assert value.item() == pytest.approx(wanted.item(), abs=1e-6)
    gradients = [torch.autograd.grad(loss, x)[0] for loss in (value, wanted)]
    torch.testing.assert_close(*gradients, atol=1e-6, rtol=0)


def test_adacos_is_the_normalised_softmax_of_pytorch_metric_learning_at_its_scale():
    from pytorch_metric_learning.losses import NormalizedSoftmaxLoss

    ours, x = AdaCos(DIMS, CLASSES).double(), drawn()
    theirs = NormalizedSoftmaxLoss(CLASSES, DIMS, temperature=1 / ours.scale)
    theirs.W.data = ours.centers.data.T.clone()
    wanted = theirs(x, OWN).item()
    assert ours(x, F.one_hot(OWN, CLASSES).double())[0].item() == pytest.approx(wanted, abs=1e-6)
