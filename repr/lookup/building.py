"""The beginning of an index: what is stored, by which weights, and whether an earlier build was interrupted and goes on."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from repr.catalog.sources import open_sources
from repr.catalog.table import Catalog
from repr.commands import command_line
from repr.crops import WHOLE, suffix, typed
from repr.errors import UserError
from repr.lookup import cache, lists, own
from repr.lookup.catalogs import command_of, common_root, from_anywhere, stored_part
from repr.lookup.info import recorded
from repr.lookup.schema import ENCODER, LEARNER
from repr.lookup.settings import AnswerSettings, SearchSettings
from repr.lookup.store import FILE, Store
from repr.lookup.weights import CROPS, WEIGHTS, made_with
from repr.models.leaks import leaks
from repr.models.weights import Weights, read_weights, write_weights
from repr.records import to_json

log = logging.getLogger(__name__)

BUILD = "repr index build"
OWN = (
    *(f"{FILE}{ending}" for ending in ("", "-wal", "-shm")),
    *(WEIGHTS, *cache.FILES, *lists.FILES, LEARNER, ENCODER, "milvus.json"),
)


@dataclass(frozen=True)
class Stock:
    """Which images an index takes in: sources, parts of their split ("train", "val", "test"; none: all but checkout scenes), a subset."""

    data: tuple[str, ...]
    parts: tuple[str, ...] = ()
    subset: str | None = None

    @classmethod
    def of(cls, data: str | Path | Sequence[str | Path], parts: Sequence[str] = (), subset: str | None = None) -> Stock:
        """From one path or several."""
        paths = [data] if isinstance(data, str | Path) else data
        return cls(tuple(str(path) for path in paths), tuple(parts), subset)

    def catalog(self) -> Catalog:
        """The images. Says what is left out; raises UserError when nothing is left, or no data are named."""
        if not self.data:
            raise UserError("no data are named", "", "Name with `data` what is to be stored", argument="data")
        catalog, left_out = stored_part(open_sources(self.data, subset=self.subset), self.parts)
        if left_out:
            log.info(left_out)
        return catalog

    def command(self) -> str:
        """The command that builds an index of these images, without its folder."""
        return command_of(BUILD, self.data, self.parts, self.subset)


@dataclass(frozen=True)
class Look:
    """How images are embedded: by which weights, and size and crops where not as those say."""

    weights: str | Path | Weights = "imagenet"
    size: int | None = None
    crops: tuple[float, ...] = ()

    def read(self) -> Weights:
        """The weights, as they say of themselves."""
        return self.weights if isinstance(self.weights, Weights) else read_weights(self.weights)

    def taken(self, *, cut_out: bool) -> Weights:
        """The weights at the size and crops to look through. cut_out: all images are cut out by boxes, fill what they are on, and need no
        closer look."""
        weights = self.read()
        return replace(weights, size=self.size or weights.size, crops=self.crops or weights.crops or (WHOLE if cut_out else CROPS))


@dataclass(frozen=True)
class Build:
    """What is asked of a new index: all that goes on with it after an interruption has to be the same.

    asked: who answers. prefix: whether products are known behind their source's name. root: what paths of images are relative to, by
    default the folder of the data, else the working folder. recall: share of the ten nearest that a search of many images is to find; 1 for
    the exact search. store: the address where vectors are searched, if not here.
    """

    stock: Stock
    look: Look = Look()
    asked: AnswerSettings = field(default_factory=AnswerSettings)
    prefix: bool = False
    root: Path | None = None
    recall: float = SearchSettings.recall
    store: str | None = None

    def settings(self) -> dict[str, object]:
        """What the index notes of it, and an interrupted build has to be asked for again."""
        return {"stock": self.stock.command(), "prefix": self.prefix, "recall": self.recall, "store": self.store}

    def command(self, folder: Path) -> str:
        """The command that goes on with it at `folder`, which is left out; what is not as by default is said."""
        weights, plain = self.look.weights, Build(self.stock)
        options = {
            "weights": str(folder.absolute() / WEIGHTS) if isinstance(weights, Weights) else from_anywhere(str(weights)),
            "size": self.look.size,
            "crops": typed(self.look.crops),
            "learner": self.asked.learner if self.asked.learner != plain.asked.learner else None,
            "accept": self.asked.accept if self.asked.accept != plain.asked.accept else None,
            "recall": self.recall if self.recall != plain.recall else None,
            **{"store": self.store, "prefix": self.prefix},
        }
        return self.stock.command() + command_line(BUILD, **options).removeprefix(BUILD)


def begin(folder: Path, build: Build) -> Catalog | None:
    """Make an empty index, or find the same one unfinished; returns the images that it is to hold, None where no data are named.

    Raises UserError when there is something else at `folder`.
    """
    build.asked.checked()
    stock, look = build.stock, build.look
    catalog = stock.catalog() if stock.data else None
    if (folder / FILE).is_file():
        _check_unfinished(folder, build, look.read())
        return catalog
    if folder.exists() and (not folder.is_dir() or any(file.name not in OWN and not _half(file) for file in folder.iterdir())):
        raise _there(folder)
    made = made_with(weights := look.taken(cut_out=catalog is not None and catalog.table.column("box").null_count == 0))
    start = build.root or (common_root(catalog) if catalog else Path.cwd())
    settings: dict[str, object] = {
        "name": uuid.uuid4().hex,
        "weights": made,
        "root": _noted(start),
        "synthetic": weights.synthetic or (catalog is not None and catalog.synthetic),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "unfinished": build.command(folder) if catalog is not None else "",
        "leaks": to_json(leaks([weights], catalog, "images stored at the build")) if catalog is not None else [],
    }
    write_weights(folder / WEIGHTS, weights)
    Store.create(folder, {**settings, **build.settings()}).close()
    return catalog


@contextmanager
def finish(folder: Path) -> Iterator[None]:
    """Note at its end that a build is done. One that stored not a single image is taken back."""
    try:
        yield
    except BaseException:
        with closing(Store(folder)) as store:
            empty = store.counts()[1] == 0
        if empty:
            take_back(folder)
        raise
    with closing(Store(folder)) as store, store.change("build") as change:
        change.settings({"unfinished": ""})


def _half(file: Path) -> bool:
    """Whether it is what `files.replacing` was writing when its process was killed."""
    return file.name.startswith(".") and ".part" in file.name


def take_back(folder: Path) -> None:
    """Delete an index that came to nothing, and its folder where nothing else is in it."""
    for name in OWN:
        (folder / name).unlink(missing_ok=True)
    kept = folder / own.FOLDER
    if kept.is_dir() and not any(kept.iterdir()):
        kept.rmdir()
    if not any(folder.iterdir()):
        folder.rmdir()


def _noted(root: Path) -> str:
    return str(root.expanduser().absolute())


def _check_unfinished(folder: Path, build: Build, weights: Weights) -> None:
    """Raise UserError unless the index at `folder` is one that the same command began and did not finish."""
    wanted, look = build.settings() | ({"root": _noted(build.root)} if build.root else {}), build.look
    with closing(Store(folder)) as store:
        begun, made = str(store.setting("unfinished") or ""), recorded(store)
        other = [name for name, value in wanted.items() if store.setting(name) != value]
    if not begun:
        raise _there(folder)
    if other:
        again = begun + command_line(BUILD, out=folder).removeprefix(BUILD)
        what = "of other images" if "stock" in other else f"that was begun with another {' and '.join(f'`{name}`' for name in other)}"
        raise UserError(f"an unfinished index {what}", folder, f"Give again: {again}; or delete it")
    crops = tuple(made["crops"])
    if look.size not in (None, made["size"]) or look.crops not in ((), crops):
        raise UserError(f"an unfinished index of {made['size']} px{suffix(crops)}", folder, "Leave `size` and `crops` out, or delete it")
    if weights.identity != made["identity"]:
        raise UserError(f"an unfinished index of the weights {made['name']} ({made['identity']})", folder, "Name those, or delete it")
    log.info(f"Going on with the unfinished index {folder}")


def _there(folder: Path) -> UserError:
    adding = command_line("repr index add", folder, data="DATA")
    return UserError("is there already", folder, f"Add to it with `{adding}`, delete it, or choose another `out`")
