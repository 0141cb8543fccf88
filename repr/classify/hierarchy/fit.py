"""Train a hierarchical net on frozen features, and ask it."""

from __future__ import annotations

import importlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from repr.arrays import Floats, Ints
from repr.classify.hierarchy import NETS, WEAK
from repr.classify.hierarchy.tree import Tree
from repr.classify.hierarchy.weak import joint_loss, residual_labels, widths, without_residual
from repr.classify.state import Restored, State, into_network, of_network, zeros
from repr.errors import UserError, nearest
from repr.learners.heads import Standardised, seeded
from repr.models.devices import pick_device
from repr.training.finetune import fit_network

ROWS = 4096  # rows predicted at a time


class Joined(nn.Module):
    """Features as they come → standardised → the net's logits of all levels side by side, (b, sum of widths)."""

    def __init__(self, net: nn.Module, standardised: nn.Module) -> None:
        super().__init__()
        self.net, self.standardised = net, standardised

    def forward(self, features: Tensor) -> Tensor:
        """The logits."""
        return torch.cat(self.net(self.standardised(features)), dim=1)


@dataclass(frozen=True)
class HierarchicalModel:
    """A trained net with its tree."""

    network: Joined
    tree: Tree
    weak: str

    @torch.no_grad()
    def probabilities(self, features: Floats) -> list[Floats]:
        """One float32 (n, classes of the level) a level, coarse first; rows sum to 1. features: (n, d) as given to fit_hierarchy."""
        features = _checked(features)
        device = next(self.network.parameters()).device
        parts: list[list[Floats]] = [[np.empty((0, size), dtype=np.float32)] for size in self.tree.sizes]
        for first in range(0, len(features), ROWS):
            logits: Tensor = self.network(torch.from_numpy(features[first : first + ROWS]).to(device))
            for level, scores in enumerate(torch.split(logits, list(widths(self.tree, self.weak)), dim=1)):
                given = scores.softmax(dim=1).cpu().numpy()
                parts[level].append(without_residual(given, level, self.tree) if self.weak == "residual" else given)
        return [np.concatenate(level) for level in parts]

    def state(self) -> State:
        """The net and its tree."""
        parents = {str(level): above for level, above in enumerate(self.tree.parents)}
        facts = State(facts={"weak": self.weak, "roots": self.tree.roots, "levels": self.tree.levels})
        return of_network(self.network).under("network") | State(dict(parents)).under("parents") | facts


def restored_hierarchy(kind: str, state: Restored, device: str) -> HierarchicalModel:
    """What `HierarchicalModel.state` gave of a net of NETS. Raises UserError for what does not fit."""
    levels, roots, weak = (state.fact(name) for name in ("levels", "roots", "weak"))
    if not isinstance(levels, int) or not isinstance(roots, int) or weak not in WEAK:
        raise state.misfit("its tree is not told")
    above = state.below("parents").arrays
    tree = Tree(tuple(above.ints(str(level), None) for level in range(levels - 1)), roots)
    arrays = state.below("network").arrays
    dim = len(arrays.floats("standardised.mean", None))
    empty = Joined(_new(kind, dim, widths(tree, weak)), Standardised(zeros(dim)))
    network = into_network(empty, arrays)
    assert isinstance(network, Joined)
    return HierarchicalModel(network.to(pick_device(device)), tree, weak)


def fit_hierarchy(
    kind: str,
    features: Floats,
    labels: Ints,
    tree: Tree,
    *,
    epochs: int,
    lr: float,
    batch_size: int,
    generator: torch.Generator,
    device: str | torch.device = "cpu",
    weak: str = "children",
    halve_every: int = 0,
) -> HierarchicalModel:
    """Train one net of NETS with the joint loss and Adam.

    features: float (n, d). labels: int (n, levels), codes of the tree, coarse first, -1 for unknown; levels above a known one are
    filled in from the tree, rows without any label are left out. weak: how partly labelled rows count, see weak.py.
    halve_every: halve the rate every so many epochs (MEP-3M: 2); 0 for cosine. generator: on the CPU; weights and order follow it.
    Raises UserError for an unknown net, features that are not finite, a level of which no row knows its class, or labels against the tree.
    """
    if kind not in NETS:
        raise UserError(f"no hierarchical net is called {kind!r}", "", nearest(kind, NETS), argument="hierarchy")
    assert weak in WEAK, weak
    inputs, truth = _known(features, labels, tree, weak)
    bare = next((level for level in range(tree.levels) if not ((truth[:, level] >= 0) & (truth[:, level] < tree.sizes[level])).any()), None)
    if bare is not None:
        raise UserError(f"no training row has a label on level {bare + 1}", "labels", "Choose another level or label some rows")
    outputs = list(widths(tree, weak))

    def loss(_: Tensor, logits: Tensor, batch: Tensor) -> Tensor:
        """The loss of all levels together."""
        return joint_loss(torch.split(logits, outputs, dim=1), batch, tree, weak)

    with seeded(generator):
        network = Joined(_new(kind, inputs.shape[1], tuple(outputs)), Standardised(inputs))
        fit_network(
            network, torch.from_numpy(inputs), torch.from_numpy(truth),
            loss=loss, generator=generator, epochs=epochs, lr=lr, batch_size=batch_size,
            halve_every=halve_every, device=torch.device(device),
        )  # fmt: skip
    return HierarchicalModel(network, tree, weak)


def _known(features: Floats, labels: Ints, tree: Tree, weak: str) -> tuple[Floats, Ints]:
    """Checked features and completed labels of the rows of which anything is known."""
    features = _checked(features)
    labels = tree.complete(labels)
    assert len(features) == len(labels), f"{len(features)} features, {len(labels)} labels"
    some = labels[:, 0] >= 0
    features, labels = features[some], labels[some]
    return features, residual_labels(labels, tree) if weak == "residual" else labels


def _checked(features: Floats) -> Floats:
    features = np.ascontiguousarray(features, dtype=np.float32)
    assert features.ndim == 2, features.shape
    if not np.isfinite(features).all():
        row = int(np.flatnonzero(~np.isfinite(features).all(axis=1))[0])
        raise UserError("a feature is not a finite number", f"row {row}", "Encode the data again")
    return features


def _new(kind: str, dim: int, outputs: tuple[int, ...]) -> nn.Module:
    module, name = NETS[kind].split(":")
    net = getattr(importlib.import_module(module), name)(dim, outputs)
    assert isinstance(net, nn.Module)
    return net
