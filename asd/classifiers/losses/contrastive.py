"""Contrastive loss on two levels: machines among all clips, attributes or codes among clips of one machine."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from asd.classifiers.classes import ANY, SoundClass
from asd.classifiers.losses import LOSSES, Loss
from asd.classifiers.losses.codebooks import Codebooks


@LOSSES.register("dual_contrastive")
class DualContrastive(Loss):
    """Supervised contrastive loss on two levels, with codes where there are no attributes.

    ``L = L_1 + w L_2 + beta L_vq``. Each level is :func:`level`: in level 1 clips of a machine belong together, among
    all clips; in level 2 clips of a machine and attribute, among the clips of that machine. Clips without attributes
    have the code of their machine's codebook for an attribute, ``L_vq = mean |z - sg(e)|^2`` of these; without
    codebooks they are left out of level 2. z is what a two-layer head, which is thrown away, makes of the embedding, at
    length 1.

    The paper's formula, weights and sizes are not openly published: this is a reconstruction. The head is Chen's.

    Parameters
    ----------
    dims : int
        Size of an embedding.
    classes : sequence of SoundClass
    temperature : float
    weight : float
        w.
    n_levels : int
        1 leaves ``L_2`` and ``L_vq`` out.
    n_codes : int
        Of each machine without attributes, 0: no codebooks.
    ema_decay, commitment : float
        Of the codebooks' moving averages; beta.
    projection : int
        Size of z.

    References
    ----------
    B. Han et al., arXiv 2508.12230; P. Khosla et al., "Supervised contrastive learning", NeurIPS 2020; T. Chen et al.,
    "A simple framework for contrastive learning of visual representations", ICML 2020.
    """

    hard_labels: ClassVar[bool] = True
    needs_classes: ClassVar[bool] = False  # two crops of a clip and codes are enough
    machine: Tensor
    book: Tensor

    def __init__(
        self,
        dims: int,
        classes: Sequence[SoundClass],
        temperature: Annotated[float, Field(ge=1e-3)] = 0.1,
        weight: Annotated[float, Field(ge=0, description="of the second level")] = 1.0,
        n_levels: Annotated[Literal[1, 2], Field(description="machines, and attributes or codes within them")] = 2,
        n_codes: Annotated[int, Field(ge=0, description="of a machine without attributes, 0: none")] = 8,
        ema_decay: Annotated[float, Field(ge=0, lt=1, description="of the codes' moving averages")] = 0.95,
        commitment: Annotated[float, Field(ge=0, description="weight of a clip's distance to its code")] = 0.25,
        projection: Annotated[int, Field(ge=1, description="dimensions in which clips are compared")] = 128,
    ) -> None:
        super().__init__()
        self.temperature, self.weight, self.commitment, self.n_codes = temperature, weight, commitment, n_codes
        self.head = nn.Sequential(nn.Linear(dims, projection), nn.GELU(), nn.Linear(projection, projection))
        sections = [one[:2] for one in classes]  # of a machine
        without = [one for one in classes if one.kind == "machine" and not one.label]
        self.books = ["|".join(name for name in one[:3] if name != ANY) for one in without]
        tables = {
            "machine": [sorted(set(sections)).index(section) for section in sections],  # of each class
            "book": [without.index(one) if one in without else -1 for one in classes],
        }
        for key, table in tables.items():
            self.register_buffer(key, torch.tensor(table), persistent=False)
        self.two = n_levels == 2
        with_codes = self.two and n_codes and without
        self.codebooks = Codebooks(len(without), n_codes, projection, ema_decay) if with_codes else None

    @classmethod
    def create(cls, dims: int, n_classes: int, classes: Sequence[SoundClass], **options: Any) -> Self:
        """See :meth:`Loss.create`."""
        return cls(dims, classes, **options)

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """See :meth:`Loss.forward`; the logits are the labels of the most similar other clip."""
        z = F.normalize(self.head(x))  # (clips, projection)
        own = y.argmax(dim=1)  # (clips,)
        machine = self.machine[own]
        loss = level(z, machine, torch.zeros_like(machine), self.temperature)
        if self.two:
            kind, away = self._kinds(z, own)
            loss = loss + self.weight * level(z, kind, machine, self.temperature) + self.commitment * away
        similar = (z @ z.T).detach().fill_diagonal_(-torch.inf)  # (clips, clips)
        return loss, y[similar.argmax(dim=1)]

    def _kinds(self, z: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
        """Give the attribute or code of each clip, -1 where it has neither, and how far clips are from their codes."""
        book = self.book[own]
        if self.codebooks is None:
            return torch.where(book < 0, own, -1), z.new_zeros(())
        numbers, nearest = self.codebooks(z.detach(), book)
        away = (z - nearest).square().sum(dim=1)[book >= 0]
        kind = torch.where(book < 0, own, len(self.book) + book * self.n_codes + numbers)
        return kind, away.sum() / max(len(away), 1)

    def figures(self) -> dict[str, Any]:
        """Tell how the codebooks are used, by machine and section."""
        if self.codebooks is None:
            return {}
        return {"codebooks": dict(zip(self.books, self.codebooks.figures(), strict=True))}


def level(z: Tensor, labels: Tensor, among: Tensor, temperature: float) -> Tensor:
    """Compute a supervised contrastive loss.

    ``L = mean_i -1 / |P(i)| sum_{p in P(i)} log(exp(z_i z_p / t) / sum_{a in A(i)} exp(z_i z_a / t))``: ``A(i)`` are
    the other clips of the same ``among``, ``P(i)`` those of them that also have the same label. An anchor i without a
    positive is skipped; where all are, the loss is 0.

    Parameters
    ----------
    z : Tensor [shape=(clips, dims)]
        Of length 1.
    labels : Tensor [shape=(clips,)], int
        A clip whose label is -1 is neither anchor nor among the others.
    among : Tensor [shape=(clips,)], int
    temperature : float
        t.

    Returns
    -------
    Tensor, scalar
    """
    known = labels >= 0
    others = (among[:, None] == among) & known & known[:, None] & ~torch.eye(len(z), dtype=torch.bool, device=z.device)
    positives = others & (labels[:, None] == labels)
    anchors = positives.any(dim=1)
    if not anchors.any():
        return 0.0 * z.sum()
    others, positives = others[anchors], positives[anchors]
    similar = z[anchors] @ z.T / temperature
    log_shares = similar - similar.masked_fill(~others, -torch.inf).logsumexp(dim=1, keepdim=True)
    return -((log_shares * positives).sum(dim=1) / positives.sum(dim=1)).mean()
