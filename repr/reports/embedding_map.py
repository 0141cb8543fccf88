"""The interactive map of an embedding for a page: points on a canvas, and the image of the one that is pointed at.

Self-contained: the images are one sprite, the script stands in the page. Without a script the sprite's place stays empty
and the tables of the page say the rest.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

from repr.arrays import Floats, Pixels
from repr.reports.figures import PALETTE
from repr.reports.page import data_url

COLOURS = PALETTE[:-1]  # without the grey, which stands for "other" elsewhere
LEGEND = 18  # groups in the legend: three shapes of six colours

STYLE = """
.map { position: relative; }
.map canvas { display: block; width: 100%; height: min(34rem, 90vw); border: 1px solid var(--line); border-radius: 6px;
  touch-action: pan-y; }
.map-stage { position: relative; }
.map-tip { position: absolute; width: 7.5rem; padding: 0.4rem; background: var(--ground); border: 1px solid var(--line); border-radius: 6px;
  font-size: 0.75rem; line-height: 1.3; pointer-events: none; box-shadow: 0 2px 8px rgb(0 0 0 / 25%); }
.map-tip > :first-child { width: 96px; height: 96px; margin: 0 auto 0.3rem; background-color: #fff; }
.map button, .map select { font: inherit; font-size: 0.8rem; color: inherit; background: var(--band); border: 1px solid var(--line);
  border-radius: 4px; padding: 0.25rem 0.5rem; margin: 0 0.2rem 0.3rem 0; min-height: 2rem; max-width: 100%; }
.map button[aria-pressed=true] { border-color: var(--ink); font-weight: 600; }
.map svg { width: 0.7rem; height: 0.7rem; margin-right: 0.3rem; vertical-align: -0.05rem; }
@media print { .map button[data-crop], .map select { display: none; } }
"""
SHAPES = ('<circle cx="6" cy="6" r="5"/>', '<rect x="1" y="1" width="10" height="10"/>', '<path d="M6 0 12 11H0z"/>')


def sprite(thumbs: Pixels) -> tuple[Image.Image, int]:
    """Small images (n, s, s, 3) uint8 side by side in one, row by row, as near a square as can be; and images a row."""
    n, s = thumbs.shape[:2]
    columns = max(1, int(np.ceil(np.sqrt(n))))
    rows = -(-n // columns)
    sheet = np.full((rows * columns, s, s, 3), 255, np.uint8)
    sheet[:n] = thumbs
    tiled = sheet.reshape(rows, columns, s, s, 3).swapaxes(1, 2).reshape(rows * s, columns * s, 3)
    return Image.fromarray(tiled), columns


def map_fragment(maps: dict[str, Floats], thumbs: Pixels, labels: Sequence[str], groups: Sequence[str], caption: str) -> str:
    """HTML of an interactive map. maps: name -> (n, 2) positions within -1..1, of which the reader chooses one;
    thumbs: (n, s, s, 3) uint8; labels: the n texts under the images; groups: the n groups, told apart by colour and shape.
    """
    assert maps and all(points.shape == (len(labels), 2) for points in maps.values()) and len(thumbs) == len(groups) == len(labels)
    names, codes, counts = np.unique(np.asarray(groups, dtype=str), return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    image, columns = sprite(thumbs)
    data = {
        "maps": [{"name": name, "points": np.round(points.astype(float), 4).tolist()} for name, points in maps.items()],
        "labels": list(labels),
        "groups": rank[codes].tolist(),
        "colours": list(COLOURS),
        "columns": columns,
    }
    packed = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")  # a name may hold "</script>"
    options = "".join(f"<option>{escape(name)}</option>" for name in maps)
    choice = f'<select aria-label="Weights">{options}</select>' if len(maps) > 1 else ""
    legend = "".join(_entry(n, str(names[group])) for n, group in enumerate(order[:LEGEND])) if len(names) > 1 else ""
    more = f" The {LEGEND} largest of {len(names)} groups are named." if len(names) > LEGEND else ""
    script = Path(__file__).with_name("embedding_map.js").read_text(encoding="utf-8")
    return (
        f'<style>{STYLE}</style><figure class="map">{choice}'
        '<button type="button" data-crop="2">crop in</button><button type="button" data-crop="0.5">crop out</button>'
        '<button type="button" data-crop="0">all</button>'
        '<div class="map-stage"><canvas tabindex="0" role="img" aria-label="Map of the embedding; arrow keys go from image to image">'
        '</canvas><div class="map-tip" role="status" hidden><div></div><div></div></div></div>'
        f'<div>{legend}</div><figcaption>{escape(caption + more)}</figcaption><img hidden alt="" src="{data_url(image)}">'
        f'<script type="application/json">{packed}</script></figure><script>{script}</script>'
    )


def _entry(n: int, name: str) -> str:
    shape = SHAPES[n // len(COLOURS) % len(SHAPES)]
    mark = f'<svg viewBox="0 0 12 12" aria-hidden="true" fill="{COLOURS[n % len(COLOURS)]}">{shape}</svg>'
    return f'<button type="button" data-group="{n}" aria-pressed="false">{mark}{escape(name or "without")}</button>'
