"""Vectors and their search in Milvus, where one machine is outgrown: beside index.db, which stays the truth, like the caches of others.

    remote = Remote.open("milvus://host:19530", index, dim=512, recall=0.95)
    remote.follow(store, folder, rows)     # what came and went since, by image's id; all of it where nothing is there
    scores, rows = remote.search(matrix, queries, k)

An address of a host is a server's; of an absolute path, milvus:///data/shop.db, a file's, which Milvus Lite keeps. A token is read from
MILVUS_TOKEN. A recall of 1 searches exactly (FLAT), less by what Milvus chooses (AUTOINDEX), measured when it is filled.
"""

from __future__ import annotations

import json
import logging
import os
import platform
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from repr.arrays import Floats, Ints
from repr.errors import UserError
from repr.files import replacing
from repr.lookup.cache import Matrix
from repr.lookup.matches import END, GONE
from repr.lookup.refused import Refused
from repr.lookup.store import FILE, Store
from repr.search.exact import top_k
from repr.vectors import normalised

log = logging.getLogger(__name__)

SCHEME = "milvus://"
STATE = "milvus.json"
PREFIX = "repr_"  # of a collection, before the name of its index
BATCH = 1000  # vectors sent at a time: of 512 numbers 2 MB, a message may have 64
MOST = 16_384  # hits that Milvus gives at most
QUERIES = 100  # that measure the recall


@dataclass(frozen=True)
class State:
    """What milvus.json says: the collection holds images up to `last`, as of a revision; the recall@10 that was measured."""

    collection: str
    address: str
    last: int = 0
    revision: int = 0
    recall_at_10: float = 1.0


class Remote:
    """A collection of one index, and its state."""

    def __init__(self, client: Any, state: State, dim: int, *, exact: bool) -> None:
        """As `open`."""
        self.client, self.state, self.dim, self.exact = client, state, dim, exact

    @classmethod
    def open(cls, address: str, index: str, *, dim: int, recall: float) -> Remote:
        """Connect. Raises UserError when Milvus does not answer, pymilvus is not installed, or the address is none."""
        uri = checked_address(address).removeprefix(SCHEME)
        try:
            from pymilvus import MilvusClient
        except ImportError:
            remedy = "Install it with `pip install 'product-repr[milvus]'`"
            raise UserError("Milvus needs the package pymilvus", "", remedy, argument="store") from None
        with _answering(address):
            client = MilvusClient(uri if uri.startswith("/") else f"http://{uri}", token=os.environ.get("MILVUS_TOKEN", ""))
        return cls(client, State(f"{PREFIX}{index}", address), dim, exact=recall >= 1)

    def follow(self, store: Store, folder: Path) -> None:
        """Bring the collection to what the store has. Raises UserError when Milvus does not answer; the same call then goes on."""
        with store.reading(), _answering(self.state.address):
            self._follow(store, folder)

    def _follow(self, store: Store, folder: Path) -> None:
        revision = store.revision
        if not self.state.revision:
            self._take_up(_read(folder))
        there = bool(self.client.has_collection(self.state.collection))
        if self.state.revision == revision and there:
            return
        if not there or self.state.revision > revision:
            self._anew(folder)
            self._drop_orphan(str(store.setting("restored") or ""))
        for ids, features in store.features(above=self.state.last, dim=self.dim):
            vectors = normalised(features)
            for start in range(0, len(ids), BATCH):
                part = zip(ids[start : start + BATCH].tolist(), vectors[start : start + BATCH], strict=True)
                self.client.upsert(self.state.collection, [{"id": id_, "vector": vector.tolist()} for id_, vector in part])
            self.state = replace(self.state, last=int(ids[-1]))
        if gone := store.removed(since=self.state.revision):
            self.client.delete(self.state.collection, ids=gone)
        self.state = replace(self.state, revision=revision)
        self._write(folder)

    def _drop_orphan(self, name: str) -> None:
        """Drop the collection of the index that this one is a backup of, by that one's name, where it has surely gone: from this machine.

        It is not for this one to go on with: the other may have got images since.
        """
        collection = f"{PREFIX}{name}"
        if not name or not self.client.has_collection(collection):
            return
        machine, _, folder = str(self.client.describe_collection(collection).get("description", "")).partition(":")
        if machine == platform.node() and _gone(Path(folder), name):
            self.client.drop_collection(collection)
        else:
            log.warning(
                f"Milvus still has the collection {collection} of the index that was backed up; drop it there if that index is gone"
            )

    def _take_up(self, before: State | None) -> None:
        """Go on with what the folder knows of this collection. One of its earlier weights, which nobody asks any more, is dropped."""
        if before is None or before.address != self.state.address:
            return
        if before.collection == self.state.collection:
            self.state = before
        elif self.client.has_collection(before.collection):
            self.client.drop_collection(before.collection)

    def search(self, matrix: Matrix, queries: Floats, k: int) -> tuple[Floats, Ints]:
        """Cosines and rows of the matrix (q, k), best first; `matches.END` where there is no more, GONE for what the matrix has not."""
        rows = np.full((len(queries), k), END, np.int64)
        scores = np.full((len(queries), k), -np.inf, np.float32)
        with _answering(self.state.address):
            answers = self.client.search(
                self.state.collection,
                [query.tolist() for query in queries],
                limit=min(k, MOST),
                search_params={"metric_type": "IP"},
                consistency_level="Strong",
            )
        for row, hits in enumerate(answers):
            ids = np.array([hit["id"] for hit in hits], np.int64)
            places = np.minimum(np.searchsorted(matrix.ids, ids), max(len(matrix) - 1, 0))
            rows[row, : len(ids)] = np.where(matrix.ids[places] == ids, places, GONE) if len(ids) else ids
            scores[row, : len(ids)] = [hit["distance"] for hit in hits]
        return scores, rows

    def measure(self, store: Store, matrix: Matrix, folder: Path) -> None:
        """Measure recall@10 against the exact search on some of the stored vectors, and keep it."""
        if self.exact or not len(matrix):
            return
        own = np.sort(np.random.default_rng(0).permutation(np.flatnonzero(matrix.alive))[:QUERIES])
        queries = matrix.rows(own)
        scores, best = np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int64)
        for ids, features in store.features(dim=self.dim):
            part, places = top_k(queries, normalised(features), 10)
            scores, best = np.concatenate([scores, part], axis=1), np.concatenate([best, ids[places]], axis=1)
            order = np.argsort(-scores, axis=1, kind="stable")[:, :10]
            scores, best = np.take_along_axis(scores, order, 1), np.take_along_axis(best, order, 1)
        hit_ids = matrix.ids[self.search(matrix, queries, best.shape[1])[1]]
        shares = [len(np.intersect1d(some, exact)) / len(exact) for some, exact in zip(hit_ids, best, strict=True)]
        self.state = replace(self.state, recall_at_10=float(np.mean(shares)))
        self._write(folder)

    def _anew(self, folder: Path) -> None:
        """An empty collection. It says where its index is."""
        from pymilvus import DataType

        name = self.state.collection
        if self.client.has_collection(name):
            self.client.drop_collection(name)
        schema = self.client.create_schema(auto_id=False, enable_dynamic_field=False, description=f"{platform.node()}:{folder.absolute()}")
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=self.dim)
        kinds = self.client.prepare_index_params()
        kinds.add_index("vector", index_type="FLAT" if self.exact else "AUTOINDEX", metric_type="IP")
        self.client.create_collection(name, schema=schema, index_params=kinds, consistency_level="Strong")
        self.state = State(name, self.state.address)

    def _write(self, folder: Path) -> None:
        with suppress(OSError), replacing(folder / STATE) as temporary:  # a read-only folder: all is sent again next time
            temporary.write_text(json.dumps(asdict(self.state)), encoding="utf-8")


def checked_address(address: str) -> str:
    """The address of a Milvus. Raises UserError when it is none."""
    if not address.startswith(SCHEME) or address == SCHEME:
        raise UserError(f"no store {address!r}", "", "Give milvus://HOST:PORT, or milvus:///FILE.db for Milvus Lite", argument="store")
    return address


def _gone(folder: Path, name: str) -> bool:
    """Whether the index of this name has left its place for sure: one that is busy or damaged, or whose disk is away, has not."""
    if not (folder / FILE).is_file():
        return folder.parent.is_dir()
    with suppress(UserError), closing(Store(folder)) as store:
        return store.setting("name") != name
    return False


def _read(folder: Path) -> State | None:
    """What the folder knows of a collection, if anything."""
    with suppress(OSError, ValueError, TypeError):
        return State(**json.loads((folder / STATE).read_text(encoding="utf-8")))
    return None


@contextmanager
def _answering(address: str) -> Iterator[None]:
    """Turn what pymilvus raises into words."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # pymilvus', grpc's and its lite server's have no base of their own
        text = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        remedy = "Start it, or check the address; then give the command again: it goes on"
        raise Refused("away", f"Milvus does not answer ({text})", address, remedy) from None
