"""Every image below a folder, and a word on everything else that lies there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from repr.catalog.names import as_text
from repr.catalog.passed import CLOSED, SYSTEM, Tally
from repr.images import sniff

OURS = frozenset({"synthetic.json"})  # what this toolkit itself puts into a folder of data
# Synology, QNAP, macOS, Windows, Linux, Jupyter: what is in them is made from other files, or was thrown away.
SYSTEM_FOLDERS = frozenset(
    {"@eadir", "#recycle", "#snapshot", "@recycle", "__macosx", "$recycle.bin", "system volume information", "lost+found", "@tmp"}
)
SYSTEM_FILES = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"})


def is_system(name: str) -> bool:
    """Whether a file or folder is hidden or a system's own."""
    return name.startswith(".") or name.lower() in SYSTEM_FOLDERS or name.lower() in SYSTEM_FILES


def images(root: Path, passed: Tally) -> Iterator[tuple[str, ...]]:
    """The parts of each image's path below the root, in the order of the folders; `passed` counts the rest by reason.

    Links to folders are followed, but not back to a folder above. Images are told by content where their names do not tell.
    """
    yield from _below(root, (), passed, ())


def _below(folder: Path, parts: tuple[str, ...], passed: Tally, above: tuple[tuple[int, int], ...]) -> Iterator[tuple[str, ...]]:
    shown = as_text("/".join(parts)) + "/"
    try:
        status = folder.stat()
        entries = sorted(folder.iterdir())
    except OSError as error:
        passed.add(f"{CLOSED} ({(error.strerror or 'an error').lower()})", shown)
        return
    identity = (status.st_dev, status.st_ino)
    if identity in above:
        passed.add("links back to a folder above them", shown)
        return
    if not entries:
        passed.add("empty folders", shown)
    images = folders = others = 0
    for entry in entries:
        inside = (*parts, entry.name)
        if is_system(entry.name):
            passed.add(SYSTEM, as_text("/".join(inside)), _files(entry))
        elif os.path.isdir(entry):  # noqa: PTH112 - Path.is_dir raises where the folder may be listed but not entered
            folders += 1
            yield from _below(entry, inside, passed, (*above, identity))
        elif not (entry.name in OURS and not parts):
            reason = sniff.why_not(entry)
            if reason:
                others += 1
                passed.add(reason, as_text("/".join(inside)))
            else:
                images += 1
                yield inside
    if others and parts and not (images or folders):
        passed.add("folders without an image that can be read", shown)


def _files(path: Path) -> int:
    """How many files a system's folder holds; 1 for a file, or for an empty folder."""
    if os.path.islink(path) or not os.path.isdir(path):  # noqa: PTH112, PTH114 - as above
        return 1
    return max(1, sum(len(files) for _, _, files in os.walk(path)))
