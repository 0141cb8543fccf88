"""Which kinds of image files are read, told by their content, not by their names; and by which decoders."""

from __future__ import annotations

import importlib.util

import PIL
from PIL import features

HEIF = importlib.util.find_spec("pillow_heif") is not None
if HEIF:
    import pillow_heif

    pillow_heif.register_heif_opener()  # what phones write

# JPEG takes phones' MPO along. Left out on purpose: EPS and WMF, whose decoding runs other programs.
FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "ICO"]
FORMATS += ["AVIF"] if features.check("avif") else []
FORMATS += ["HEIF"] if HEIF else []

LIBRARIES = ("libjpeg_turbo", "jpg", "zlib", "webp", "jpg_2000", "libtiff", "avif")
# Another decoder gives other pixels, and reads what an older one could not: part of the keys of all that is kept of images.
DECODER = " ".join(
    [f"pillow {PIL.__version__}", *(f"{name} {features.version(name)}" for name in LIBRARIES if features.version(name))]
    + ([f"heif {pillow_heif.__version__}"] if HEIF else [])
)
