"""The sample shop: a drawn miniature of MEP-3M and RPC in their own formats, so that everything runs without a download."""

from repr.sample.shop import SCALES, VERSION, draw_sample, sample_root

__all__ = ["SCALES", "VERSION", "draw_sample", "sample_root"]
