"""Keeping an index: what is wrong with it, its backup and the way back, its content as a table, and what it says of itself."""

from __future__ import annotations

import shlex
import tarfile
import tempfile
import uuid
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from repr.errors import UserError
from repr.files import replacing
from repr.images.contents import file_digests
from repr.lookup import cache, own
from repr.lookup.info import AcceptInfo, Info, MadeWith, SearchInfo, recorded
from repr.lookup.lists import Calibrated
from repr.lookup.refused import Refused
from repr.lookup.remote import Remote
from repr.lookup.settled import Settled, settled_of
from repr.lookup.store import FILE, VERSION, Store
from repr.lookup.weights import WEIGHTS, own_file
from repr.models.weights import read_weights

NAMED = 5  # images of a kind that are named one by one
FORMATS = (".csv", ".parquet")


def problems(store: Store, folder: Path, file: Callable[[str], Path] | None, identity: str) -> list[str]:
    """What is wrong with an index, a sentence each. file: where an image is by its path, to compare the files too; None to leave that."""
    wrong = store.verify()
    with suppress(UserError):
        cache.load(folder, store, index=str(store.setting("name")), dim=recorded(store)["dim"])
    try:
        if read_weights(own_file(folder, identity)).identity != identity:
            wrong.append(f"{WEIGHTS} holds other weights than those the index was made with")
    except UserError as error:
        wrong.append(str(error))
    if file is None:
        return wrong
    try:
        images = list(store.images())
        contents = file_digests([file(image.path) for image in images])
    except UserError as error:
        return wrong if isinstance(error, Refused) else [*wrong, str(error)]  # what cannot be read is told by then
    gone = [image.path for image, content in zip(images, contents, strict=True) if content is None]
    other = [image.path for image, content in zip(images, contents, strict=True) if content not in (None, image.content)]
    return [*wrong, *_named(gone, "images are not there"), *_named(other, "images have changed since they were stored")]


def _named(paths: list[str], what: str) -> list[str]:
    more = ", …" if len(paths) > NAMED else ""
    return [f"{len(paths):,} {what}: {', '.join(paths[:NAMED])}{more}"] if paths else []


def backup(store: Store, folder: Path, file: Path) -> None:
    """Write index.db, the weights and the index's own images into a tar file, whole or not at all."""
    with own.standing(folder), replacing(file) as temporary, tempfile.TemporaryDirectory(dir=file.absolute().parent) as place:
        copy = Path(place) / FILE
        store.backup(copy)
        with tarfile.open(temporary, "w") as archive:
            archive.add(copy, FILE)
            archive.add(own_file(folder, recorded(store)["identity"]), WEIGHTS)
            for image in own.files(folder):
                if not image.name.startswith("."):  # being written just now
                    archive.add(image, f"{own.FOLDER}/{image.name}")


def restore(file: Path, folder: Path) -> None:
    """Unpack a backup to a folder that is not there yet. It gets a name of its own, so that no cache of before is taken for its, and
    notes that of the index it is of, whose vectors elsewhere may have outlived it (`repr.lookup.remote`).

    Raises UserError when something is there, and when the file is no backup.
    """
    if folder.exists():
        raise UserError("is there already", folder, "Choose another folder, or delete it")
    with replacing(folder) as temporary:
        try:
            with tarfile.open(file) as archive:
                if not {FILE, WEIGHTS} <= set(archive.getnames()):
                    raise UserError("not a backup of an index", file, "Give a file that `repr index backup` wrote")
                archive.extractall(temporary, filter="data")
        except FileNotFoundError:
            raise UserError("there is no such file", file, "Check the path") from None
        except tarfile.TarError as error:
            raise UserError(f"not a backup of an index ({error})", file, "Give a file that `repr index backup` wrote") from None
        try:
            with closing(Store(temporary)) as store, store.change("restore") as change:
                change.settings({"name": uuid.uuid4().hex, "restored": store.setting("name")})
        except UserError as error:
            raise UserError(f"a backup that cannot be used: {error.message}", file, error.remedy) from None


def export(store: Store, file: Path, dim: int) -> int:
    """Write a row an image: id, product, name, barcode, category, image, box, content; in Parquet with its features. Returns how many."""
    if file.suffix.lower() not in FORMATS:
        raise UserError(f"no format {file.suffix!r}", file, f"End it with {' or '.join(FORMATS)}")
    with store.reading():
        images, products = list(store.images()), {product.id: product for product in store.products().values()}
        parts = [part for _, part in store.features(dim=dim)] if file.suffix.lower() == ".parquet" else []
    of = [products[image.product] for image in images]
    columns: dict[str, list[object]] = {
        "id": [image.id for image in images],
        "product": [image.product for image in images],
        "name": [product.name for product in of],
        "barcode": [product.barcode for product in of],
        "category": [" > ".join(product.category) for product in of],
        "image": [image.path for image in images],
        "box": [" ".join(str(number).removesuffix(".0") for number in image.box) if image.box else None for image in images],
        "content": [image.content.hex() for image in images],
    }
    schema = pa.schema([(name, pa.int64() if name == "id" else pa.string()) for name in columns])
    table = pa.table(columns, schema=schema)
    with replacing(file) as temporary:
        if file.suffix.lower() == ".csv":
            pa_csv.write_csv(table, temporary)
        else:
            rows = pa.chunked_array([pa.FixedSizeListArray.from_arrays(part.ravel(), dim) for part in parts], pa.list_(pa.float32(), dim))
            pq.write_table(table.append_column("features", rows), temporary, compression="zstd")
    return len(images)


def search_info(chosen: Calibrated | Remote | None, dim: int, *, outgrown: bool) -> SearchInfo:
    """How vectors of `dim` numbers are searched. chosen: None for exactly. outgrown: it should be chosen anew."""
    search: SearchInfo = {
        **{"kind": "exact", "recall_at_10": 1.0, "lists": None, "probes": None, "queries_a_second": None},  # type: ignore[typeddict-item]
        "bytes_a_vector": 4.0 * dim,
        "outgrown": outgrown,
    }
    if isinstance(chosen, Remote):
        search |= {"kind": "milvus", "recall_at_10": chosen.state.recall_at_10}
    elif chosen is not None:
        of = chosen.state.chosen
        search |= {"kind": of.kind, "recall_at_10": of.recall_at_10, "lists": of.lists or None, "probes": of.probes or None}
        search |= {"queries_a_second": of.queries_a_second, "bytes_a_vector": of.bytes_a_vector}
    return search


def info(store: Store, folder: Path, made: MadeWith, search: SearchInfo) -> Info:
    """What an index holds and was made with."""
    products, images = store.counts()
    settled, begun = settled_of(store), str(store.setting("unfinished") or "")
    changes = [
        {"revision": revision, "at": at, "who": who, "what": what, "counts": counts} for revision, at, who, what, counts in store.history(5)
    ]
    return {
        "images": images,
        "products": products,
        "revision": store.revision,
        "search": search,
        "learner": settled.learner,
        "accept": accept_of(settled),
        "trials": [asdict(trial) for trial in settled.trials],  # type: ignore[misc]
        "outgrown": settled.outgrown(images, products),
        "weights": made,
        "leaks": store.setting("leaks") or [],  # type: ignore[typeddict-item]
        "root": str(store.setting("root")),
        "bytes": sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()),
        "complete": not begun,
        "unfinished": [f"{begun} --out {shlex.quote(str(folder))}"] if begun else [],
        "created": str(store.setting("created")),
        "synthetic": bool(store.setting("synthetic")),
        "version": VERSION,
        "changes": changes,  # type: ignore[typeddict-item]
    }


def accept_of(settled: Settled) -> AcceptInfo | None:
    """From where on a photograph is unknown, and what that costs."""
    gate = settled.gate
    if gate is None:
        return None
    return {"threshold": gate.threshold, "known_rejected": gate.known_rejected, "strangers_accepted": gate.strangers_accepted}
