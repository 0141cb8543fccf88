"""Which kinds of image files are read: told by their content, not by their names."""

from __future__ import annotations

from PIL import features

# JPEG takes phones' MPO along. Left out on purpose: EPS and WMF, whose decoding runs other programs.
FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "ICO", *(["AVIF"] if features.check("avif") else [])]
