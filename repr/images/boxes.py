"""A box on an image as it is now, though it was drawn on the image as it was then: before it was shrunk, or turned by its EXIF tag."""

from __future__ import annotations

Box = tuple[float, float, float, float]
Size = tuple[float, float]  # width, height in pixels


class DrawnBox(tuple[float, float, float, float]):
    """A box x, y, w, h in pixels that knows the size of the image that it was drawn on, as the records have it."""

    size: Size

    def __new__(cls, box: Box, size: Size) -> DrawnBox:
        """box: x, y, w, h. size: width, height."""
        drawn = super().__new__(cls, box)
        drawn.size = size
        return drawn

    def __getnewargs__(self) -> tuple[Box, Size]:
        x, y, w, h = self
        return (x, y, w, h), self.size


def placed(box: Box, stored: Size, orientation: int) -> Box | str:
    """The box on the upright image, or why it cannot be placed. A plain box is on the upright image already.

    stored: size of the image as the file stores it; orientation: its EXIF tag, 1 to 8. A box that was drawn before the image was
    shrunk follows its scale; one that was drawn on the stored image, not on the upright one, which the sizes tell, is turned with it.
    Where they do not tell (2 to 4, and squares), only a box that is the same either way is placed.
    """
    if not isinstance(box, DrawnBox):
        return box
    upright = (stored[1], stored[0]) if orientation >= 5 else stored
    on_upright, on_stored = _scale(box.size, upright), _scale(box.size, stored)
    shown = f"{stored[0]:.0f} × {stored[1]:.0f} pixels, where its records say {box.size[0]:.0f} × {box.size[1]:.0f}"
    if on_upright and (on_stored is None or orientation not in range(2, 9)):
        return _scaled(box, on_upright)
    if on_upright and on_stored:
        before, after = _turned(_scaled(box, on_stored), stored, orientation), _scaled(box, on_upright)
        if all(abs(a - b) <= 1 for a, b in zip(before, after, strict=True)):  # the whole image, or what is as far from both edges
            return after
        return f"{shown}, and its EXIF tag turns it ({orientation}): whether the box was drawn before that or after cannot be told"
    if on_stored:
        return _turned(_scaled(box, on_stored), stored, orientation)
    return f"{shown}: the box cannot be placed"


def _scale(drawn: Size, actual: Size) -> Size | None:
    """By how much an image was shrunk across and down; None when it was not shrunk alone, to within a pixel."""
    across, down = actual[0] / max(drawn[0], 1), actual[1] / max(drawn[1], 1)
    alike = abs(drawn[1] * across - actual[1]) <= 1 or abs(drawn[0] * down - actual[0]) <= 1
    return (across, down) if alike else None


def _scaled(box: Box, scale: Size) -> Box:
    x, y, w, h = box
    return (x, y, w, h) if scale == (1, 1) else (x * scale[0], y * scale[1], w * scale[0], h * scale[1])


def _turned(box: Box, stored: Size, orientation: int) -> Box:
    """A box on the stored image, on the upright one. Orientations 5 to 8 swap the sides; the others leave no sizes to tell by."""
    x, y, w, h = box
    if orientation < 5:
        return (stored[0] - (x + w) if orientation in (2, 3) else x), (stored[1] - (y + h) if orientation in (3, 4) else y), w, h
    left = y if orientation in (5, 8) else stored[1] - (y + h)
    top = x if orientation in (5, 6) else stored[0] - (x + w)
    return left, top, h, w
