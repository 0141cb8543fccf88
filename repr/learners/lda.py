"""Linear discriminant analysis: class means, and one covariance that all classes share, shrunk towards a sphere.

Ten shots are too few for a covariance of their own (rank 9), but all products together tell in which directions images
of one product differ. A new product adds its mean and its deviations to the shared scatter: exact, and nothing is trained.

    discriminant: x'S⁻¹μ_c − ½ μ_c'S⁻¹μ_c,   S = (1 − s) W/N + s · tr(W/N)/d · I

W: the scatter of N images around their class means. S is that of scikit-learn's LinearDiscriminantAnalysis(
solver="lsqr", shrinkage=s) with equal priors and equally many images a class (Hastie et al., The Elements of
Statistical Learning, sections 4.3 and 4.3.1).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from repr.arrays import Array, Doubles, Floats, Ints
from repr.errors import UserError
from repr.learners.arrays import as_features, as_labels, as_taught, by_class, given
from repr.learners.learner import Learner, Needs
from repr.learners.means import BLOCK, ClassMeans
from repr.learners.stored import Arrays, Stored, under
from repr.settings import check, setting

CHUNK = 8192  # deviations gathered for one matrix product
STALE = 0.001  # share of images come or gone below which S is left as it is: it is an average over all of them
ALIKE = 1e-3  # relative difference of two means up to which they are of the same images: float16 keeps 5e-4


@dataclass(kw_only=True, eq=False)
class LDA(Learner):
    """The answer does not depend on how the images were dealt over the steps, but for what S lags behind (STALE). Adding a
    product takes the time of its own images. The first answer after it pays for S⁻¹, a d × d inverse and its product with
    all class means (C d² multiplications), when the images that came or went since it last did are more than STALE of those
    there were; else for the new means' alone. So each product costs that once in a shop of hundreds, and every hundredth in one of 100,000.

    To remove a class the images it was taught with are needed: the scatter around its mean is taken from W, and the answer is that of
    one taught without it, but for rounding and what S lags behind.

    shrinkage: 1 is nearest class mean ("plain"). 0.3 was chosen on training images of grocery that were no
    shots, 10 shots of 81 products at 1,280 dimensions; 0.1 to 0.5 are within a point.
    root: tames features that are mostly small and seldom large (Tukey's ladder; Goswami et al., FeCAM, NeurIPS 2023).
    scale: scores are the discriminant times scale / tr(S⁻¹W/N), the squared distance by S that a shot usually has from its
    class mean: as the logarithm of a density the discriminant is far too sure, the more the more dimensions.
    Where no class has two images there is no scatter: S is the identity, and the distance that of a shot from the mean of all.
    """

    shrinkage: float = setting(0.3, "s, how far the covariance is shrunk towards a sphere", low=0, high=1)
    root: bool = setting(False, "take the signed square root of every feature first")
    scale: float = setting(25.0, "makes logits of the discriminant", low=1e-3)

    input: ClassVar[Literal["features", "images"]] = "features"
    version: ClassVar[int] = 2

    def __post_init__(self) -> None:
        check(self)
        self.means_ = ClassMeans()
        self.scatter_: Doubles = np.zeros((0, 0))
        self._solved: _Solved | None = None
        self._touched: list[int] = []  # classes taught since
        self._moved = 0  # images that came or went since

    @property
    def classes_(self) -> Ints:
        """(C,) those that have a mean."""
        return self.means_.classes

    def learn(self, x: Array, y: Array) -> Self:
        """Move the means of the step's classes and add their scatter."""
        x = self._transformed(x)
        y = as_labels(y, len(x), first=not len(self.means_))
        if not len(self.scatter_):
            self.scatter_ = np.zeros((x.shape[1], x.shape[1]))
        self._moved += len(x)
        gathered: list[Doubles] = []
        for label, rows in by_class(y):
            gathered.append(self.means_.add(label, x[rows]))
            self._touched.append(label)
            if sum(map(len, gathered)) >= CHUNK:
                self._scatter(gathered)
                gathered = []
        self._scatter(gathered)
        return self

    @property
    def removal_needs(self) -> Needs:
        """The images of the classes that go: their scatter is taken away."""
        return "removed"

    def remove(self, classes: Iterable[int], x: Array | None = None, y: Array | None = None) -> Self:
        """Take means and scatter of classes away: as if never taught, but for rounding."""
        labels = as_taught(classes, self.classes_)
        if not len(labels):
            return self
        x, y = given(x, y, labels, "the classes to be removed")
        x = self._transformed(x)
        groups = [(label, x[rows].astype(np.float64)) for label, rows in by_class(y)]
        for label, own in groups:
            self._check_same(label, own)
        for start in range(0, len(groups), BLOCK):
            deviations = np.concatenate([own - own.mean(axis=0) for _, own in groups[start : start + BLOCK]])
            self.scatter_ -= deviations.T @ deviations
        self._moved += len(x)
        self._touched = [label for label in self._touched if label not in set(labels.tolist())]
        places = self.means_.remove(labels.tolist())
        if self._solved is not None:
            self._solved.move(places)
        if not len(self.means_):
            self.scatter_, self._solved = np.zeros((0, 0)), None
        return self

    def scores(self, x: Array) -> Floats:
        """(n, C) discriminants x'S⁻¹μ − ½ μ'S⁻¹μ, scaled."""
        self.means_.require()
        x = self._transformed(x)
        solved = self._solve()
        products = self.means_.products(x @ solved.inverse)
        return np.asarray(self.scale / solved.usual * (products - self.means_.in_order(solved.halves)), dtype=np.float32)

    def known(self, x: Array) -> Floats:
        """(n,) how much nearer, by S, the nearest class mean is than the mean of all images taught, over the distance to the latter.

        With distances from the middle m of all: max_c (x'S⁻¹μ_c − ½ μ_c'S⁻¹μ_c) / ‖x‖_S. The difference is the relative
        Mahalanobis distance of Ren et al., A Simple Fix to Mahalanobis Distance for Improving Near-OOD Detection, 2021,
        with S for the background too; the division keeps far strangers from scoring high. On training images of grocery
        that were no shots, 14 classes left out, AUROC 0.82; 0.81 without the division, 0.66 for the distance itself.
        """
        self.means_.require()
        x = self._transformed(x)
        solved = self._solve()
        inverse, halves = solved.inverse, self.means_.in_order(solved.halves)
        middle = np.asarray(self.means_.total / self.means_.images, dtype=np.float32)
        away, projected = x - middle, inverse @ middle
        gain = (self.means_.products(x @ inverse) - halves).max(axis=1) - (x @ projected - 0.5 * float(middle @ projected))
        distance = np.sqrt(np.maximum(np.einsum("nd,nd->n", away @ inverse, away), 0))
        return np.asarray(gain / np.maximum(distance, 1e-12), dtype=np.float32)

    def arrays(self) -> Arrays:
        """Means, scatter (d, d), and what was solved from them, so that the answers stay to the bit."""
        moved, touched = np.array(self._moved), np.array(self._touched, dtype=np.int64)
        solved = {} if self._solved is None else under("solved", {name: np.array(value) for name, value in vars(self._solved).items()})
        return {**under("means", self.means_.arrays()), "scatter": self.scatter_, "moved": moved, "touched": touched, **solved}

    def restore(self, stored: Stored) -> None:
        """Take over what `arrays` gave; all must be of the means' dimensions."""
        self.means_.restore(stored.below("means"))
        d = self.means_.width or 0
        self.scatter_ = stored.doubles("scatter", d, d)
        self._moved, self._touched = stored.whole("moved"), stored.ints("touched", None).tolist()
        stored.require(set(self._touched) <= set(self.classes_.tolist()), "a class touched was never taught")
        solved = stored.below("solved")
        if "inverse" in solved:
            spread = bool(solved.take("spread", np.bool_))
            halves = solved.floats("halves", None)
            stored.require(len(halves) <= len(self.means_), "more halves than classes")
            self._solved = _Solved(solved.floats("inverse", d, d), halves, solved.number("usual"), solved.whole("images"), spread)

    def _transformed(self, x: Array) -> Floats:
        x = as_features(x, self.means_.width)
        return np.asarray(np.sign(x) * np.sqrt(np.abs(x)), dtype=np.float32) if self.root else x

    def _scatter(self, deviations: list[Doubles]) -> None:
        if deviations:
            stacked = np.concatenate(deviations)
            self.scatter_ += stacked.T @ stacked

    def _check_same(self, label: int, own: Doubles) -> None:
        """Raise UserError unless these are as many images as the class was taught with, with the same mean."""
        taught, row = self.means_.count(label), self.means_.row(label).astype(np.float64)
        if len(own) != taught:
            raise UserError(f"class {label} was taught with {taught} images, not {len(own)}", "", "Give all of them, and no others")
        if np.linalg.norm(own.mean(axis=0) - row) > ALIKE * np.linalg.norm(row) + np.finfo(np.float32).tiny:
            raise UserError(f"these are not the images that class {label} was taught with", "", "Give those")

    def _solve(self) -> _Solved:
        """S⁻¹ and what follows from it: anew when more than STALE of the images came or went, else for the classes touched alone."""
        solved = self._solved
        if solved is None or solved.images + self._moved > (1 + STALE) * solved.images or bool(self.means_.spread) != solved.spread:
            solved = self._solved = self._invert()
            self._moved = 0
        elif self._touched:
            rows = np.stack([self.means_.row(label) for label in self._touched])
            solved.grow(len(self.means_))
            solved.halves[[self.means_.place(label) for label in self._touched]] = _halves(rows, solved.inverse)
        self._touched = []
        return solved

    def _invert(self) -> _Solved:
        d = len(self.scatter_)
        within = self.scatter_ / self.means_.images
        shared = (1 - self.shrinkage) * within
        shared[np.diag_indices(d)] += self.shrinkage * np.trace(within) / d
        if not self.means_.spread:
            shared = np.eye(d)
        try:
            inverse = cho_solve(cho_factor(shared), np.eye(d))
        except LinAlgError:
            few = f"too few images ({self.means_.images}) for a covariance in {d} dimensions with shrinkage {self.shrinkage:g}"
            raise UserError(few, "", "Raise the setting shrinkage", argument="learner") from None
        usual = float(np.vdot(inverse, within)) or self.means_.usual
        inverse = np.asarray(inverse, dtype=np.float32)
        halves = np.concatenate([_halves(block, inverse) for block in self.means_.blocks()])
        return _Solved(inverse, halves, usual, self.means_.images, bool(self.means_.spread))


@dataclass
class _Solved:
    """S⁻¹ (d, d); ½ μ_c'S⁻¹μ_c (C,) as the classes came; tr(S⁻¹W/N); the images S is of, and whether they had a scatter."""

    inverse: Floats
    halves: Floats
    usual: float
    images: int
    spread: bool

    def grow(self, classes: int) -> None:
        """Room for the halves of new classes, which are set next."""
        self.halves = np.concatenate([self.halves, np.zeros(classes - len(self.halves), dtype=np.float32)])

    def move(self, places: list[tuple[int, int]]) -> None:
        """Follow classes that went, as `ClassMeans.remove` tells it. The halves of classes that are not reckoned yet are set later."""
        if places:
            self.grow(max(len(self.halves), places[0][1] + 1))
        for hole, last in places:
            self.halves[hole] = self.halves[last]
        self.halves = self.halves[: len(self.halves) - len(places)]


def _halves(means: Floats, inverse: Floats) -> Floats:
    halves: Floats = 0.5 * np.einsum("cd,cd->c", means @ inverse, means)
    return halves
