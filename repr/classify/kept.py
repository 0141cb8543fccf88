"""A trained model in a folder of its own: arrays as safetensors, vocabularies and facts as JSON; nothing is pickled.

model.safetensors  what was learnt, and the rows of the classes
vocabulary.json    terms by name, in the order of their columns
tested.safetensors the probabilities of the test rows, where they fit: what ensembles are measured by
model.json         version, settings, classes, temperature and facts, such as which frozen network looks at the images
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from repr.arrays import Array, Floats, Ints
from repr.catalog.table import ClassName
from repr.classify.data import Data, Problem
from repr.classify.fitted import Fitted, load
from repr.classify.metrics import check_sums
from repr.classify.settings import Settings
from repr.classify.state import Restored, State
from repr.errors import UserError
from repr.files import read_json, replacing
from repr.learners.stored import Arrays, Stored
from repr.models.devices import pick_device
from repr.settings import from_mapping, values

VERSION = 3
FOLDER = "models"  # of a run folder
ARRAYS, WORDS, FACTS, TESTED = "model.safetensors", "vocabulary.json", "model.json", "tested.safetensors"
LARGEST = 5e7  # probabilities of a test part that are kept, 200 MB
Classes = tuple[tuple[ClassName, ...], tuple[ClassName, ...], tuple[ClassName, ...]]
AGAIN = "Train it again, and keep it with `out`"


@dataclass(frozen=True)
class Tested:
    """What a model answered of its test rows.

    products: (n,) their keys and paths; truth: (n,); probabilities: (n, c); names: (c,).
    """

    products: Array
    truth: Ints
    probabilities: Floats
    names: tuple[str, ...]


@dataclass(frozen=True)
class Kept:
    """A model with what its answers mean. names: (c,) of its level's classes; paths: (c,) their names from the first level down.

    classes: of the catalog that it was trained on, by which words are masked. data: that catalog's name.
    """

    fitted: Fitted
    settings: Settings
    names: tuple[str, ...]
    paths: tuple[tuple[str, ...], ...]
    classes: Classes
    data: str
    tested: Tested | None = None


def described(data: Data, settings: Settings, problem: Problem, fitted: Fitted) -> Kept:
    """What is kept of a model that was trained on some data."""
    catalog = data.catalog
    columns = [catalog.column(f"class_{level}") for level in range(1, settings.level + 1)]
    paths: list[tuple[str, ...]] = []
    for label in range(len(problem.names)):
        row = int(np.flatnonzero(problem.labels == label)[0])
        own = [(codes[row], catalog.classes[level]) for level, codes in enumerate(columns)]
        paths.append(tuple(entries[code].name for code, entries in own if code >= 0))
    tested = None
    if len(problem.test) * len(problem.names) <= LARGEST:
        images = catalog.select(problem.test)
        products = np.array([f"{key} {path}" for key, path in zip(images.product_keys(), images.column("path"), strict=True)])
        probabilities = fitted.probabilities(data, problem.test, settings.adjust)
        tested = Tested(products, problem.labels[problem.test], probabilities, problem.names)
    return Kept(fitted, settings, problem.names, tuple(paths), catalog.classes, catalog.name, tested)


def write(folder: Path, kept: Kept) -> None:
    """Write the folder, whole or not at all."""
    fitted = kept.fitted
    arrays: Arrays = {"counts": fitted.counts, "trained": fitted.trained, "nothing": fitted.nothing}
    state = fitted.model.state().under("model") | State(arrays)
    facts = {
        "version": VERSION,
        "settings": values(kept.settings),
        "temperature": fitted.temperature,
        "note": fitted.model.note,
        "names": list(kept.names),
        "paths": [list(path) for path in kept.paths],
        "classes": [[[entry.id, entry.name, entry.parent] for entry in level] for level in kept.classes],
        "data": kept.data,
        "facts": state.facts,
    }
    with replacing(folder) as temporary:
        temporary.mkdir()
        save_file({name: np.asarray(array, order="C") for name, array in state.arrays.items()}, temporary / ARRAYS)
        if kept.tested:
            products = np.frombuffer("\n".join(kept.tested.products).encode(), np.uint8)
            answers: Arrays = {"truth": kept.tested.truth, "probabilities": kept.tested.probabilities, "products": products}
            save_file(answers, temporary / TESTED)
        for name, content in ((WORDS, state.words), (FACTS, facts)):
            (temporary / name).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def read(folder: Path) -> Kept:
    """Read a folder. Raises UserError for a missing or broken file, another version, a vocabulary cut short, and weights that are gone."""
    facts = read_json(folder / FACTS)
    version = facts.get("version") if isinstance(facts, dict) else None
    if version != VERSION:
        raise UserError(f"a model of another version ({version}, not {VERSION})", folder, AGAIN)
    words = read_json(folder / WORDS)
    try:
        arrays = load_file(folder / ARRAYS)
        settings = _here(Settings(**from_mapping(Settings, facts["settings"], str(folder / FACTS))))
        first, second, third = (tuple(ClassName(*entry) for entry in level) for level in facts["classes"])
        named, paths = tuple(facts["names"]), tuple(tuple(path) for path in facts["paths"])
        state = State(arrays, {name: tuple(terms) for name, terms in words.items()}, facts["facts"])
        temperature, note, data = float(facts["temperature"]), str(facts["note"]), str(facts["data"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"not a whole model ({error!r})", folder, AGAIN) from None
    restored = Restored(state, str(folder))
    taken = restored.arrays
    counts, trained = taken.ints("counts", len(named)), taken.ints("trained", None)
    taken.require(len(paths) == len(named) and bool(np.isin(trained, np.arange(len(named))).all()), "its classes do not fit")
    nothing = taken.floats("nothing", len(trained))
    model = load(settings)
    model.restore(restored.below("model"))
    model.note = note
    taken.finish()
    return Kept(Fitted(model, counts, trained, temperature, nothing), settings, named, paths, (first, second, third), data)


def _here(settings: Settings) -> Settings:
    """On the device that it was trained on; where that is not there, on the best that is."""
    try:
        pick_device(settings.device)
    except UserError:
        return replace(settings, device="auto")
    return settings


def read_tested(folder: Path) -> Tested:
    """What the model of a folder answered of its test rows. Raises UserError where that was not kept, is broken, or is no probabilities."""
    facts = read_json(folder / FACTS)
    try:
        stored = Stored(load_file(folder / TESTED), str(folder))
        names = tuple(facts["names"])
    except (SafetensorError, OSError, KeyError, TypeError) as error:
        raise UserError(f"the answers of its test rows were not kept ({error!r})", folder, AGAIN) from None
    truth = stored.ints("truth", None)
    products = np.array(stored.pixels("products", None).tobytes().decode().split("\n"))
    stored.require(len(products) == len(truth), "its test rows do not fit")
    probabilities = stored.floats("probabilities", len(truth), len(names))
    check_sums(probabilities, str(folder / TESTED))
    return Tested(products, truth, probabilities, names)


def find(run: Path) -> Path:
    """The folder of the model of a run: itself, or the only one that the run kept, with several seeds that of the first.

    Raises UserError where none was kept, and, with their folders, where several rows' were.
    """
    if (run / FACTS).is_file():
        return run
    folders = sorted(folder for folder in (run / FOLDER).glob("*") if (folder / FACTS).is_file())
    if not folders:
        raise UserError("no model was kept in it", run, AGAIN)
    settings = {folder: cast(dict[str, object], read_json(folder / FACTS).get("settings", {})) for folder in folders}
    rows = {json.dumps({**one_row, "seed": 0}, sort_keys=True) for one_row in settings.values()}
    if len(rows) > 1:
        listed = ", ".join(str(folder) for folder in folders[:5]) + (", …" if len(folders) > 5 else "")
        raise UserError(f"models of {len(rows)} rows were kept in it", run, f"Name one of them: {listed}")
    return min(folders, key=lambda folder: (int(str(settings[folder].get("seed", 0))), folder.name))
