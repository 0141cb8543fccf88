"""manifest.json: the state of an index in one small file, replaced whole after everything it names is written."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from repr.commands import command_line
from repr.crops import WHOLE
from repr.errors import UserError
from repr.files import read_json, write_json
from repr.lookup.segments import REMEDY, Segment
from repr.search.ivf import Cells

VERSION = 2
BUILDING = command_line("repr index build", data="DATA", out="shop.index")


@dataclass
class Manifest:
    """The content of manifest.json. `removed` maps a product to the number of the first segment that counts for it again."""

    weights: dict[str, Any]  # identity, name, arch, size, crops, dim, synthetic
    root: str
    synthetic: bool
    segments: list[Segment] = field(default_factory=list)
    removed: dict[str, int] = field(default_factory=dict)
    cells: Cells | None = None
    next_segment: int = 1
    next_id: int = 0
    unfinished: list[str] = field(default_factory=list)  # commands that were interrupted, or are at work
    created: str = ""
    version: int = VERSION

    @property
    def crops(self) -> tuple[float, ...]:
        """The crops of its images; manifests of before 2026-11-26 do not say."""
        return tuple(self.weights.get("crops", WHOLE))

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Raises UserError when the folder is no index, is broken, or is of another version."""
        file = folder / "manifest.json"
        if not file.is_file():
            raise UserError("not an index (no manifest.json)", folder, f"Make one: {BUILDING}")
        content = read_json(file)
        if not isinstance(content, dict) or content.get("kind") != "repr.index":
            raise UserError("not the manifest of an index", file, f"Make one: {BUILDING}")
        version = content.get("version", 0)
        if version > VERSION:
            raise UserError(f"written by a newer version ({version} > {VERSION})", file, "Update the package")
        if version < VERSION:
            raise UserError(f"written by an older version ({version} < {VERSION})", file, "Delete the index and build it again")
        try:
            content.pop("kind")
            content["segments"] = [Segment(**s) for s in content["segments"]]
            content["cells"] = Cells(**content["cells"]) if content["cells"] else None
            return cls(**content)
        except (KeyError, TypeError) as error:
            raise UserError(f"a broken manifest ({error})", file, REMEDY) from None

    def write(self, folder: Path) -> None:
        write_json(folder / "manifest.json", {"kind": "repr.index", **asdict(self)})
