"""Nothing but the reader opens image files, so that all see the same image: upright, RGB, transparency on white."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
ROOM = ROOT / "repr" / "images"
SOURCES = sorted(
    file for package in ("repr", "rpc_transfer", "tools") for file in (ROOT / package).rglob("*.py") if ROOM not in file.parents
)
READERS = {"imread", "decode_image", "decode_jpeg", "decode_png", "frombuffer", "pil_loader", "default_loader"}  # of other libraries


def openings(tree: ast.AST) -> list[int]:
    """The lines on which a program opens an image file by itself."""
    pillow = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "PIL"
        for alias in node.names
        if alias.name == "Image"
    }
    lines = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in ("PIL.Image", "torchvision.io"):
            lines += [node.lineno for alias in node.names if alias.name in READERS | {"open", "read_image"}]
        if isinstance(node, ast.Attribute):
            of_pillow = node.attr == "open" and (
                (isinstance(node.value, ast.Name) and node.value.id in pillow) or ast.unparse(node.value) == "PIL.Image"
            )
            lines += [node.lineno] if of_pillow or (node.attr in READERS and ast.unparse(node.value) != "np") else []
    return lines


def test_no_other_module_opens_images() -> None:
    of_file = {str(file.relative_to(ROOT)): openings(ast.parse(file.read_text(encoding="utf-8"))) for file in SOURCES}
    assert len(of_file) > 200 and {file: lines for file, lines in of_file.items() if lines} == {}


def test_the_reader_does() -> None:
    assert openings(ast.parse((ROOM / "reader.py").read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "code",
    [
        "from PIL import Image\nImage.open(p)",
        "from PIL import Image as I\nwith I.open(p) as i: pass",
        "def f():\n    import PIL.Image\n    return PIL.Image.open(p)",
        "from PIL.Image import open",
        "import cv2\ncv2.imread(p)",
        "from torchvision.io import decode_image",
    ],
)
def test_ways_to_open_are_seen(code: str) -> None:
    assert openings(ast.parse(code))


@pytest.mark.parametrize(
    "code", ["from PIL import Image\nImage.fromarray(a)", "p.open()", "from zipfile import ZipFile as Image\nImage.open"]
)
def test_others_are_not_taken_for_it(code: str) -> None:
    assert not openings(ast.parse(code))
