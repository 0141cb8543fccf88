"""The starting weights of a run: none, the user's, and what a user has without us."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from repr.crops import WHOLE
from repr.errors import UserError
from repr.models.weights import Weights, fresh, read_weights
from repr.runs import newest_weights
from rpc_transfer.protocol import generator
from rpc_transfer.settings import ARCH, SIZE


@dataclass(frozen=True, eq=False)
class Start:
    """A start: its name as typed (None for a random one), its weights, the image size; or the reason it cannot be had.

    size: of the images that a frozen encoder sees. trained_size: of those that the encoder is trained on.
    crops: what an encoder sees of either when it embeds.
    """

    spec: str | None
    weights: Weights | None
    size: int
    arch: str
    error: str = ""
    trains_at: int | None = None
    crops: tuple[float, ...] = WHOLE

    @property
    def synthetic(self) -> bool:
        """Whether the weights saw the synthetic shop."""
        return self.weights is not None and self.weights.synthetic

    @property
    def trained_size(self) -> int:
        """Side in pixels of the images that the encoder is trained on."""
        return self.trains_at or self.size

    @property
    def identity(self) -> str:
        """What tells its results from those of another start."""
        return self.weights.identity if self.weights else f"none {self.arch}"

    def for_seed(self, seed: int) -> Weights:
        """The weights to start a run seed from; random ones are drawn by the seed."""
        if self.weights is not None:
            return self.weights
        return fresh(self.arch, self.size, int(generator(seed, "weights").integers(2**31)))


def find_starts(
    specs: Sequence[str],
    *,
    synthetic: bool,
    arch: str | None,
    size: int | None,
    crops: tuple[float, ...] | None = None,
    only: bool = False,
) -> list[Start]:
    """none, then `specs` (on the synthetic shop and none given: the newest weights made on it), then imagenet.

    The random start has the architecture, the image size and the crops of the first weights given, so that the two can be
    compared, else `settings.ARCH` and `settings.SIZE`; `arch`, `size` and `crops` override. Weights named in `specs` that cannot
    be read raise UserError; the newest ones and imagenet are then a start with the reason. Where nobody
    named it, imagenet is trained at the random start's size, so that training is the same work for both. only: no start but `specs`.
    """
    if only and not specs:
        raise UserError("no weights are named", "", "Name them with `weights`, `none` and `imagenet` included", argument="only_weights")
    given: list[Start] = []
    for spec in dict.fromkeys(specs):
        if spec not in ("none", "imagenet"):
            given.append(_start(spec, read_weights(spec), size, crops))
    if not given and synthetic:
        newest = newest_weights(synthetic=True)
        if newest is None:
            reason = "no weights were made on the synthetic shop yet: run `repr pretrain`"
            given.append(Start("newest", None, size or SIZE, ARCH, reason))
        else:
            given.append(_start(str(newest), read_weights(Path(newest)), size, crops))
    usable = next((start for start in given if not start.error), None)
    none = Start(
        None,
        None,
        size or (usable.size if usable else SIZE),
        arch or (usable.arch if usable else ARCH),
        crops=crops or (usable.crops if usable else WHOLE),
    )
    try:
        imagenet = _start("imagenet", read_weights("imagenet"), size, crops)
        if "imagenet" not in specs:
            imagenet = replace(imagenet, trains_at=none.size)
    except UserError as error:
        if only and "imagenet" in specs:
            raise
        imagenet = Start("imagenet", None, size or SIZE, "", str(error))
    starts = [none, *given, imagenet]
    return [start for start in starts if (start.spec or "none") in specs] if only else starts


def _start(spec: str, weights: Weights, size: int | None, crops: tuple[float, ...] | None) -> Start:
    return Start(spec, weights, size or weights.size, weights.arch, crops=crops or weights.crops or WHOLE)
