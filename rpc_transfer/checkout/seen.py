"""Held-out scenes with the true boxes and those that a detector finds, drawn for its report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from repr.arrays import Floats, Pixels
from repr.checkout.proposal import Proposal
from repr.files import replacing
from repr.reports.sheet import typeface

SEEN, ACROSS = 6, 3  # scenes, and how many beside one another
SHEET = "held-out.jpg"  # in the run folder
SIDE = 400  # pixels of a drawn scene
BLUE = (0, 114, 178)


def draw_seen(folder: Path, scenes: Sequence[tuple[Pixels, Floats, Sequence[Proposal]]], least: float) -> None:
    """Write SHEET: scenes (s, s, 3) with true boxes (m, 4) x0, y0, x1, y1 in white, found ones from the score `least` on in blue."""
    sheet = Image.new("RGB", (SIDE * min(ACROSS, len(scenes)), SIDE * -(-len(scenes) // ACROSS)), "white")
    letters = typeface(11)
    for n, (pixels, true, found) in enumerate(scenes):
        scale = SIDE / len(pixels)
        image = Image.fromarray(pixels).resize((SIDE, SIDE))
        draw = ImageDraw.Draw(image)
        for corners in true.tolist():
            draw.rectangle([edge * scale for edge in corners], outline="white", width=3)
        for one in found:
            if one.score >= least:
                x, y, w, h = (edge * scale for edge in one.box)
                draw.rectangle((x, y, x + w, y + h), outline=BLUE, width=2)
                draw.text((x + 3, y + 1), f"{one.score:.2f}", BLUE, letters, stroke_width=2, stroke_fill="white")
        sheet.paste(image, (n % ACROSS * SIDE, n // ACROSS * SIDE))
    with replacing(folder / SHEET) as temporary, temporary.open("wb") as stream:
        sheet.save(stream, "JPEG", quality=90)
