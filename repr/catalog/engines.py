"""OCR engines behind one small interface: an image in, lines of text with their confidence out."""

from __future__ import annotations

import csv
import io
import os
import shutil
import subprocess
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from repr.catalog.words import HAN
from repr.errors import UserError, nearest

if TYPE_CHECKING:
    from PIL.Image import Image

LANGUAGES = ("chi_sim", "eng")  # Tesseract's names of simplified Chinese and English
SIDE = 600  # pixels: Tesseract wants letters of about 20 pixels, shop images have 75 to 220 in all


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text and how sure the engine is of it, 0 to 1."""

    text: str
    confidence: float


class Engine(Protocol):
    """What an engine has: a name with its version, and the reading itself."""

    version: str

    def __call__(self, image: Image) -> list[Line]:
        """The lines in an RGB image, in the engine's order; none when it finds none."""
        ...


class RapidOcr:
    """The package rapidocr (PP-OCR models through onnxruntime; its wheel carries a Chinese and English one, so nothing is downloaded).

    One thread: several processes read at a time. Lines of any confidence come back; the caller sorts out.
    """

    def __init__(self) -> None:
        missing = [package for package in ("rapidocr", "onnxruntime") if find_spec(package) is None]  # rapidocr does without the second
        if missing:
            raise UserError(
                f"the OCR engine rapidocr is not installed: no package {' nor '.join(missing)}",
                "",
                "Install both with `pip install rapidocr onnxruntime`, or use `engine` tesseract (system package tesseract-ocr)",
            )
        from rapidocr import RapidOCR

        threads = "EngineConfig.onnxruntime"
        one = {f"{threads}.intra_op_num_threads": 1, f"{threads}.inter_op_num_threads": 1}
        self._engine = RapidOCR(params={"Global.log_level": "critical", "Global.text_score": 0.0, **one})
        self.version = f"rapidocr {metadata.version('rapidocr')}"

    def __call__(self, image: Image) -> list[Line]:
        """The lines, top to bottom."""
        result: Any = self._engine(np.asarray(image)[:, :, ::-1])  # it takes BGR, as OpenCV has it
        if result.txts is None:
            return []
        return [Line(text, float(score)) for text, score in zip(result.txts, result.scores, strict=True)]


class Tesseract:
    """The program tesseract, with simplified Chinese and English, looking for text anywhere in the image (page segmentation 11)."""

    def __init__(self) -> None:
        if shutil.which("tesseract") is None:
            raise UserError(
                "the OCR engine tesseract is not installed",
                "",
                "Install the system packages tesseract-ocr and tesseract-ocr-chi-sim, or `pip install rapidocr onnxruntime`",
            )
        try:
            listed = _tesseract("--list-langs").split()
            self.version = _tesseract("--version").splitlines()[0].strip()
        except (RuntimeError, OSError, IndexError) as error:
            raise UserError(f"the OCR engine does not start ({error})", "tesseract", "Install it again, or use `engine` rapidocr") from None
        missing = [language for language in LANGUAGES if language not in listed]
        if missing:
            packages = " and ".join(f"tesseract-ocr-{language.replace('_', '-')}" for language in missing)
            raise UserError(f"tesseract lacks the language {', '.join(missing)}", "", f"Install the system's package {packages}")

    def __call__(self, image: Image) -> list[Line]:
        """The lines, in reading order."""
        scale = SIDE / min(image.size)
        if scale > 1:
            image = image.resize((round(image.width * scale), round(image.height * scale)))
        stream = io.BytesIO()
        image.save(stream, "PNG", compress_level=1)
        table = _tesseract("stdin", "stdout", "-l", "+".join(LANGUAGES), "--psm", "11", "tsv", given=stream.getvalue())
        return lines_of(table)


def lines_of(table: str) -> list[Line]:
    """The lines in Tesseract's TSV; a line's confidence is the mean of its words', and Chinese words stand without blanks between."""
    words: dict[tuple[str, ...], list[tuple[str, float]]] = {}
    for row in csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE):
        text = (row.get("text") or "").strip()
        if text and float(row["conf"]) >= 0:
            words.setdefault(tuple(row[name] for name in ("block_num", "par_num", "line_num")), []).append((text, float(row["conf"]) / 100))
    return [Line(_joined([text for text, _ in line]), sum(confidence for _, confidence in line) / len(line)) for line in words.values()]


def _joined(words: list[str]) -> str:
    line = words[0]
    for word in words[1:]:
        line += word if HAN.match(line[-1]) and HAN.match(word[0]) else f" {word}"
    return line


def _tesseract(*arguments: str, given: bytes = b"") -> str:
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    done = subprocess.run(["tesseract", *arguments], input=given, capture_output=True, check=False, env=environment)
    if done.returncode:
        words = done.stderr.decode(errors="replace").split("\n")[0].strip()
        raise RuntimeError(f"tesseract: {words or f'exit code {done.returncode}'}")
    return done.stdout.decode(errors="replace")


ENGINES: dict[str, type[RapidOcr] | type[Tesseract]] = {"rapidocr": RapidOcr, "tesseract": Tesseract}


def make(name: str) -> Engine:
    """The engine by its name, ready to read. Raises UserError for an unknown one, or one that is not installed."""
    if name not in ENGINES:
        raise UserError(f"no OCR engine is called {name!r}", "", nearest(name, ENGINES), argument="engine")
    return ENGINES[name]()
