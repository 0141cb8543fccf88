"""How long all pairs of MEP-3M's 599 sub-classes take to align: `repr catalog align` on a made-up annotation file.

    python tools/bench/align.py [--records 300000] [--json] [--keep DIR]

The file is that of catalog.py; 300,000 records give every sub-class the 22,000 characters that are read of it. Segmentation by
jieba is counted, its dictionary included. `ratio` is the bar in seconds over the seconds: 1 or more is within it. Bar: 60 seconds.
"""

from __future__ import annotations

import json
import time

from catalog import annotation_file, parser

from repr.catalog.align import align
from repr.catalog.building import build_catalog, peak_mb
from repr.catalog.table import Catalog

BAR_SECONDS = 60


def main() -> None:
    """Make the file, align it, print one row."""
    arguments = parser(__doc__, records=300_000).parse_args()
    with annotation_file(arguments) as path:
        build_catalog(None, annotations=path, out=path.with_suffix(".parquet"))
        catalog = Catalog.read(path.with_suffix(".parquet"))
        begun = time.perf_counter()
        alignment = align([catalog], level=2)
        seconds = time.perf_counter() - begun
    classes = len(catalog.classes[1])
    row = {"name": f"{classes} sub-classes", "seconds": seconds, "ratio": BAR_SECONDS / seconds, "pairs": len(alignment.pairs)}
    row |= {"bar_seconds": BAR_SECONDS, "peak_mb": peak_mb()}
    if arguments.json:
        print(json.dumps({"rows": [row]}))
        return
    print(f"{row['name']}: {row['pairs']:,} pairs in {seconds:.1f} s (bar {BAR_SECONDS}), {row['peak_mb']:,.0f} MB peak")


if __name__ == "__main__":
    main()
