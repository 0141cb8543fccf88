"""The index: a folder that finds the stored products most like a photograph.

index.db                       the truth: products, images, their features, settings, a log of every change (`repr.lookup.store`)
weights.safetensors            a copy of the weights
images/                        photographs that were given as pixels or bytes, and so lie nowhere else
vectors.f32, ids.i64, cache.*  what is searched, made again from index.db when it is missing (`repr.lookup.cache`)
search.faiss, search.json      the same of many images, which are not searched one by one (`repr.lookup.lists`)
learner.safetensors            what the learner that answers knows, made again likewise (`repr.lookup.answering`)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast, overload

from repr.arrays import Floats, Ints
from repr.catalog.names import as_name, normal
from repr.catalog.table import Catalog
from repr.embedding.embeddings import Embeddings, NoneReadable
from repr.errors import UserError, nearest
from repr.images.reader import ImageLike, name_of
from repr.lookup import answering, building, cache, keeping, lists, own, reindex, uploads
from repr.lookup.answering import Answering
from repr.lookup.building import Build, Look, Stock
from repr.lookup.catalogs import check_opened, incoming_of
from repr.lookup.checking import Checked, Given, check_store
from repr.lookup.filling import Changes, fill
from repr.lookup.info import Info
from repr.lookup.matches import Answer, Match, hits
from repr.lookup.opened import Opened, made_ready
from repr.lookup.plan import Incoming
from repr.lookup.products import checked_id
from repr.lookup.remote import Remote, checked_address
from repr.lookup.replies import boxes_of, matches_of_answer, matches_of_hits, with_chances
from repr.lookup.settings import AnswerSettings, SearchSettings
from repr.lookup.settled import Settled
from repr.lookup.settling import settle_if_outgrown, settle_store
from repr.lookup.store import Product
from repr.models.weights import Weights
from repr.search.calibrated import is_fast_exact
from repr.shared import Writing
from repr.vectors import check_finite, normalised

Chosen = lists.Calibrated | Remote


class Index(Opened):
    """An index folder, opened. Many threads and processes may read it while one writes; each sees a change when it is committed."""

    def _forget(self) -> None:
        self._matrix: cache.Matrix | None = None
        self._lists: lists.Calibrated | None = None
        self._remote: Remote | None = None
        self._answering = Answering(self.folder, self.name, self.weights["identity"])

    def __repr__(self) -> str:
        products, images = self.store.counts()
        made = self.weights
        return f"<Index {str(self.folder)!r}: {products:,} products in {images:,} images, {made['name']} at {made['size']} px>"

    @classmethod
    def create(
        cls,
        folder: str | Path,
        *,
        weights: str | Path | Weights = "imagenet",
        data: str | Path | Sequence[str | Path] = (),
        parts: Sequence[str] = (),
        subset: str | None = None,
        size: int | None = None,
        crops: Sequence[float] = (),
        root: str | Path | None = None,
        learner: str = AnswerSettings.learner,
        accept: float = AnswerSettings.accept,
        recall: float = SearchSettings.recall,
        store: str | None = None,
        prefix: bool = False,
        device: str = "auto",
        workers: int | None = None,
        wait: float = Writing.wait,
    ) -> Index:
        """A new index that holds the images of `data`, or none; or go on with the same one that was interrupted.

        weights: as for `repr.load`; kept as a copy. data, parts, subset: what to store (`Stock`). size, crops: how the index looks at
        images, if not as the weights say. root: what paths of images are relative to, by default the folder of the data, else the working
        folder. learner, accept: as for `settle`. recall: share of the ten nearest that a search of many images is to find, 1 for the exact
        search. store: where vectors are searched, "milvus://HOST:PORT", if not here. prefix: as for `add_catalog`. Others as for `open`.
        Raises UserError when there is another index at `folder`, for data or weights that cannot be read, and when no image can be.
        """
        look, wanted = Look(weights, size, tuple(crops)), AnswerSettings(learner=learner, accept=accept)
        build = Build(Stock.of(data, parts, subset), look, wanted, prefix, None if root is None else Path(root), recall, store)
        return cls.build(folder, build, device=device, workers=workers, wait=wait)[0]

    @classmethod
    def build(
        cls, folder: str | Path, build: Build, *, device: str = "auto", workers: int | None = None, wait: float = Writing.wait
    ) -> tuple[Index, Changes]:
        """The same of what stands in `build`, and what was stored."""
        if build.store:
            checked_address(build.store)
        catalog, changes = building.begin(Path(folder), build), Changes()
        index = cls(Path(folder), device=device, workers=workers, wait=wait)
        with building.finish(index.folder):
            if catalog is not None:
                changes = index.add_catalog(catalog, prefix=build.prefix, what="build")
            index.settle(build.asked.learner, build.asked.accept)
        return index, changes

    @classmethod
    def open(cls, folder: str | Path, *, device: str = "auto", workers: int | None = None, wait: float = Writing.wait) -> Index:
        """Open an index folder; weights and vectors are read when they are first needed, and kept.

        device: where images are embedded: "auto", "cpu", "cuda" or "cuda:N". workers: threads that decode, default one a core. wait:
        seconds that a change waits for another. Raises UserError when it is not one.
        """
        return cls(Path(folder), device=device, workers=workers, wait=wait)

    # -- change

    def add(
        self,
        product: str,
        images: ImageLike | Sequence[ImageLike],
        *,
        name: str | None = None,
        barcode: str | None = None,
        category: Sequence[str] = (),
        settle: bool = True,
    ) -> Changes:
        """Store images of one product, which need not be there yet. What it has already is left as it is, or gets its new path.

        images: paths, which are looked at where they are; or bytes, Pillow's images, (h, w, 3) uint8 pixels, which are kept in the
        folder. settle: False where the caller sees to `settle_if_outgrown`. Raises UserError as `checked_id`, and when none can be read.
        """
        product = checked_id(product)
        several = isinstance(images, Sequence) and not isinstance(images, str | bytes)
        given = cast("Sequence[ImageLike]", images if several else [images])
        incoming = [uploads.incoming(product, image, self.folder, self.root) for image in given]
        products = {product: Product(product, name, barcode, tuple(category))}
        return self._fill(incoming, products, what="add", where=product, of=product, settle=settle)

    def add_catalog(self, catalog: Catalog, *, prefix: bool = False, what: str = "add") -> Changes:
        """Store the catalog's images. What is stored is left as it is, replaced where its file has changed, or gets its new path.

        A product is known by its own id, whatever else is added with it; prefix: behind its source's name and a colon. Committed
        every few hundred images: the same call goes on after an interruption. Raises UserError when no image can be read, and as `own_ids`.
        """
        incoming, products = incoming_of(catalog, self.root, prefix=prefix)
        return self._fill(incoming, products, what=what, where=catalog.name, settle=what != "build")

    def sync(self, data: str | Path | Sequence[str | Path] | Stock, *, dry_run: bool = False, prefix: bool = False) -> Changes:
        """Make the index equal to the data: add what is new, replace what has changed, take out what is not there any more.

        What was given as bytes or pixels, or on the page, stays: it lies nowhere but in the index. So do products without images. dry_run:
        only say what would be done. Raises UserError as `add_catalog`, and when the data hold no images, or folders that do not open.
        """
        catalog = (data if isinstance(data, Stock) else Stock.of(data)).catalog()
        check_opened(catalog)
        incoming, products = incoming_of(catalog, self.root, prefix=prefix)
        return self._fill(incoming, products, what="sync", where=catalog.name, whole=True, dry_run=dry_run)

    def _fill(
        self,
        incoming: Sequence[Incoming],
        products: dict[str, Product],
        *,
        what: str,
        where: str,
        of: str | None = None,
        settle: bool = True,
        whole: bool = False,
        dry_run: bool = False,
    ) -> Changes:
        if self.store.setting("name") != self.name:
            self._renew()
        stored = list(self.store.images(product=of))
        if whole and not any(one.content for one in incoming):
            raise UserError("not one image can be read, and all that is stored would go", where, "Check `data`")
        changes = fill(
            self.store,
            lambda: self.embedder,
            incoming,
            products,
            stored,
            lambda path: self.file(path).is_file(),
            what=what,
            whole=whole,
            dry_run=dry_run,
            index=self.name,
        )
        if not changes.usable and not dry_run:
            raise NoneReadable(changes.quarantine, where)
        if dry_run:
            return changes
        self._tune(anew=of is None)
        if settle:
            self.settle_if_outgrown()
        return changes

    def remove(self, products: Sequence[str]) -> int:
        """Take products out; returns how many images went. Raises UserError, and removes nothing, when one is unknown."""
        wanted = list(dict.fromkeys(map(normal, products)))
        with self.store.change("remove") as change:
            for product in wanted:
                self._known(product)
            return change.remove_products(wanted)

    def rename(self, old: str, new: str) -> None:
        """Give a product another id. Raises UserError as `checked_id`, when it is unknown, and when another has the new id."""
        old, new = normal(old), checked_id(new)
        with self.store.change("rename") as change:
            self._known(old)
            if new != old and self.store.has_product(new):
                raise UserError(f"there is a product {new!r} already", self.folder, "Choose another id")
            change.rename(old, new)

    def move(self, root: str | Path) -> None:
        """Say where the images are now. Raises UserError when not one of them is there."""
        root = Path(root).expanduser().absolute()
        paths = [image.path for image in self.store.images() if own.place(self.folder, image.path) is None]
        if paths and not any((root / as_name(path)).is_file() for path in paths):
            what = f"not one of the {len(paths):,} images is there, such as {paths[0]}"
            raise UserError(what, root, "Name the folder that they start from")
        with self.store.change("move") as change:
            change.settings({"root": str(root)})

    def _known(self, product: str) -> None:
        if not self.store.has_product(product):
            known = [one.id for one in self.store.products().values()]
            raise UserError(f"no product {product!r} in the index", self.folder, nearest(product, known) if known else "It is empty")

    def reindex(self, weights: str | Path | Weights, *, size: int | None = None, crops: Sequence[float] = ()) -> int:
        """Embed every stored image with other weights, or at another size or other crops; returns how many there are.

        The index answers as before until the end, when all is switched at once; the same call goes on after an interruption. Raises
        UserError, and leaves the index as it was, when an image cannot be read or has changed since it was stored.
        """
        made = reindex.begin(self.store, self.folder, Look(weights, size, tuple(crops)))
        embedder = made_ready(self.folder, made, device=self.device, workers=self.workers)
        done = reindex.run(self.store, self.folder, made, embedder, self.file)
        self._renew()
        self._tune(anew=True)
        self.settle()
        return done

    def settle(self, learner: str | None = None, accept: float | None = None) -> Settled:
        """Choose on the stored images who answers, calibrate its probabilities, and set from where on a photograph is unknown.

        learner: "auto", or one by its name, with settings ("lda:shrinkage=0.5"); accept: the share of known photographs not to be called
        unknown; by itself as last time. Done at the end of `create` and `reindex`, and by whoever adds when images or products have become
        twice or half as many. Raises UserError for an unknown learner, and as it does for images too few.
        """
        return settle_store(self.store, self.weights["dim"], learner, accept)

    def settle_if_outgrown(self) -> Settled | None:
        """The same where images or products have become twice or half as many since; else, and where they are too few for it, None."""
        return settle_if_outgrown(self.store, self.weights["dim"])

    # -- care

    def compact(self) -> int:
        """Give the space of what was removed back to the disk; returns how many files went that an interruption had left over."""
        swept = self.store.sweep()
        self.store.compact()
        cache.drop(self.folder)
        answering.drop(self.folder)
        self._forget()
        self._tune(anew=True)
        return swept

    @classmethod
    def restore(cls, file: str | Path, folder: str | Path) -> Index:
        """The index of a backup, in a folder that is not there yet. Raises UserError when the file is none."""
        keeping.restore(Path(file), Path(folder))
        return cls.open(folder)

    def check(self, data: str | Path | Sequence[str | Path] | Stock | None = None) -> Checked:
        """How good it is: what it answers on its own images, held out, or on those of `data`, and which of its images look wrong."""
        if data is None:
            return check_store(self.store, self.weights["dim"], self.file, workers=self.workers)
        catalog = (data if isinstance(data, Stock) else Stock.of(data)).catalog()
        made = self.embedder.catalog(catalog, keep=False)
        given = Given.of(catalog, made, [unknown for _, unknown in self.answer(made, 1)])
        return check_store(self.store, self.weights["dim"], self.file, given, workers=self.workers)

    # -- search

    def search(self, vectors: Floats, k: int = 10, *, per_image: bool = False) -> list[list[Match]]:
        """For each vector (q, d) the k best products with their best image, best first; per_image: the k best images.

        Fewer than k when the index holds fewer. Scores are cosines. Raises UserError for vectors that do not fit.
        """
        dim = self.weights["dim"]
        if vectors.ndim != 2 or vectors.shape[1] != dim:
            raise UserError(f"queries of shape {vectors.shape}, the index holds {dim} numbers an image", self.folder, "Embed again")
        check_finite(vectors, "queries")
        matrix, chosen = self._load()
        nearest = hits(matrix, normalised(vectors), k, per_image=per_image, search=lists.searching(matrix, chosen))
        return [matches_of_hits(self.store, matrix, rows) for rows in nearest]

    def _load(self) -> tuple[cache.Matrix, Chosen | None]:
        """The vectors as they were last committed, by whomever, and how they are searched where not exactly."""
        while True:
            try:
                address, dim = self.store.setting("store"), self.weights["dim"]
                read = self._vectors if address else None
                matrix = cache.load(self.folder, self.store, index=self.name, dim=dim, before=self._matrix, read=read)
                break
            except cache.OtherIndex:
                self._renew()
        chosen: Chosen | None = None
        if address:
            chosen = self._remote = self._remote or Remote.open(str(address), self.name, dim=dim, recall=self._recall)
            self._remote.follow(self.store, self.folder)
        else:
            chosen = self._lists = lists.load(self.folder, matrix, self.name, before=self._lists)
        self._matrix = matrix
        return matrix, chosen

    def _vectors(self, ids: Ints) -> Floats:
        """Stored vectors by the ids of their images, from index.db."""
        return normalised(self.store.features_of(ids, self.weights["dim"]))

    @property
    def _recall(self) -> float:
        return cast(float, self.store.setting("recall"))

    def _tune(self, *, anew: bool) -> None:
        """Bring the search of many images to what is stored now."""
        if self.store.setting("store"):
            matrix, chosen = self._load()
            if anew and isinstance(chosen, Remote):
                chosen.measure(self.store, matrix, self.folder)
        elif not is_fast_exact(self.store.counts()[1], self.weights["dim"]) or (self.folder / lists.STATE).exists():
            lists.tune(self.folder, self._load()[0], self.name, self._recall, anew=anew)

    @overload  # text is a path, not a sequence of images
    def lookup(  # type: ignore[overload-overlap]
        self, images: ImageLike, k: int = 10, *, per_image: bool = False
    ) -> Answer:
        """Of one image, its answer."""

    @overload
    def lookup(self, images: Sequence[ImageLike], k: int = 10, *, per_image: bool = False) -> list[Answer]:
        """Of several, an answer each."""

    def lookup(self, images: ImageLike | Sequence[ImageLike], k: int = 10, *, per_image: bool = False) -> Answer | list[Answer]:
        """The k products most like an image, best first; of a list of images, an answer for each, which says if one cannot be read.

        images: a path, the bytes of a file, an image of Pillow's, (h, w, 3) uint8 pixels, or a list of these. per_image: the k
        best images. Raises UserError when a single image cannot be read.
        """
        several = isinstance(images, Sequence) and not isinstance(images, str | bytes)
        given = cast("Sequence[ImageLike]", images if several else [images])
        name, made = self.name, self.embed(given)
        if made.quarantine and not several:
            raise UserError(made.quarantine[0].reason, made.quarantine[0].path, "Give an image that can be read")
        try:
            answered = dict(zip(made.rows.tolist(), self.answer(made, k, per_image=per_image), strict=True))
        except UserError:
            if self.name == name:
                raise
        if self.name != name:  # of other weights since
            return self.lookup(images, k, per_image=per_image)
        reasons = {broken.path: broken.reason for broken in made.quarantine}
        names = [name_of(image, place) for place, image in enumerate(given)]
        answers = [
            Answer(name, tuple(answered[place][0]), answered[place][1]) if place in answered else Answer(name, error=reasons[name])
            for place, name in enumerate(names)
        ]
        return answers if several else answers[0]

    def answer(self, made: Embeddings, k: int = 10, *, per_image: bool = False) -> list[tuple[list[Match], bool]]:
        """Matches, as `lookup` has them, of each of some embeddings that `embed` made, and whether it is unknown."""
        with self._answering.lock:
            matrix, chosen = self._load()
            answerer = self._answering.answerer(self.store, matrix, lists.searching(matrix, chosen))
            ranked = answerer.answers(made.features, k)
        if not per_image:
            return [(matches_of_answer(self.store, one), one.unknown) for one in ranked]
        nearest = self.search(made.vectors, k, per_image=True)
        return [(with_chances(self.store, matches, one), one.unknown) for matches, one in zip(nearest, ranked, strict=True)]

    def embed(self, images: Sequence[ImageLike]) -> Embeddings:
        """The embeddings of images as the index looks at its own: by its weights, and a stored file cut out by the box it has there."""
        return self.embedder.images(images, boxes_of(self.store, self.root, images))

    def info(self) -> Info:
        """What the index holds and was made with."""
        few, chosen, outgrown = is_fast_exact(self.store.counts()[1], self.weights["dim"]), None, False
        if self.store.setting("store") or not few:
            matrix, chosen = self._load()
            outgrown = chosen.outgrown(matrix) if isinstance(chosen, lists.Calibrated) else chosen is None and self._recall < 1
        search = keeping.search_info(chosen, self.weights["dim"], outgrown=outgrown)
        return keeping.info(self.store, self.folder, self.weights, search)
