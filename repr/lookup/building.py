"""From data to an index: what is stored of them, by which weights, and going on where an earlier build was interrupted."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from repr.catalog.sources import open_sources
from repr.catalog.table import Catalog
from repr.crops import WHOLE, suffix
from repr.errors import UserError
from repr.lookup.catalogs import Added, add_catalog, command_of, common_root, stored_part
from repr.lookup.index import ADD, BUILD, ZOOMS, Index
from repr.models.weights import Weights, load_encoder, read_weights
from repr.search.ivf import check_enough

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stock:
    """Which images an index takes in: sources, parts of their split ("train", "val", "test"; none: all but checkout scenes), a subset."""

    data: tuple[str, ...]
    parts: tuple[str, ...] = ()
    subset: str | None = None

    def catalog(self) -> Catalog:
        """The images. Says what is left out; raises UserError when nothing is left."""
        catalog, left_out = stored_part(open_sources(self.data, default="rpc", subset=self.subset), self.parts)
        if left_out:
            log.info(left_out)
        return catalog

    def command(self, what: str) -> str:
        """The command `what` that stores these images, without its index."""
        return command_of(what, self.data, self.parts, self.subset)


@dataclass(frozen=True)
class Look:
    """How images are embedded: by which weights (imagenet when none are named), and size and crops where not as those say."""

    weights: str | None = None
    size: int | None = None
    crops: tuple[float, ...] = ()


def build(
    folder: Path, stock: Stock, look: Look, *, cells_seed: int | None = None, device: str = "auto", workers: int | None = None
) -> tuple[Index, Added]:
    """Embed and store every image of `stock` in a new index, or go on with the same build that was interrupted.

    cells_seed: search by cells, whose centres are drawn by this seed; None for the exact search. Raises UserError when `folder` holds
    another index, and for data or weights that cannot be read.
    """
    if look.weights is None:
        log.info("No weights named: using imagenet (EfficientNet-Lite0 as trained on ImageNet).")
    catalog, command = stock.catalog(), stock.command(BUILD)
    if cells_seed is not None:
        check_enough(len(catalog))
    weights = read_weights(look.weights or "imagenet")
    index = unfinished(folder, command, look)
    if index is not None:
        weights = replace(weights, size=index.manifest.weights["size"], crops=index.manifest.crops)
    else:
        weights = _looking(weights, look, catalog)
    encoder = load_encoder(weights)
    index = index or Index.create(folder, weights, dim=encoder.dim, root=common_root(catalog), synthetic=catalog.synthetic)
    added = add_catalog(index, catalog, encoder, command=command, device=device, workers=workers)
    if cells_seed is not None:
        cells = index.build_cells(np.random.default_rng(cells_seed))
        log.info(f"{cells.nlist} cells, {cells.nprobe} searched: recall@10 against the exact search {cells.recall_at_10:.1%}")
    index.end(command)
    return index, added


def add(folder: Path, stock: Stock, *, weights: str | None = None, device: str = "auto", workers: int | None = None) -> tuple[Index, Added]:
    """Store the images of `stock` that the index does not hold yet. weights: only to make sure, see `check_weights`.

    Raises UserError where no data are named: what is added to an index is said each time.
    """
    if not stock.data:
        raise UserError("no data are named", "", "Name with `data` what is to be added", argument="data")
    index = Index.open(folder)
    check_weights(index, weights)
    catalog, command = stock.catalog(), stock.command(ADD)
    added = add_catalog(index, catalog, index.encoder(device), command=command, device=device, workers=workers)
    index.end(command)
    return index, added


def check_weights(index: Index, weights: str | None) -> None:
    """Raise UserError when the index was made with other weights than these; None for whatever it was made with."""
    if weights is not None:
        given = read_weights(weights)
        index.check(given.identity, given.name)


def unfinished(folder: Path, command: str, look: Look) -> Index | None:
    """The index at `folder` when an earlier build of it by the same command was interrupted, else None.

    Raises UserError when that was of other images, or of another size or other crops than were asked for.
    """
    if not (folder / "manifest.json").is_file():
        return None
    index = Index.open(folder)
    builds = [begun for begun in index.info()["unfinished"] if begun.startswith(BUILD)]
    if not builds:
        return None
    if command not in index.manifest.unfinished:
        raise UserError("an unfinished index of other images", folder, f"Give again: {builds[0]}; or delete it")
    begun = index.manifest.weights["size"], index.manifest.crops
    if look.size not in (None, begun[0]) or look.crops not in ((), begun[1]):
        raise UserError(f"an unfinished index of {begun[0]} px{suffix(begun[1])}", folder, "Leave `size` and `crops` out, or delete it")
    log.info(f"Going on with the unfinished index {folder}")
    return index


def _looking(weights: Weights, look: Look, catalog: Catalog) -> Weights:
    """The weights at the size and crops to look through. Products that boxes cut out fill their images, and need no closer look."""
    cut_out = catalog.table.column("box").null_count == 0
    return replace(weights, size=look.size or weights.size, crops=look.crops or weights.crops or (WHOLE if cut_out else ZOOMS))


def described(index: Index) -> list[str]:
    """What the index holds and was made with, a line each."""
    content = index.info()
    weights, cells = content["weights"], content["cells"]
    by_cells = f"by cells: {cells['nprobe']} of {cells['nlist']}, recall@10 {cells['recall_at_10']:.1%}" if cells else ""
    removed = f" ({content['removed_images']} removed)" if content["removed_images"] else ""
    synthetic = " - synthetic: not real products" if content["synthetic"] else ""
    crops = suffix(weights.get("crops", WHOLE))
    return [
        f"{content['products']} products in {content['images']} images{removed}{synthetic}",
        f"weights  {weights['name']} ({weights['arch']}, {weights['size']} px{crops}, {weights['identity']})",
        f"search   {by_cells or 'exact'}",
        f"root     {content['root']}",
        f"size     {content['bytes'] / 2**20:.1f} MiB in {content['segments']} segments",
        *(f"UNFINISHED, or still at work: {command}" for command in content["unfinished"]),
    ]
