"""Contrastive loss on two levels: machines among all clips, attributes or codes among clips of one machine."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from asd.classifiers.losses.codebooks import Codebooks


class DualContrastive(nn.Module):
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
    names : sequence of str
        Of the classes, ``machine|section|...|attribute``; see :func:`asd.classifiers.classes.class_names`.
    temperature : float
    weight : float
        w.
    levels : int
        1 leaves ``L_2`` and ``L_vq`` out.
    codes : int
        Of each machine, 0: no codebooks.
    decay, commitment : float
        Of the codebooks; beta.
    projection : int
        Size of z.

    References
    ----------
    B. Han et al., arXiv 2508.12230; P. Khosla et al., "Supervised contrastive learning", NeurIPS 2020; T. Chen et al.,
    "A simple framework for contrastive learning of visual representations", ICML 2020.
    """

    def __init__(
        self,
        dims: int,
        names: Sequence[str],
        temperature: float = 0.1,
        weight: float = 1.0,
        levels: int = 2,
        codes: int = 8,
        decay: float = 0.95,
        commitment: float = 0.25,
        projection: int = 128,
    ) -> None:
        super().__init__()
        self.temperature, self.weight, self.commitment, self.codes = temperature, weight, commitment, codes
        self.head = nn.Sequential(nn.Linear(dims, projection), nn.GELU(), nn.Linear(projection, projection))
        homes = ["|".join(name.split("|")[:2]) for name in names]
        hidden = [name for name in names if name.endswith("|")]
        self.books = [name.rstrip("|").removesuffix("|any") for name in hidden]
        tables = {
            "machine": [sorted(set(homes)).index(home) for home in homes],
            "book": [hidden.index(name) if name in hidden else -1 for name in names],
        }
        for key, table in tables.items():
            self.register_buffer(key, torch.tensor(table), persistent=False)
        self.two = levels == 2
        self.codebooks = Codebooks(len(hidden), codes, projection, decay) if self.two and codes and hidden else None

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the loss of embeddings ``(clips, dims)`` of ``(clips, classes)``, and the classes of the nearest."""
        z = F.normalize(self.head(x))
        own = y.argmax(dim=1)
        machine = self.machine[own]  # type: ignore[index]
        loss = level(z, machine, torch.zeros_like(machine), self.temperature)
        if self.two:
            kind, away = self._kinds(z, own)
            loss = loss + self.weight * level(z, kind, machine, self.temperature) + self.commitment * away
        similar = (z @ z.T).detach().fill_diagonal_(-torch.inf)
        return loss, y[similar.argmax(dim=1)]

    def _kinds(self, z: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
        """Give the attribute or code of each clip, -1 where it has neither, and how far clips are from their codes."""
        book = self.book[own]  # type: ignore[index]
        if self.codebooks is None:
            return torch.where(book < 0, own, -1), z.new_zeros(())
        numbers, nearest = self.codebooks(z.detach(), book)
        away = (z - nearest).square().sum(dim=1)[book >= 0]
        return torch.where(book < 0, own, len(self.book) + book * self.codes + numbers), away.sum() / max(len(away), 1)  # type: ignore[arg-type]

    def figures(self) -> dict[str, Any]:
        """Give how the codebooks are used, by machine and section."""
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
