"""What the configs of a run begin from: no pretraining, the user's weights, and what a user has without us."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from repr.crops import WHOLE
from repr.errors import UserError
from repr.models.weights import Weights, fresh, read_weights
from repr.runs import newest_weights
from rpc_transfer.draw import generator
from rpc_transfer.results import IMAGENET, NONE
from rpc_transfer.settings import ARCH, SIZE

NEWEST = "newest"  # the name of weights that nobody named and that are not there


@dataclass(frozen=True, eq=False)
class InitialWeights:
    """Weights that configs begin from: how they were named, and how they are used; or the reason why they cannot be had.

    name: as typed; NONE for random ones, which `weights` then does not hold: each seed draws its own.
    size: side in pixels of the images that a frozen encoder sees. trained_at: of those that the encoder is trained on, where it is another.
    crops: what an encoder sees of either when it embeds. error: "" where there is none.
    """

    name: str
    weights: Weights | None
    size: int
    arch: str
    error: str = ""
    trained_at: int | None = None
    crops: tuple[float, ...] = WHOLE

    @property
    def random(self) -> bool:
        """Whether nothing was trained before."""
        return self.name == NONE

    @property
    def synthetic(self) -> bool:
        """Whether the weights saw the synthetic shop."""
        return self.weights is not None and self.weights.synthetic

    @property
    def trained_size(self) -> int:
        """Side in pixels of the images that the encoder is trained on."""
        return self.trained_at or self.size

    @property
    def identity(self) -> str:
        """What tells results from them from those of others, by content."""
        return self.weights.identity if self.weights else f"none {self.arch}"

    def for_seed(self, seed: int) -> Weights:
        """The weights that a run seed begins from; random ones are drawn by the seed."""
        if self.weights is not None:
            return self.weights
        return fresh(self.arch, self.size, int(generator(seed, "weights").integers(2**31)))


def find_weights(
    specs: Sequence[str],
    *,
    synthetic: bool,
    arch: str | None,
    size: int | None,
    crops: tuple[float, ...] | None = None,
    only: bool = False,
) -> list[InitialWeights]:
    """none, then `specs` (on the synthetic shop and none named: the newest weights made on it), then imagenet.

    Random weights have the architecture, the image size and the crops of the first weights given, so that the two can be
    compared, else `settings.ARCH` and `settings.SIZE`; `arch`, `size` and `crops` override. Weights named in `specs` that cannot
    be read raise UserError; the newest ones and imagenet then stand with the reason. Where nobody
    named it, imagenet is trained at the random weights' size, so that training is the same work for both. only: none but `specs`.
    """
    if only and not specs:
        raise UserError("no weights are named", "", "Name them with `weights`, `none` and `imagenet` included", argument="only_weights")
    named = [_read(spec, spec, size, crops) for spec in dict.fromkeys(specs) if spec not in (NONE, IMAGENET)]
    if not named and synthetic:
        newest = newest_weights(synthetic=True)
        reason = "no weights were made on the synthetic shop yet: run `repr pretrain`"
        named = [_read(str(newest), newest, size, crops) if newest else InitialWeights(NEWEST, None, size or SIZE, ARCH, reason)]
    first = next((one for one in named if not one.error), InitialWeights(NONE, None, SIZE, ARCH))
    none = InitialWeights(NONE, None, size or first.size, arch or first.arch, crops=crops or first.crops)
    try:
        imagenet = _read(IMAGENET, IMAGENET, size, crops)
        if IMAGENET not in specs:
            imagenet = replace(imagenet, trained_at=none.size)
    except UserError as error:
        if only and IMAGENET in specs:
            raise
        imagenet = InitialWeights(IMAGENET, None, size or SIZE, "", str(error))
    rows = [none, *named, imagenet]
    return [one for one in rows if one.name in specs] if only else rows


def _read(name: str, spec: str | Path, size: int | None, crops: tuple[float, ...] | None) -> InitialWeights:
    weights = read_weights(spec)
    return InitialWeights(name, weights, size or weights.size, weights.arch, crops=crops or weights.crops or WHOLE)
