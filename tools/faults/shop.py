"""A shop whose every state is known: what is done to its index, what it must hold then, and whether it does.

Images are bytes told by a number, and features come from a hash of weights and bytes, so that a step takes milliseconds.
"""

from __future__ import annotations

import hashlib
import json
import random
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from repr.embedding.embedder import Embedder
from repr.embedding.embeddings import Embeddings
from repr.errors import UserError
from repr.files import replacing
from repr.lookup import building, cache, filling, index, keeping, lists, opened, reindex
from repr.lookup.index import Index
from repr.lookup.info import MadeWith
from repr.lookup.own import place
from repr.models.provenance import Provenance
from repr.models.weights import Weights
from repr.search import calibrated
from repr.vectors import normalised

DIM = 512
PIECE = 3  # images a transaction
State = dict[str, set[int]]  # products and the numbers of their images
Step = dict[str, Any]  # as JSON: {"do": "add", "product": …}
ATOMIC = ("add", "remove", "rename", "search", "compact")  # all or nothing; others go on by pieces


def bytes_of(number: int) -> bytes:
    """A PNG of one pixel, so that a service takes it; no decoder is asked about it."""
    header, pixel = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0), zlib.compress(b"\0" + number.to_bytes(3, "big"))
    parts = [(b"IHDR", header), (b"IDAT", pixel), (b"IEND", b"")]
    chunks = [struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


NUMBERS = {hashlib.sha256(bytes_of(number)).digest(): number for number in range(4000)}


def features_of(identity: str, content: bytes) -> np.ndarray[Any, Any]:
    """(DIM,) float32, by weights and image."""
    seed = int.from_bytes(hashlib.sha256(identity.encode() + content).digest()[:8], "big")
    return np.random.default_rng(seed).standard_normal(DIM, dtype=np.float32)


@dataclass
class Hashing:
    """In the place of an embedder."""

    identity: str

    def images(self, images: list[Any], boxes: object = None) -> Embeddings:
        """As an embedder's."""
        contents = [Path(image).read_bytes() if isinstance(image, str | Path) else bytes(image) for image in images]
        features = np.array([features_of(self.identity, one) for one in contents], np.float32).reshape(len(images), DIM)
        return Embeddings(normalised(features), np.linalg.norm(features, axis=1).astype(np.float32), np.arange(len(images)))


def prepare() -> tuple[Weights, Weights]:
    """Replace embedder, weights' files and sizes in this process and its children; returns two weights."""
    both = [Weights({"x": torch.tensor([number])}, "resnet18", 32, provenance=Provenance(), name=f"w{number}") for number in (0, 1)]

    def write(path: Path, weights: Weights) -> None:
        with replacing(path) as temporary:
            temporary.write_text(weights.identity)

    def read(path: Path) -> Weights:
        return next(one for one in both if one.identity == path.read_text())

    building.write_weights = reindex.write_weights = write  # type: ignore[attr-defined]
    keeping.read_weights = read  # type: ignore[attr-defined, assignment]

    def made_ready(folder: Path, made: MadeWith, **machine: object) -> Embedder:
        return cast(Embedder, Hashing(made["identity"]))

    for module in (index, opened, reindex):
        module.made_ready = made_ready  # type: ignore[attr-defined]
    filling.PIECE = reindex.PIECE = PIECE  # type: ignore[attr-defined]
    cache.TAIL = 2
    calibrated.EXACT, calibrated.FEWEST, calibrated.WORTH = 0, 40, 0.0
    calibrated._cheaper = lambda one, other: other.kind == "exact"
    lists.QUERIES = calibrated.QUERIES = 40
    return both[0], both[1]


def folder_of(generator: random.Random, products: int) -> dict[str, list[int]]:
    """Products and the numbers of up to nine images of each."""
    return {f"p{n}": sorted({generator.randrange(400) for _ in range(generator.randint(1, 9))}) for n in range(products)}


def merged(one: dict[str, list[int]], other: dict[str, list[int]]) -> dict[str, list[int]]:
    """All images of both folders."""
    return {product: sorted({*one.get(product, ()), *other.get(product, ())}) for product in sorted({*one, *other})}


@dataclass
class Shop:
    """An index in `place`, what it must hold, and its folder of images. weights: two that it is switched between."""

    place: Path
    weights: tuple[Weights, Weights]
    state: State = field(default_factory=dict)
    made: int = 0
    folder: dict[str, list[int]] = field(default_factory=dict)  # what lies in `data`

    @property
    def index(self) -> Path:
        """Its folder."""
        return self.place / "shop.index"

    @property
    def data(self) -> Path:
        """The folder of images."""
        return self.place / "data"

    @property
    def photos(self) -> Path:
        """Images that are added one by one: `sync` takes them out again, as it would not those that only the index has."""
        return self.place / "photos"

    @property
    def built(self) -> bool:
        """Whether there is an index, finished or not."""
        return (self.index / "index.db").is_file()

    def draw(self, generator: random.Random) -> Step:
        """A step that can be done now."""
        new = [generator.randrange(len(NUMBERS)) for _ in range(generator.randint(1, PIECE))]
        products = sorted(self.state) or ["p0"]
        kinds = ["add", "add", "add", "remove", "rename", "sync", "take", "reindex", "compact", "search", "search"]
        kind = generator.choice(kinds)
        if not self.state and kind in ("remove", "rename", "reindex"):
            kind = "add"
        if kind == "add":
            return {"do": "add", "product": f"p{generator.randrange(12)}", "images": new}
        if kind == "remove":
            return {"do": "remove", "products": generator.sample(products, min(len(products), generator.randint(1, 2)))}
        if kind == "rename":
            return {"do": "rename", "old": generator.choice(products), "new": f"r{generator.randrange(10**6)}"}
        if kind in ("sync", "take"):
            folder = folder_of(generator, generator.randint(3, 8))
            return {"do": kind, "folder": folder if kind == "sync" else merged(self.folder, folder)}
        return {"do": kind, **({"weights": 1 - self.made} if kind == "reindex" else {})}

    def after(self, step: Step) -> State:
        """What the index holds when the step is done."""
        state = {product: set(numbers) for product, numbers in self.state.items()}
        match step["do"]:
            case "add":
                state[step["product"]] = state.get(step["product"], set()) | set(step["images"])
            case "remove":
                state = {product: numbers for product, numbers in state.items() if product not in step["products"]}
            case "rename":
                state[step["new"]] = state.pop(step["old"])
            case "sync" | "build":
                state = {product: set(numbers) for product, numbers in step["folder"].items()}
            case "take":
                for product, numbers in step["folder"].items():
                    state[product] = state.get(product, set()) | set(numbers)
        return state

    def settle(self, step: Step) -> None:
        """Take note that a step is done."""
        self.state = self.after(step)
        if step["do"] == "reindex":
            self.made = step["weights"]
        if step["do"] == "build":
            self.made = 0

    def spread(self, step: Step) -> None:
        """Lay the step's images into the folder."""
        self.folder = step.get("folder", self.folder)
        self.photos.mkdir(exist_ok=True)
        for number in step.get("images", ()):
            (self.photos / f"{number}.png").write_bytes(bytes_of(number))
        for product, numbers in step.get("folder", {}).items():
            (self.data / product).mkdir(parents=True, exist_ok=True)
            for number in numbers:
                (self.data / product / f"{number}.jpg").write_bytes(bytes_of(number))
        for file in self.data.glob("*/*.jpg") if "folder" in step else ():
            if int(file.stem) not in step["folder"].get(file.parent.name, ()):
                file.unlink()
        for folder in self.data.glob("*"):
            if not any(folder.iterdir()):
                folder.rmdir()

    def do(self, step: Step) -> None:
        """Do it, as a program would; the folder is laid out before."""
        if step["do"] == "build":
            Index.create(self.index, weights=self.weights[0], data=self.data, crops=[1], device="cpu", learner="neighbour").close()
            return
        shop = Index.open(self.index, device="cpu")
        run: dict[str, Callable[[], object]] = {
            "add": lambda: shop.add(step["product"], [self.photos / f"{number}.png" for number in step["images"]]),
            "remove": lambda: shop.remove(step["products"]),
            "rename": lambda: shop.rename(step["old"], step["new"]),
            "sync": lambda: shop.sync(self.data),
            "take": lambda: self._take(shop),
            "reindex": lambda: shop.reindex(self.weights[step["weights"]], crops=[1]),
            "compact": shop.compact,
            "search": lambda: shop.search(features_of("any", b"thing")[None], k=5),
        }
        run[step["do"]]()
        shop.close()

    def _take(self, shop: Index) -> None:
        from repr.lookup.building import Stock

        shop.add_catalog(Stock.of(self.data).catalog())

    def check(self, step: Step | None = None) -> str:
        """What is wrong, "" for nothing, when all steps but perhaps `step` were done: opened as it is, nothing repaired."""
        try:
            shop = Index.open(self.index, device="cpu")
        except UserError as error:
            return f"cannot be opened: {error}"
        try:
            return self._wrong(shop, step)
        except UserError as error:
            return f"cannot be read: {error}"
        finally:
            shop.close()

    def _wrong(self, shop: Index, step: Step | None) -> str:
        stored: State = {product.id: set() for product in shop.store.products().values()}
        for image in shop.store.images():
            stored[image.product].add(NUMBERS[image.content])
        before, after = self.state, self.after(step) if step else self.state
        if step and step["do"] not in ATOMIC:
            pairs = [{(product, number) for product, numbers in state.items() for number in numbers} for state in (before, after, stored)]
            if not pairs[0] & pairs[1] <= pairs[2] <= pairs[0] | pairs[1]:
                return "images are neither as before nor as after"
        elif stored not in (before, after):
            return f"holds {stored}, not {before} or {after}"
        if problems := [*shop.verify(images=False), *lost(shop)]:
            return "; ".join(problems)
        identity = shop.weights["identity"]
        allowed = {self.weights[self.made].identity, *([self.weights[step["weights"]].identity] if step and "weights" in step else [])}
        if identity not in allowed:
            return "is of weights that it was not given"
        features, products, ids = shop.gallery()
        expected = {image.id: features_of(identity, bytes_of(NUMBERS[image.content])) for image in shop.store.images()}
        if any(not np.allclose(row, expected[id_], rtol=1e-5) for row, id_ in zip(features, ids.tolist(), strict=True)):
            return "features are not of its weights and images"
        for row in list(range(len(ids)))[:: max(1, len(ids) // 4)]:
            match = shop.search(normalised(features[row : row + 1]), k=1)[0][0]
            if match.score < 0.9999:
                return f"a stored image of {products[row]} is not found: {match}"
        return ""


def lost(shop: Index) -> list[str]:
    """Images that the index keeps itself and has no whole file of."""
    own = [(image, file) for image in shop.store.images() if (file := place(shop.folder, image.path)) is not None]
    return [f"{image.path} is not there" for image, file in own if not file.is_file() or digest(file) != image.content]


def digest(file: Path) -> bytes:
    """SHA-256 of a file."""
    return hashlib.sha256(file.read_bytes()).digest()


def words(step: Step) -> str:
    """As a line of a log."""
    return json.dumps(step)
