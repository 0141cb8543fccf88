"""A trained detector: its file, and the boxes that it finds.

A file is a .safetensors with the tensors of `Finder` and metadata: version, kind, identity, name, and as JSON build, threshold, provenance.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from repr.checkout.cold import FILE
from repr.checkout.network import Build, Finder
from repr.checkout.proposal import Proposal
from repr.checkout.squares import proposals_of, squared
from repr.errors import UserError
from repr.files import replacing
from repr.models.devices import pick_device
from repr.models.provenance import NOT_KNOWN, Provenance
from repr.models.tensors import difference, read_tensors
from repr.records import from_json, to_json

VERSION = 1
KIND = "detector"

AGAIN, NAME_IT = "Write the file again", "Give the file of a detector that was trained, or classical"


@dataclass(frozen=True)
class Trained:
    """A detector as it is kept: tensors on the CPU, what they are of, the score from which a box is a product, how it came about."""

    tensors: Mapping[str, Tensor]
    build: Build
    threshold: float
    provenance: Provenance = NOT_KNOWN
    name: str = ""

    @cached_property
    def identity(self) -> str:
        """16 hex digits over what it is made of and the tensors' names and values."""
        digest = hashlib.sha256(json.dumps(to_json(self.build)).encode())
        for name in sorted(self.tensors):
            digest.update(name.encode() + self.tensors[name].detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()[:16]

    @property
    def synthetic(self) -> bool:
        """Whether the synthetic shop had a part in it."""
        return self.provenance.synthetic

    def network(self) -> Finder:
        """The network with these tensors, in eval mode on the CPU."""
        with torch.random.fork_rng(devices=[]):
            network = Finder(self.build)
        network.load_state_dict(dict(self.tensors), strict=True)
        return network.eval()


def write_detector(path: Path, trained: Trained) -> None:
    """Write the file, whole or not at all."""
    metadata = {
        "version": str(VERSION),
        "kind": KIND,
        "identity": trained.identity,
        "name": trained.name,
        "build": json.dumps(to_json(trained.build), ensure_ascii=False),
        "threshold": json.dumps(trained.threshold),
        "provenance": json.dumps(trained.provenance.as_json(), ensure_ascii=False),
    }
    with replacing(Path(path)) as temporary:
        temporary.touch()
        usual = temporary.stat().st_mode  # as the umask says; safetensors writes files that nobody else may read
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in trained.tensors.items()}, temporary, metadata)
        temporary.chmod(usual)


def read_detector(path: str | Path) -> Trained:
    """A detector from its file, or the folder of the run that trained it. Raises UserError that names the file and what is wrong."""
    path = Path(path)
    path = path / FILE if path.is_dir() else path
    if not path.is_file():
        raise UserError("there is no such detector", path, NAME_IT, argument="detector")
    tensors, metadata = read_tensors(path)
    if metadata.get("kind") != KIND:
        raise UserError("no detector", path, NAME_IT, argument="detector")
    try:
        if (version := int(metadata["version"])) != VERSION:
            raise UserError(f"written by another version ({version}, not {VERSION})", path, "Train it again, or update the package")
        build = from_json(Build, json.loads(metadata["build"]), path)
        threshold, provenance = float(json.loads(metadata["threshold"])), Provenance.read(json.loads(metadata["provenance"]), path)
    except (KeyError, ValueError, TypeError) as error:
        raise UserError(f"its metadata is incomplete or broken ({error!r})", path, AGAIN) from None
    with torch.device("meta"):
        expected = {name: tuple(tensor.shape) for name, tensor in Finder(build).state_dict().items()}
    if differs := difference(tensors, expected):
        raise UserError(f"not the tensors of this detector: {differs}", path, AGAIN)
    if not all(tensor.isfinite().all() for tensor in tensors.values() if tensor.is_floating_point()):
        raise UserError("it holds values that are not finite", path, "Take an earlier one")
    return Trained(tensors, build, threshold, provenance, metadata.get("name") or path.stem)


class Detector:
    """A detector made ready on a device. Called with an image it gives the boxes from its threshold on, the surest first."""

    def __init__(self, trained: Trained, *, device: str = "auto", least: float | None = None) -> None:
        """least: the lowest score instead of its threshold. Raises UserError when the device is not there."""
        self.trained, self.device = trained, pick_device(device)
        self.least = trained.threshold if least is None else least
        self.network = trained.network().to(self.device)

    def __call__(self, image: Image.Image) -> list[Proposal]:
        """Boxes of an upright RGB image."""
        square, scale = squared(image, self.trained.build.side)
        with torch.inference_mode():
            boxes, scores = self.network(torch.from_numpy(square)[None].to(self.device))
        answer = boxes[0].float().cpu().numpy(), scores[0].float().cpu().numpy()
        return proposals_of(*answer, self.trained.build.classes, scale, image.size, self.least)
