"""How fast and how lean an annotation file of MEP-3M's length becomes a catalog, beside json.load on the same file.

    python tools/bench/catalog.py [--records 3012959] [--json] [--keep DIR]

The file is made for the occasion, in the real form (json.dumps with indent=4) and of about the real size: 564 bytes a record,
titles of 51.8 characters on average, OCR on 46.6 %. Each reader runs in a process of its own; seconds are wall time from the
first byte to the finished Parquet file, peak memory is that of the whole process. `ratio` is a reader's seconds against
json.load's.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

RECORDS = 3_012_959  # Pattern Recognition 140 (2023) 109519, Table 2
BUILD = """
import json, sys
from pathlib import Path
from repr.catalog.building import build_catalog
built = build_catalog(None, annotations=Path(sys.argv[1]), out=Path(sys.argv[1]).with_suffix(".parquet"))
print(json.dumps({"records": built.records, "seconds": built.seconds, "peak_mb": built.peak_mb}))
"""
LOAD = """
import json, sys, time
from repr.catalog.building import peak_mb
begun = time.monotonic()
with open(sys.argv[1], encoding="utf-8") as file:
    records = len(json.load(file))
print(json.dumps({"records": records, "seconds": time.monotonic() - begun, "peak_mb": peak_mb()}))
"""


def write_annotations(path: Path, records: int, seed: int = 0) -> None:
    """A made-up annotation file in MEP-3M's form: 14 classes, 599 sub-classes, 89 of the third level under 13 of them.

    Nine titles of ten end in two of their sub-class's six words, so that there is something to learn from them.
    """
    rng = random.Random(seed)
    signs = [chr(code) for code in range(0x4E00, 0x4E00 + 2000)]
    texts = ["".join(rng.choices(signs, k=200)) for _ in range(500)]
    own = [["".join(rng.choices(signs, k=3)) for _ in range(6)] for _ in range(600)]

    def words(length: int) -> str:
        at = rng.randrange(200 - length)
        return rng.choice(texts)[at : at + length]

    size = records // 599 + 1
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for n in range(records):
            sub = n // size + 1
            telling = "".join(rng.sample(own[sub], 2)) if rng.random() < 0.9 else words(6)
            third = str(600 + sub % 89) if sub < 90 and n % 2 else "FALSE"
            record = {
                "class_id": str(sub % 14 + 1),
                "class_name": f"类别/{sub % 14 + 1}",
                "sub_class_id": str(sub),
                "sub_class_name": f"子类{sub}",
                "subsub_class_id": third,
                "subsub_class_name": f"细类{third}" if third != "FALSE" else third,
                "img_path": f"Images/{sub}/{n % size + 1}.{'png' if rng.random() < 0.0346 else 'jpg'}",
                "img_resolution": [220, 220, 3],
                "title": words(rng.randint(20, 71)) + telling,
                "OCR": words(rng.randint(2, 40)) if rng.random() < 0.466 else "FALSE",
            }
            text = json.dumps([record], ensure_ascii=False, indent=4)
            file.write(("[" if n == 0 else ",") + text[1:-2])
        file.write("\n]")


def parser(doc: str | None, records: int = RECORDS) -> argparse.ArgumentParser:
    """The options of a benchmark on such a file. doc: its module's."""
    options = argparse.ArgumentParser(description=doc.splitlines()[0] if doc else "")
    options.add_argument("--records", type=int, default=records, help="length of the file (default: %(default)s; MEP-3M has 3012959)")
    options.add_argument("--json", action="store_true", help="print one JSON object")
    options.add_argument("--keep", type=Path, help="make the file in this folder and leave it there")
    return options


@contextmanager
def annotation_file(arguments: argparse.Namespace) -> Iterator[Path]:
    """The file that `parser`'s options ask for: where it was kept, else made now, and removed in the end unless it is kept."""
    with tempfile.TemporaryDirectory() as temporary:
        path = (arguments.keep or Path(temporary)) / "annotation.json"
        if not path.exists():
            print(f"Making {arguments.records:,} records …", file=sys.stderr)
            write_annotations(path, arguments.records)
        yield path


def measure(program: str, path: Path) -> dict[str, float]:
    """Run a reader in a process of its own and give what it printed."""
    done = subprocess.run([sys.executable, "-c", program, str(path)], check=True, stdout=subprocess.PIPE, text=True)
    value: dict[str, float] = json.loads(done.stdout)
    return value


def main() -> None:
    """Make the file, time both readers, print a table or JSON."""
    arguments = parser(__doc__).parse_args()
    with annotation_file(arguments) as path:
        size = path.stat().st_size
        measured = {name: measure(program, path) for name, program in (("repr catalog build", BUILD), ("json.load", LOAD))}
    rows = [{"name": name, "ratio": m["seconds"] / measured["json.load"]["seconds"], **m} for name, m in measured.items()]
    if arguments.json:
        print(json.dumps({"bytes": size, "rows": rows}))
        return
    print(f"{rows[0]['records']:,} records, {size / 1e6:,.0f} MB")
    for row in rows:
        print(f"{row['name']:20}{row['seconds']:8.1f} s{row['peak_mb']:8.0f} MB peak{row['ratio']:8.2f} × json.load")


if __name__ == "__main__":
    main()
