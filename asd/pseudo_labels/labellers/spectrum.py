"""Pseudo-attributes by agglomerative clustering of the fine structure of spectra."""

from pydantic import Field, FiniteFloat

from asd.pseudo_labels.grouping import Clips, Grouping
from asd.pseudo_labels.labellers.hierarchical import Hierarchical
from asd.pseudo_labels.params import LABELLERS


@LABELLERS.register("spectrum")
class Spectrum(Hierarchical):
    """Agglomerative clustering of :func:`asd.pseudo_labels.spaces.spectra`."""

    features: str
    smooth: FiniteFloat = Field(3.0, ge=0, description="[bands] what is broader is no machine's, 0: keep all")

    def group(self, clips: Clips, low: int, high: int) -> Grouping:
        """See :meth:`Labeller.group`."""
        return self.agglomerate(clips.spectra, clips.domain, low, high)
