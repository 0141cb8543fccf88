"""Whether the light text model trains on all of MEP-3M's titles: seconds and peak memory of `repr classify --model ngram`.

    python tools/bench/titles.py [--records 3012959] [--epochs 3] [--json] [--keep DIR]

The annotation file is made for the occasion (see catalog.py), becomes a catalog, and is classified at level 2 with a random 8:2
split: reading, training, predicting and measuring, in a process of its own whose peak memory is given. Nine titles of ten carry
words of their class, so an accuracy near 0.9 says that it has learnt. `ratio` is the bar in seconds over the seconds: 1 or more is
within it. Bars: 30 minutes and 4 GB on 2 cores.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from catalog import BUILD, annotation_file, parser

BAR_SECONDS, BAR_MB = 1800, 4000
CLASSIFY = """
import json, sys, time
from repr.catalog.building import peak_mb
from repr.cli import group
begun = time.monotonic()
group(sys.argv[1:], standalone_mode=False)
print(json.dumps({"wall_seconds": time.monotonic() - begun, "peak_mb": peak_mb()}))
"""


def lines(program: str, *words: str) -> list[dict[str, Any]]:
    """What a program in a process of its own printed, one JSON object a line. Small ones only: a child inherits its parent's peak."""
    printed = subprocess.run([sys.executable, "-c", program, *words], check=True, stdout=subprocess.PIPE, text=True).stdout
    return [json.loads(line) for line in printed.splitlines()]


def main() -> None:
    """Make the file, classify it, print one row."""
    options = parser(__doc__)
    options.add_argument("--epochs", type=int, help="default: the model's")
    arguments = options.parse_args()
    with annotation_file(arguments) as path:
        (built,) = lines(BUILD, str(path))
        words = ["classify", "--model", "ngram", "--level", "2", "--split", "random", "--data", str(path.with_suffix(".parquet")), "--json"]
        document, measured = lines(CLASSIFY, *words, *(["--epochs", str(arguments.epochs)] if arguments.epochs else []))
    (row,) = document["rows"]
    seconds = measured["wall_seconds"]
    top1, ece = (row["metrics"][name]["mean"] for name in ("top1", "ece"))
    line = {"name": "ngram", "records": built["records"], "seconds": seconds, "ratio": BAR_SECONDS / seconds}
    line |= {"peak_mb": measured["peak_mb"], "bar_seconds": BAR_SECONDS, "bar_mb": BAR_MB, "top1": top1, "ece": ece}
    if arguments.json:
        print(json.dumps({"rows": [line]}))
        return
    print(f"{built['records']:,} titles: {seconds:.0f} s (bar {BAR_SECONDS}), {measured['peak_mb']:,.0f} MB peak (bar {BAR_MB:,})")
    print(f"top-1 {top1:.1%} of the test titles, {row['note']}")


if __name__ == "__main__":
    main()
