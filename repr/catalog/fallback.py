"""The synthetic shop in the place of data that nobody named, for the two commands that can be typed without any."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from repr.catalog.sources import VARIABLES, Kind
from repr.synthetic.shop import synthetic_root

log = logging.getLogger(__name__)


def or_synthetic(data: Sequence[str | Path], default: Kind) -> tuple[str, ...]:
    """`data`; where there are none what $MEP3M_ROOT or $RPC_ROOT (by `default`) names; else the synthetic shop, drawn on first use.

    Says in the log that it is the synthetic shop.
    """
    if data:
        return tuple(map(str, data))
    if named := os.environ.get(VARIABLES[default]):
        return (named,)
    log.info(f"No data named and no ${VARIABLES[default]}: using the synthetic shop. It is an illustration, not real products.")
    return (str(synthetic_root(default)),)
