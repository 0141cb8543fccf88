"""Linear discriminant analysis: class means, and one covariance that all classes share, shrunk towards a sphere.

Ten shots are too few for a covariance of their own (rank 9), but all products together tell in which directions images
of one product differ. A new product adds its mean and its deviations to the shared scatter: exact, and nothing is trained.

    discriminant: x'S⁻¹μ_c − ½ μ_c'S⁻¹μ_c,   S = (1 − s) W/N + s · tr(W/N)/d · I

W: the scatter of N images around their class means. S is that of scikit-learn's LinearDiscriminantAnalysis(
solver="lsqr", shrinkage=s) with equal priors and equally many images a class (Hastie et al., The Elements of
Statistical Learning, sections 4.3 and 4.3.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from repr.arrays import Doubles, Floats, Ints
from repr.errors import UserError
from repr.learners.arrays import as_features, as_labels, by_class, check_range
from repr.learners.learner import Learner
from repr.learners.means import ClassMeans

CHUNK = 8192  # deviations gathered for one matrix product
STALE = 0.001  # share of new images below which S is left as it is: it is an average over all of them


class LDA(Learner):
    """The answer does not depend on how the images were dealt over the steps, but for what S lags behind (STALE). Adding a
    product takes the time of its own images. The first answer after it pays for S⁻¹, a d × d inverse and its product with
    all class means (C d² multiplications), when the images have grown by more than STALE since it last did; else for the
    new means' alone. So each product costs that once in a shop of hundreds, and every hundredth in one of 100,000.

    shrinkage: s, 0..1; 1 is nearest class mean ("plain"). 0.3 was chosen on training images of grocery that were no
    shots, 10 shots of 81 products at 1,280 dimensions; 0.1 to 0.5 are within a point.
    scale: scores are the discriminant times scale / tr(S⁻¹W/N), the squared distance by S that a shot usually has from its
    class mean: as the logarithm of a density the discriminant is far too sure, the more the more dimensions.
    root: take the signed square root of every feature first,
    which tames features that are mostly small and seldom large (Tukey's ladder; Goswami et al., FeCAM, NeurIPS 2023).
    Where no class has two images there is no scatter: S is the identity, and the distance that of a shot from the mean of all.
    """

    input: ClassVar[Literal["features", "images"]] = "features"
    version: ClassVar[int] = 2

    def __init__(self, *, shrinkage: float = 0.3, root: bool = False, scale: float = 25.0) -> None:
        check_range("shrinkage", shrinkage, 0, 1)
        check_range("scale", scale, 1e-3)
        self.shrinkage = shrinkage
        self.root = root
        self.scale = scale
        self.means_ = ClassMeans()
        self.scatter_: Doubles = np.zeros((0, 0))
        self._solved: _Solved | None = None
        self._touched: list[int] = []  # classes taught since

    @property
    def classes_(self) -> Ints:
        return self.means_.classes

    def learn(self, x: np.ndarray[Any, Any], y: Ints) -> Self:
        x = self._transformed(x)
        y = as_labels(y, len(x), first=not len(self.means_))
        if not len(self.scatter_):
            self.scatter_ = np.zeros((x.shape[1], x.shape[1]))
        gathered: list[Doubles] = []
        for label, rows in by_class(y):
            gathered.append(self.means_.add(label, x[rows]))
            self._touched.append(label)
            if sum(map(len, gathered)) >= CHUNK:
                self._scatter(gathered)
                gathered = []
        self._scatter(gathered)
        return self

    def scores(self, x: np.ndarray[Any, Any]) -> Floats:
        self.means_.require()
        x = self._transformed(x)
        solved = self._solve()
        products = self.means_.products(x @ solved.inverse)
        return np.asarray(self.scale / solved.usual * (products - self.means_.in_order(solved.halves)), dtype=np.float32)

    def known(self, x: np.ndarray[Any, Any]) -> Floats:
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

    def _transformed(self, x: np.ndarray[Any, Any]) -> Floats:
        x = as_features(x, self.means_.width)
        return np.asarray(np.sign(x) * np.sqrt(np.abs(x)), dtype=np.float32) if self.root else x

    def _scatter(self, deviations: list[Doubles]) -> None:
        if deviations:
            stacked = np.concatenate(deviations)
            self.scatter_ += stacked.T @ stacked

    def _solve(self) -> _Solved:
        """S⁻¹ and what follows from it: anew when the images have grown by more than STALE, else for the classes touched alone."""
        solved = self._solved
        if solved is None or self.means_.images > (1 + STALE) * solved.images or bool(self.means_.spread) != solved.spread:
            solved = self._solved = self._invert()
        elif self._touched:
            more = len(self.means_) - len(solved.halves)
            solved.halves = np.concatenate([solved.halves, np.zeros(more, dtype=np.float32)])
            rows = np.stack([self.means_.row(label) for label in self._touched])
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


def _halves(means: Floats, inverse: Floats) -> Floats:
    halves: Floats = 0.5 * np.einsum("cd,cd->c", means @ inverse, means)
    return halves
