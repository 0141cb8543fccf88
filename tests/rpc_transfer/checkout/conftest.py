"""What the tests of automatic checkout share."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

WANTED = ("rpctool==0.1.6", "pandas<3", "pycocotools", "matplotlib", "scikit-image")


@pytest.fixture(scope="session")
def rpctool_python() -> Path:
    """The interpreter of an environment of its own that has rpctool 0.1.6: made once, and kept beside the system's temporary files.

    REPR_TEST_RPCTOOL=0 leaves it out; where it cannot be installed within two minutes the test is skipped.
    """
    if os.environ.get("REPR_TEST_RPCTOOL") == "0":
        pytest.skip("REPR_TEST_RPCTOOL=0: not compared with rpctool")
    folder = Path(tempfile.gettempdir()) / f"repr-test-rpctool-{sys.version_info.major}.{sys.version_info.minor}"
    python, ready = folder / "bin" / "python", folder / "ready"
    if not ready.is_file():
        uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
        if uv is None:
            pytest.skip("rpctool needs an environment of its own, and uv, which makes one, is not here")
        try:
            subprocess.run([uv, "venv", "--clear", "--python", sys.executable, folder], check=True, capture_output=True, timeout=60)
            subprocess.run([uv, "pip", "install", "--python", python, *WANTED], check=True, capture_output=True, timeout=120)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            pytest.skip(f"rpctool 0.1.6 cannot be installed: {(error.stderr or b'').decode()[-200:] or error}")
        ready.touch()
    return python


COLOURS = ((190, 40, 40), (40, 90, 190), (40, 150, 60), (200, 160, 30), (120, 50, 150))  # of the turntable's products


@pytest.fixture(scope="session")
def turntable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five products on a plain turntable, four exemplars each, in RPC's layout: ellipses of one colour with a spot, ids 1, 2, 3, 5, 8."""
    folder = tmp_path_factory.mktemp("turntable")
    (folder / "train2019").mkdir()
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    for category, colour in zip((1, 2, 3, 5, 8), COLOURS, strict=True):
        for shot in range(4):
            image, box = exemplar(colour, shot)
            name, number = f"690{category}_camera0-{shot + 1}.png", len(images) + 1
            image.save(folder / "train2019" / name)
            images.append({"file_name": name, "width": 160, "height": 120, "id": number})
            one = {"id": number, "image_id": number, "category_id": category, "bbox": box, "area": box[2] * box[3], "iscrowd": 0}
            annotations.append({**one, "segmentation": [[]], "point_xy": [80, 60]})
    categories = [{"id": n, "name": f"{n}_box", "supercategory": "box"} for n in (1, 2, 3, 5, 8)]
    names = [{"sku_name": f"{n}_box", "category_id": n, "sku_class": "box", "code": 6900 + n, "name": f"box {n}"} for n in (1, 2, 3, 5, 8)]
    content = {"info": {}, "licenses": [], "categories": categories, "__raw_Chinese_name_df": names}
    (folder / "instances_train2019.json").write_text(json.dumps({**content, "images": images, "annotations": annotations}))
    return folder


def exemplar(colour: tuple[int, int, int], shot: int) -> tuple[Image.Image, list[float]]:
    """A product before a grey wall, on a white disc, and its box."""
    image = Image.new("RGB", (160, 120), (150, 152, 150))
    draw = ImageDraw.Draw(image)
    draw.ellipse((20, 20, 140, 110), fill=(215, 214, 212))
    left, top, right, bottom = 60 - 4 * shot, 45, 100, 80 + 3 * shot
    draw.ellipse((left, top, right, bottom), fill=colour)
    draw.rectangle((78, 55, 86, 66), fill=(250, 250, 240))
    return image, [left, top, right - left + 1, bottom - top + 1]
