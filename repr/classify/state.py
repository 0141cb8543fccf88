"""What a trained model is kept as: arrays, vocabularies in the order of their columns, and plain facts; nothing is pickled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from repr.arrays import Array
from repr.errors import UserError
from repr.learners.stored import Arrays, Stored
from repr.records import Json

Words = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class State:
    """arrays, words (terms, the n-th is column n) and facts (JSON), each by name."""

    arrays: Arrays = field(default_factory=dict)
    words: Words = field(default_factory=dict)
    facts: Mapping[str, Json] = field(default_factory=dict)

    def under(self, name: str) -> State:
        """The same with `name` and a slash before every name."""
        parts = ({f"{name}/{key}": value for key, value in part.items()} for part in (self.arrays, self.words, self.facts))
        arrays, words, facts = parts
        return State(arrays, words, facts)  # type: ignore[arg-type]

    def __or__(self, other: State) -> State:
        return State({**self.arrays, **other.arrays}, {**self.words, **other.words}, {**self.facts, **other.facts})


class Restored:
    """A state that was read, taken piece by piece. where: the folder, for errors."""

    def __init__(self, state: State, where: str, stored: Stored | None = None, beginning: str = "") -> None:
        self.arrays = Stored(state.arrays, where) if stored is None else stored
        self.where, self._state, self._beginning = where, state, beginning

    def below(self, name: str) -> Restored:
        """What was put `under` a name."""
        return Restored(self._state, self.where, self.arrays.below(name), f"{self._beginning}{name}/")

    def fact(self, name: str) -> Json:
        """One fact. Raises UserError when it is not there."""
        if self._beginning + name not in self._state.facts:
            raise self.misfit(f"nothing is said of {self._beginning + name}")
        return self._state.facts[self._beginning + name]

    def words(self, name: str, columns: int) -> tuple[str, ...]:
        """A vocabulary of so many different terms. Raises UserError for another one: it was cut short, or belongs to another model."""
        terms = self._state.words.get(self._beginning + name, ())
        if len(terms) != columns or len(set(terms)) != len(terms):
            raise self.misfit(f"the vocabulary {self._beginning + name} has {len(set(terms)):,} terms, not {columns:,}")
        return terms

    def misfit(self, message: str) -> UserError:
        """The error for a state that does not fit."""
        return UserError(message, self.where, "Fetch the folder again, or train again")


def of_network(network: nn.Module) -> State:
    """Every parameter and buffer of a network."""
    return State({name: tensor.detach().cpu().numpy() for name, tensor in network.state_dict().items()})


def into_network(network: nn.Module, arrays: Stored) -> nn.Module:
    """Fill a network with what `of_network` gave, in eval mode. Raises UserError for arrays of other names, kinds or shapes."""
    tensors = {
        name: torch.from_numpy(np.array(arrays.take(name, tensor.numpy().dtype.type, *tensor.shape)))
        for name, tensor in network.state_dict().items()
    }
    network.load_state_dict(tensors)
    return network.eval()


def zeros(width: int) -> Array:
    """(1, width) float32: what a layer that standardises is made of before it is filled."""
    return np.zeros((1, width), np.float32)
