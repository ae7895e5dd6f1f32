"""Vector quantisation with codebooks that follow the embedding, while it is learnt, by moving averages."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

DEAD = 0.1  # a code with less than this fraction of an even one's clips is dead
APART = 1e-6  # squared distance of a clip that a dead code can take


class Codebooks(nn.Module):
    """A codebook for each machine without attributes.

    A clip's code is the nearest, ``k = argmin_k |z - e_k|^2``. With n_k clips of a batch at code k,
    ``N_k <- d N_k + (1 - d) n_k``, ``m_k <- d m_k + (1 - d) sum z``, ``e_k = m_k / N_k``. A dead code, ``N_k`` below a
    tenth of the mean, starts anew with the mean ``N`` at the clip that is farthest from its code, one after the other.
    Codebooks are empty at first, so that they start at clips. Nothing is random.

    Parameters
    ----------
    books : int
        Machines.
    n_codes : int
        Of each.
    dims : int
    ema_decay : float
        d.

    References
    ----------
    A. van den Oord et al., "Neural discrete representation learning", NeurIPS 2017, appendix A.1; dead codes start anew
    as in P. Dhariwal et al., "Jukebox", 2020, but from the farthest clip rather than a random one, which is ours.
    """

    codes: Tensor
    counts: Tensor
    sums: Tensor
    usage: Tensor
    restarts: Tensor

    def __init__(self, books: int, n_codes: int, dims: int, ema_decay: float = 0.95) -> None:
        super().__init__()
        self.ema_decay = ema_decay
        self.register_buffer("codes", torch.zeros(books, n_codes, dims))
        self.register_buffer("counts", torch.zeros(books, n_codes))
        self.register_buffer("sums", torch.zeros(books, n_codes, dims))
        self.register_buffer("usage", torch.zeros(books, n_codes))  # moving average of n_k: what codes are really used
        self.register_buffer("restarts", torch.zeros(books, dtype=torch.long))

    @torch.no_grad()
    def forward(self, z: Tensor, books: Tensor) -> tuple[Tensor, Tensor]:
        """Find the codes of clips and, in training, let codebooks follow.

        Parameters
        ----------
        z : Tensor [shape=(clips, dims)]
        books : Tensor [shape=(clips,)], int
            -1 of clips that have attributes.

        Returns
        -------
        numbers : Tensor [shape=(clips,)], int
            -1 where ``books`` is.
        nearest : Tensor [shape=(clips, dims)]
            Each clip's code, or the clip itself where it has none.
        """
        numbers, nearest = torch.full_like(books, -1), z.clone()
        for book in books.unique().tolist():
            if book >= 0:
                mine = books == book
                own = torch.cdist(z[mine], self.codes[book]).argmin(dim=1)
                numbers[mine], nearest[mine] = own, self.codes[book][own]
                if self.training:
                    self._follow(book, z[mine], own)
        return numbers, nearest

    def _follow(self, book: int, z: Tensor, own: Tensor) -> None:
        counts, sums, codes = self.counts[book], self.sums[book], self.codes[book]  # (n_codes,), (n_codes, dims) twice
        chosen = F.one_hot(own, len(codes)).to(z)  # (clips, n_codes)
        for average, value in (
            (counts, chosen.sum(dim=0)),
            (sums, chosen.T @ z),
            (self.usage[book], chosen.sum(dim=0)),
        ):
            average.lerp_(value, 1 - self.ema_decay)
        alive = counts >= DEAD * counts.mean()
        codes[alive] = sums[alive] / counts[alive, None]
        far = (z - codes[own]).square().sum(dim=1)
        for code in (~alive).nonzero()[:, 0].tolist():
            clip = int(far.argmax())
            if far[clip] > APART:
                codes[code], counts[code] = z[clip], counts.mean()
                sums[code] = counts[code] * codes[code]
                self.restarts[book] += 1
                far = far.minimum((z - codes[code]).square().sum(dim=1))

    def figures(self) -> list[dict[str, Any]]:
        """Tell how each codebook is used lately: codes in use and dead, perplexity, restarts."""
        figures = []
        for usage, restarts in zip(self.usage, self.restarts.tolist(), strict=True):
            fraction = usage / usage.sum().clamp_min(1e-12)
            in_use = int((fraction >= DEAD / len(fraction)).sum())
            perplexity = torch.special.entr(fraction).sum().exp().item() if in_use else 0.0
            codes = {"codes_in_use": in_use, "dead_codes": len(fraction) - in_use}
            figures.append(codes | {"perplexity": perplexity, "restarts": restarts})
        return figures
