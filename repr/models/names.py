"""Short names for weights in tables and figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path


def weights_names(specs: Iterable[str]) -> dict[str, str]:
    """A short name for each of some weights: the file's or folder's, as far up as is needed to tell them apart."""
    distinct = list(dict.fromkeys(specs))
    return dict(zip(distinct, apart([Path(spec.removesuffix(".safetensors")) for spec in distinct]), strict=True))


def apart(paths: Sequence[Path]) -> list[str]:
    """The ends of paths, as far up as is needed to tell them apart."""
    depth, most = 1, max((len(path.parts) for path in paths), default=0)
    while len({path.parts[-depth:] for path in paths}) < len(paths) and depth < most:
        depth += 1
    return ["/".join(path.parts[-depth:]) for path in paths]
