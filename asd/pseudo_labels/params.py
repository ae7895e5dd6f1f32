"""The section ``pseudo_label`` of params.yaml."""

from typing import Literal

from pydantic import Field, FiniteFloat, model_validator

from asd.base.section import Section

Linkage = Literal["ward", "average", "complete"]
Rule = Literal["gap", "silhouette", "gap_statistic", "bic", "stability"]


class Agglomerative(Section):
    """Agglomerative clustering of what clips are described by."""

    linkage: Linkage = "ward"
    normalise: bool = Field(True, description="to length 1")
    components: int = Field(10, ge=0, description="principal components, 0: all dimensions")
    count: Rule = Field("gap_statistic", description="how the number of groups is chosen")
    target: Literal["join", "apart"] = Field("apart", description="target clips: to the nearest group, or groups apart")


class Spectrum(Agglomerative):
    """The same of the fine structure of spectra."""

    features: str
    smooth: FiniteFloat = Field(3.0, ge=0, description="[bands] what is broader is no machine's, 0: keep all")


class Frequency(Section):
    """Groups of characteristic frequencies that exclude each other."""

    features: str


class Mixture(Section):
    """Gaussian mixture, number of components by the Bayesian information criterion."""

    components: int = Field(8, ge=1, description="principal components")


class Density(Section):
    """HDBSCAN."""

    components: int = Field(8, ge=1, description="principal components")
    share: FiniteFloat = Field(0.04, gt=0, lt=1, description="of the clips that make a group at least")


class Auto(Section):
    """Which method, or product of methods, a machine gets."""

    stable: FiniteFloat = Field(0.6, ge=0, le=1, description="least stability of a factor of a product")
    agrees: FiniteFloat = Field(0.2, ge=0, le=1, description="least agreement of embeddings with another source")


class PseudoLabelParams(Section):
    """How clips without attributes are grouped."""

    min_groups: int = Field(2, ge=2)
    max_groups: int = Field(20, ge=2)
    hierarchical: Agglomerative
    spectrum: Spectrum
    frequency: Frequency
    gmm: Mixture
    hdbscan: Density
    auto: Auto

    @model_validator(mode="after")
    def _ordered(self) -> "PseudoLabelParams":
        if self.max_groups < self.min_groups:
            raise ValueError(f"max_groups is {self.max_groups}: at least min_groups, {self.min_groups}")
        return self
