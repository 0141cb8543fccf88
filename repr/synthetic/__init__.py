"""The synthetic shop: a drawn miniature of MEP-3M and RPC in their own formats, so that everything runs without a download."""

from repr.synthetic.shop import PARTS, SCALES, VERSION, draw_shop, synthetic_root

__all__ = ["PARTS", "SCALES", "VERSION", "draw_shop", "synthetic_root"]
