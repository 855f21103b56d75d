"""What `coherence` returns: a few sums from which everything else follows."""

from dataclasses import dataclass, replace
from functools import cached_property

from torch import Tensor


def _ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    """NaN where both are zero, without a warning."""
    return numerator / denominator


@dataclass(frozen=True, eq=False)
class Coherence:
    """Coherence of m per-example gradients, of a whole model or of a part of it.

    `layers` and `parameters` hold the same for each part, by name; `groups` compares groups of examples. For a stack
    all values have a leading axis R. Where all gradients are zero, ratios are NaN; with one example, what needs pairs
    is NaN. Sums are float64, values per example have the dtype of the model, in half precision that of single.
    """

    names: tuple[str, ...]
    """The P parameters of this part."""
    totals: Tensor
    """‖S‖² of the summed gradients, [R, P]."""
    products: Tensor
    """⟨S_g, S_h⟩ of the groups' summed gradients, [R, P, K, K]; K = 1 without groups."""
    squares: Tensor
    """Q_g = Σ_{i in g} ‖g_i‖², [R, P, K]."""
    counts: Tensor
    """Examples in each group, [R, K]."""
    group_names: tuple[str, ...]
    """K names, or none without groups."""
    stacked: bool
    """Whether values have the axis R."""
    losses_: Tensor
    squared_: Tensor
    dots_: Tensor | None
    whole: Tensor
    """Q of the whole model, [R]."""

    def _out(self, value: Tensor) -> Tensor:
        return value if self.stacked else value[0]

    @cached_property
    def _s(self) -> Tensor:
        return self.totals.sum(1)

    @cached_property
    def _q(self) -> Tensor:
        return self.squares.sum((1, 2))

    @property
    def m(self) -> int:
        """The number of examples."""
        return int(self.counts[0].sum())

    # -- the whole part ------------------------------------------------------------------------------------------------

    @property
    def m_coherence(self) -> Tensor:
        """‖S‖² / Q: 1 for orthogonal gradients of equal norm, m for equal ones, less than 1 for opposed ones."""
        return self._out(_ratio(self._s, self._q))

    @property
    def alpha(self) -> Tensor:
        """α = ‖ḡ‖² / mean ‖g_i‖² = m-coherence / m, between 0 and 1."""
        return self.m_coherence / self.m

    @property
    def off_diagonal(self) -> Tensor:
        """Mean g_i · g_j over the pairs i ≠ j, over mean ‖g_i‖²: α without its 1/m bias; NaN for one example."""
        return self._out(_ratio(self._s - self._q, (self.m - 1) * self._q))

    def m_coherence_at(self, n: float) -> Tensor:
        """1 + (n − 1)·off_diagonal: the m-coherence that n of these examples have, by expectations over subsets."""
        return 1 + (n - 1) * self.off_diagonal

    @property
    def fraction(self) -> Tensor:
        """This part's fraction f of the model's Q; α of the model is Σ f·α over its layers."""
        return self._out(_ratio(self._q, self.whole))

    @property
    def gradient_norm(self) -> Tensor:
        """‖ḡ‖, the norm of the mean gradient."""
        return self._out(self._s.sqrt() / self.m)

    @property
    def gradient_diversity(self) -> Tensor:
        """Q / ‖S‖² = 1 / m-coherence (Yin et al. 2018)."""
        return 1 / self.m_coherence

    @property
    def noise_scale(self) -> Tensor:
        """tr Cov(g_i) / ‖ḡ‖² = (1 − α)/α, the covariance over m (McCandlish et al. 2018, simple noise scale)."""
        return (1 - self.alpha) / self.alpha

    @property
    def unbiased_noise_scale(self) -> Tensor:
        """(1 − o)/o with the off-diagonal form o: numerator and denominator are unbiased for the population's."""
        return (1 - self.off_diagonal) / self.off_diagonal

    @property
    def signal_to_noise(self) -> Tensor:
        """‖ḡ‖² / tr Cov(g_i) = α/(1 − α); by coordinate, see `genbook.gradients.signal_to_noise`."""
        return self.alpha / (1 - self.alpha)

    # -- the examples --------------------------------------------------------------------------------------------------

    @property
    def losses(self) -> Tensor:
        """ℓ_i, [..., m]."""
        return self._out(self.losses_)

    @property
    def squared_norms(self) -> Tensor:
        """‖g_i‖², [..., m]."""
        return self._out(self.squared_.sum(1))

    @property
    def norms(self) -> Tensor:
        """‖g_i‖, [..., m]."""
        return self.squared_norms.sqrt()

    @property
    def alignments(self) -> Tensor:
        """g_i · ḡ, [..., m]; their mean is ‖ḡ‖²."""
        if self.dots_ is None:
            raise AttributeError("this Coherence has no alignments or cosines; ask for coherence(..., alignments=True)")
        return self._out(self.dots_.sum(1))

    @property
    def cosines(self) -> Tensor:
        """The cosine of the angle between g_i and ḡ, [..., m]; NaN where either is zero."""
        length = self.gradient_norm.to(self.squared_.dtype).unsqueeze(-1)
        return _ratio(self.alignments, self.norms * length)

    # -- parts ---------------------------------------------------------------------------------------------------------

    def part(self, names: tuple[str, ...]) -> "Coherence":
        """The same for some of the parameters."""
        places = [self.names.index(name) for name in names]
        return replace(
            self,
            names=tuple(names),
            totals=self.totals[:, places],
            products=self.products[:, places],
            squares=self.squares[:, places],
            squared_=self.squared_[:, places],
            dots_=None if self.dots_ is None else self.dots_[:, places],
        )

    @cached_property
    def parameters(self) -> dict[str, "Coherence"]:
        """Each parameter by itself."""
        return {name: self.part((name,)) for name in self.names}

    @cached_property
    def layers(self) -> dict[str, "Coherence"]:
        """Each layer by itself: the parameters whose names agree up to the last dot."""
        members: dict[str, list[str]] = {}
        for name in self.names:
            members.setdefault(name.rpartition(".")[0], []).append(name)
        return {layer: self.part(tuple(names)) for layer, names in members.items()}

    @property
    def groups(self) -> "Groups":
        """Within and between the groups."""
        if not self.group_names:
            raise AttributeError("this Coherence has no groups; ask for coherence(..., groups=labels)")
        return Groups(
            self.group_names,
            self._out(self.counts),
            self._out(self.products.sum(1)),
            self._out(self.squares.sum(1)),
        )


@dataclass(frozen=True, eq=False)
class Groups:
    """Coherence within and between K groups of examples; a group that is empty has NaN."""

    names: tuple[str, ...]
    counts: Tensor
    """n_g, [..., K]."""
    products: Tensor
    """⟨S_g, S_h⟩, [..., K, K]."""
    squares: Tensor
    """Q_g, [..., K]."""

    @property
    def _own(self) -> Tensor:
        return self.products.diagonal(dim1=-2, dim2=-1)

    @property
    def m_coherence(self) -> Tensor:
        """‖S_g‖² / Q_g, [..., K]; it grows with n_g, so compare groups by `off_diagonal` or `m_coherence_at`."""
        return _ratio(self._own, self.squares)

    @property
    def alpha(self) -> Tensor:
        """m-coherence over n_g, [..., K]."""
        return self.m_coherence / self.counts

    @property
    def off_diagonal(self) -> Tensor:
        """Mean g_i · g_j over pairs i ≠ j of the group, over its mean ‖g_i‖², [..., K]; free of n_g."""
        return _ratio(self._own - self.squares, (self.counts - 1) * self.squares)

    def m_coherence_at(self, n: float | Tensor | None = None) -> Tensor:
        """The groups' m-coherence at one size n, [..., K]: 1 + (n − 1)·off_diagonal.

        By default n is that of the smallest group with examples.
        """
        if n is None:
            n = self.counts.where(self.counts > 0, self.counts.amax()).amin(-1, keepdim=True)
        return 1 + (n - 1) * self.off_diagonal

    @property
    def between(self) -> Tensor:
        """Mean g_i · g_j over pairs i ≠ j of two groups, over √(mean ‖g_i‖² · mean ‖g_j‖²), [..., K, K].

        The diagonal is `off_diagonal`.
        """
        mean = self.squares / self.counts
        pairs = self.counts.unsqueeze(-1) * self.counts.unsqueeze(-2)
        scale = (mean.unsqueeze(-1) * mean.unsqueeze(-2)).sqrt()
        values = _ratio(self.products / pairs, scale)
        return values.diagonal_scatter(self.off_diagonal, dim1=-2, dim2=-1)

    @property
    def cosines(self) -> Tensor:
        """Cosines of the angles between the groups' summed gradients, [..., K, K]."""
        lengths = self._own.sqrt()
        return _ratio(self.products, lengths.unsqueeze(-1) * lengths.unsqueeze(-2))

    @property
    def descent_fraction(self) -> Tensor:
        """f_g = ⟨S, S_g⟩ / ⟨S, S⟩, [..., K]: how much of a small step's descent the group drives; they sum to 1.

        Chatterjee (2020), "Coherent gradients": for the clean and the corrupted examples f_p and f_c.
        """
        towards = self.products.sum(-1)
        return _ratio(towards, towards.sum(-1, keepdim=True))

    @property
    def squared_norm_share(self) -> Tensor:
        """Q_g / Q, [..., K]."""
        return _ratio(self.squares, self.squares.sum(-1, keepdim=True))
