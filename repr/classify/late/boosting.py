"""Gradient-boosted trees on the models' probabilities: scikit-learn grows them, they are kept as arrays and asked here."""

from __future__ import annotations

import numpy as np
import torch
from scipy.special import softmax
from sklearn.ensemble import HistGradientBoostingClassifier

from repr.arrays import Doubles, Floats, Ints
from repr.classify.late.layers import beside
from repr.classify.settings import Settings
from repr.classify.state import Restored, State
from repr.learners.stored import Arrays

ROUNDS = 30  # one tree a class in each
RATE = 0.1
LEAVES = 15
# Of a leaf's value, XGBoost's default (Chen and Guestrin, KDD 2016, equation 5). Without one, a leaf of a class of few rows, whose second
# derivatives are next to nought, outvotes all others: on 3,000 fashion products of 47 classes top-1 fell from nine to four tenths.
PENALTY = 1.0
FIELDS: dict[str, type[np.float64] | type[np.int64]] = {
    "value": np.float64,
    "feature_idx": np.int64,
    "num_threshold": np.float64,
    "left": np.int64,
    "right": np.int64,
    "is_leaf": np.int64,
}


class Boosting:
    """nodes_: of all trees one after the other; starts_: (rounds·k,) where each begins, of k trees a round; first_: (k,) scores before any.

    known_: (k,) the classes of the trees of a round, with two classes the second alone.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def fit(self, probabilities: Floats, labels: Ints, generator: torch.Generator) -> Boosting:
        """Learn from (m, n, c) and labels (n,)."""
        self.classes_ = probabilities.shape[2]
        grower = HistGradientBoostingClassifier(
            learning_rate=RATE, max_iter=ROUNDS, max_leaf_nodes=LEAVES, l2_regularization=PENALTY, early_stopping=False,
            random_state=self.settings.seed,
        )  # fmt: skip
        grower.fit(beside(probabilities).numpy(), labels)
        trees = [tree.nodes for round_ in grower._predictors for tree in round_]
        self.starts_ = np.cumsum([0, *(len(tree) for tree in trees[:-1])]).astype(np.int64)
        self.nodes_: Arrays = {name: np.concatenate([tree[name] for tree in trees]).astype(kind) for name, kind in FIELDS.items()}
        self.first_ = np.asarray(grower._baseline_prediction, np.float64).reshape(-1)
        self.known_ = np.asarray(grower.classes_, np.int64)
        return self

    def fuse(self, probabilities: Floats) -> Floats:
        """(m, n, c) → (n, c)."""
        fused = np.zeros((probabilities.shape[1], self.classes_), np.float32)
        scores = self.scores(beside(probabilities).numpy().astype(np.float64))
        if len(self.known_) == 2:
            scores = np.concatenate([np.zeros_like(scores), scores], axis=1)
        fused[:, self.known_] = softmax(scores, axis=1)
        return fused

    def scores(self, inputs: Doubles) -> Doubles:
        """(n, d) → (n, k): the sums of what the trees say."""
        rows, sums = np.arange(len(inputs)), np.repeat(self.first_[None], len(inputs), axis=0)
        nodes = self.nodes_
        for number, start in enumerate(self.starts_.tolist()):
            at = np.full(len(inputs), start)
            while not (ends := nodes["is_leaf"][at].astype(bool)).all():
                low = inputs[rows, nodes["feature_idx"][at]] <= nodes["num_threshold"][at]
                at = np.where(ends, at, start + np.where(low, nodes["left"][at], nodes["right"][at]))
            sums[:, number % len(self.first_)] += nodes["value"][at]
        return sums

    def state(self) -> State:
        """The trees."""
        return State(
            {**self.nodes_, "starts": self.starts_, "first": self.first_, "known": self.known_, "classes": np.array(self.classes_)}
        )

    def restore(self, state: Restored) -> Boosting:
        """Take over what `state` gave."""
        arrays = state.arrays
        self.starts_, self.first_ = arrays.ints("starts", None), arrays.doubles("first", None)
        self.known_, self.classes_ = arrays.ints("known", None), arrays.whole("classes")
        size = len(arrays.doubles("value", None))
        self.nodes_ = {name: arrays.take(name, kind, size) for name, kind in FIELDS.items()}
        return self
