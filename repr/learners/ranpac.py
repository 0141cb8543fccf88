"""RanPAC: ridge regression on random ReLU features of the frozen features; a new product adds to two sums.

McDonnell et al., RanPAC: Random Projections and Pre-trained Models for Continual Learning, NeurIPS 2023, section 4:

    h = ReLU(W'f),  W (d, M) normal and fixed;   G = Σ h h',  Q = Σ h y';   scores: h'(G + λI)⁻¹ Q

While there are no more images than M, the same weights come cheaper from the images' own products: with H the rows h,
(H'H + λI)⁻¹H' = H'(HH' + λI)⁻¹. Beyond that G and Q alone are kept.

The first answer after a step pays for the solve: min(n, M)³/3 for the factor and as many right-hand sides as classes. That is for
shops of thousands of products; at 100,000 the weights alone (C, M) would take 2 GB.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve, eigh
from scipy.special import log_softmax

from repr.arrays import Array, Doubles, Floats, Ints
from repr.errors import UserError
from repr.learners.arrays import as_features, as_labels, as_taught, by_class, given, unit
from repr.learners.learner import Learner, Needs
from repr.learners.means import ClassRows
from repr.learners.stored import Arrays, Stored, under
from repr.settings import check, setting

RIDGES = 10.0 ** np.arange(-8, 9)  # as optimise_ridge_parameter in RanPAC.py of RanPAC/RanPAC
SCALES = 2.0 ** np.arange(0, 9)
RIDGE, SCALE = 100.0, 16.0  # where nothing can be chosen: near what 10 shots of 81 grocery products choose
ALIKE = 1e-2  # relative difference of two sums of random features up to which they are of the same images
FEWEST, MOST = 50, 2500  # images held out, below which nothing is chosen; images that the choice looks at


@dataclass(kw_only=True, eq=False)
class RanPAC(Learner):
    """dimensions: 10,000 in the paper, whose G takes 400 MB: half of it here, a quarter of that.

    λ is chosen once, on the first step, as in the paper: fit on four fifths of each class, least squared error on the rest;
    so is the factor that turns regression outputs into logits, by likelihood. The paper chooses λ again on the images of
    each step alone: with 10-shot classes those are two a class. Where the first step has too few images to hold out 50,
    λ = 100 and the factor is 16. An encoder that was trained on the first step's images makes the held-out fifth easier than
    new images are: λ and the factor then come out for too tight classes (the answers are too sure). Features are scaled
    to length 1, so that λ means the same for every encoder.

    To remove classes nothing is needed while H is kept; beyond that the images of those classes, which are taken from G. λ and the factor
    stay as they were chosen; else the answer is that of one taught without the classes, but for rounding.
    """

    dimensions: int = setting(5000, "M, how many random features there are", low=1)
    ridge: float | None = setting(None, "λ; by itself the first step's images choose it", low=1e-12)
    seed: int = setting(0, "of the random features", low=0)

    input: ClassVar[Literal["features", "images"]] = "features"
    takes: ClassVar[frozenset[str]] = frozenset({"seed"})
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check(self)
        self._begin()

    def _begin(self) -> None:
        """Nothing learned."""
        self.ridge_ = self.ridge
        self.scale_ = SCALE
        self.projection_: Floats | None = None  # W
        self.sums_ = ClassRows()  # rows of Q', by class
        self.kept_: Floats | None = np.zeros((0, self.dimensions), dtype=np.float32)  # H; None once there are more images than M
        self.labels_: Ints = np.zeros(0, dtype=np.int64)  # of the rows of H
        self.gram_: Doubles = np.zeros((0, 0))  # HH' while H is kept, then G
        self._weights: Floats | None = None

    @property
    def classes_(self) -> Ints:
        """(C,) those that have a row in Q."""
        return self.sums_.classes

    def learn(self, x: Array, y: Array) -> Self:
        """Add the step's random features to G and Q; the first step also chooses λ and the scale."""
        x = as_features(x, None if self.projection_ is None else len(self.projection_))
        y = as_labels(y, len(x), first=self.projection_ is None)
        if not len(x):
            return self
        first = self.projection_ is None
        hidden = self._hidden(x)
        if first:
            self._choose(hidden, y)
        for label, rows in by_class(y):
            before = self.sums_.row(label) if label in self.sums_ else 0
            self.sums_.put(label, before + hidden[rows].sum(axis=0))
        if self.kept_ is not None and len(self.kept_) + len(hidden) <= self.dimensions:
            across = self.kept_ @ hidden.T
            self.gram_ = np.block([[self.gram_, across], [across.T, hidden @ hidden.T]]).astype(np.float64)
            self.kept_ = np.vstack([self.kept_, hidden])
            self.labels_ = np.concatenate([self.labels_, y])
        else:
            self._fold(hidden)
        self._weights = None
        return self

    @property
    def removal_needs(self) -> Needs:
        """Nothing while H is kept; then the images of the classes that go."""
        return "removed" if self.kept_ is None else "nothing"

    def remove(self, classes: Iterable[int], x: Array | None = None, y: Array | None = None) -> Self:
        """Take the classes' images from G and Q. Raises UserError for other images than those taught."""
        labels = as_taught(classes, self.classes_)
        if not len(labels):
            return self
        if self.kept_ is not None:
            stay = ~np.isin(self.labels_, labels)
            self.kept_, self.labels_, self.gram_ = self.kept_[stay], self.labels_[stay], self.gram_[np.ix_(stay, stay)]
        else:
            self._unfold(*given(x, y, labels, "the classes to be removed"))
        for label in labels.tolist():
            self.sums_.drop(label)
        self._weights = None
        if not len(self.sums_):
            self._begin()
        return self

    def scores(self, x: Array) -> Floats:
        """(n, C) scale · the ridge regression's outputs."""
        self.sums_.require()
        hidden = self._hidden(as_features(x, len(self._projected())))
        return np.asarray(self.scale_ * hidden @ self._solve().T, dtype=np.float32)

    def arrays(self) -> Arrays:
        """Projection, sums and what was chosen; none before the first step."""
        if self.projection_ is None:
            return {}
        vectors = {} if self.kept_ is None else {"kept": self.kept_}
        chosen = {"ridge": np.array(self.ridge_, dtype=np.float64), "scale": np.array(self.scale_, dtype=np.float64)}
        return {
            "projection": self.projection_,
            **chosen,
            **under("sums", self.sums_.arrays()),
            **vectors,
            "labels": self.labels_,
            "gram": self.gram_,
        }

    def restore(self, stored: Stored) -> None:
        """Take over what `arrays` gave; all must be of as many random features as are set."""
        if "projection" not in stored:
            return
        self.projection_ = stored.floats("projection", None, self.dimensions)
        self.ridge_, self.scale_ = stored.number("ridge"), stored.number("scale")
        self.sums_.restore(stored.below("sums"), self.dimensions)
        self.kept_ = stored.floats("kept", None, self.dimensions) if "kept" in stored else None
        rows = 0 if self.kept_ is None else len(self.kept_)
        self.labels_ = stored.ints("labels", rows)
        side = self.dimensions if self.kept_ is None else rows
        self.gram_ = stored.doubles("gram", side, side)

    def _hidden(self, x: Floats) -> Floats:
        """(n, M) random features; the projection is drawn with the first images."""
        if self.projection_ is None:
            self.projection_ = np.random.default_rng(self.seed).standard_normal((x.shape[1], self.dimensions), dtype=np.float32)
        return np.asarray(np.maximum(unit(x) @ self.projection_, 0), dtype=np.float32)

    def _fold(self, hidden: Floats) -> None:
        """Add images to G, and with the first that are too many those kept until then."""
        if self.kept_ is not None:
            self.gram_ = (self.kept_.T @ self.kept_).astype(np.float64)
            self.kept_, self.labels_ = None, self.labels_[:0]
        self.gram_ += hidden.T @ hidden

    def _unfold(self, x: Array, y: Ints) -> None:
        """Take images out of G. Raises UserError when they are not those that their classes were taught with."""
        hidden = self._hidden(as_features(x, len(self._projected())))
        for label, rows in by_class(y):
            taught = self.sums_.row(label)
            if np.linalg.norm(hidden[rows].sum(axis=0) - taught) > ALIKE * np.linalg.norm(taught):
                raise UserError(f"these are not the images that class {label} was taught with", "", "Give all of them, and no others")
        self.gram_ -= hidden.T @ hidden

    def _projected(self) -> Floats:
        assert self.projection_ is not None
        return self.projection_

    def _solve(self) -> Floats:
        """(C, M) weights, kept until the next step."""
        if self._weights is None:
            assert self.ridge_ is not None
            factor = self._factor(self.ridge_)
            if self.kept_ is not None:
                targets = (self.labels_[:, None] == self.classes_).astype(np.float64)
                weights = cho_solve(factor, targets).T.astype(np.float32) @ self.kept_
            else:
                weights = cho_solve(factor, self.sums_.rows().T.astype(np.float64)).T
            self._weights = np.asarray(weights, dtype=np.float32)
        return self._weights

    def _factor(self, ridge: float) -> tuple[Doubles, bool]:
        """Cholesky factor of the Gram matrix with the ridge: with ten times as much while rounding hides it, as it does a tiny
        one where images are there twice."""
        ridged = self.gram_.copy()
        ridged[np.diag_indices_from(ridged)] += ridge
        try:
            factor: tuple[Doubles, bool] = cho_factor(ridged, overwrite_a=True, check_finite=False)
            return factor
        except LinAlgError:
            return self._factor(10 * ridge)

    def _choose(self, hidden: Floats, y: Ints) -> None:
        """Choose λ (unless it was given) and the factor of the logits on a fifth of each class's images."""
        each = max(5, MOST // len(np.unique(y)))
        fit, held = [], []
        for _, rows in by_class(y):
            rows = rows[:each]
            held.append(rows[4::5])
            fit.append(np.setdiff1d(rows, rows[4::5]))
        inside, outside = np.concatenate(fit), np.concatenate(held)
        if len(outside) < FEWEST:
            self.ridge_ = self.ridge_ or RIDGE
            return
        classes = np.unique(y)
        targets = (y[:, None] == classes).astype(np.float64)
        values, vectors = eigh((hidden[inside] @ hidden[inside].T).astype(np.float64))
        spectrum, across = vectors.T @ targets[inside], (hidden[outside] @ hidden[inside].T) @ vectors
        outputs = {
            r: across @ (spectrum / (np.maximum(values, 0) + r)[:, None]) for r in (RIDGES if self.ridge_ is None else [self.ridge_])
        }
        self.ridge_ = float(min(outputs, key=lambda r: ((outputs[r] - targets[outside]) ** 2).mean()))
        best = outputs[self.ridge_]
        likelihood = {s: float((log_softmax(s * best, axis=1) * targets[outside]).sum()) for s in SCALES.tolist()}
        self.scale_ = max(likelihood, key=lambda s: likelihood[s])
