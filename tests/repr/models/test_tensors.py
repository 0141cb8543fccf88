"""Tensors of files that others wrote: which file of a folder is read, and how they differ from what is expected."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from repr.errors import UserError
from repr.models.network_files import number, numbers
from repr.models.tensors import TIMM_FILES, TRANSFORMERS_FILES, difference, read_some, read_tensors


def saved(file: Path, **values: float) -> Path:
    save_file({name: torch.full((2,), value) for name, value in values.items()}, file)
    return file


def test_the_first_of_the_names_is_read(tmp_path: Path) -> None:
    torch.save({"a": torch.full((2,), 2.0)}, tmp_path / TIMM_FILES[1])
    assert read_some(tmp_path, TIMM_FILES)["a"].tolist() == [2, 2]
    saved(tmp_path / TIMM_FILES[0], a=1.0)
    assert read_some(tmp_path, TIMM_FILES)["a"].tolist() == [1, 1]
    assert read_some(tmp_path / TIMM_FILES[1])["a"].tolist() == [2, 2], "a file is itself"
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty: no model\.safetensors in this folder\. Fetch the whole folder"):
        read_some(tmp_path / "empty", TIMM_FILES)


def test_an_index_stands_for_the_files_that_it_names(tmp_path: Path) -> None:
    saved(tmp_path / "1.safetensors", a=1.0)
    saved(tmp_path / "2.safetensors", b=2.0, c=3.0)
    places = {"a": "1.safetensors", "b": "2.safetensors", "c": "2.safetensors"}
    (tmp_path / TRANSFORMERS_FILES[1]).write_text(json.dumps({"weight_map": places}))
    assert {name: float(tensor[0]) for name, tensor in read_some(tmp_path, TRANSFORMERS_FILES).items()} == {"a": 1, "b": 2, "c": 3}
    (tmp_path / "2.safetensors").unlink()
    with pytest.raises(UserError, match=r"no 2\.safetensors in this folder, which model\.safetensors\.index\.json names"):
        read_some(tmp_path, TRANSFORMERS_FILES)


def test_floats_are_read_as_float32_and_counts_as_they_are(tmp_path: Path) -> None:
    tensors = {"half": torch.ones(2, dtype=torch.float16), "brain": torch.ones(2, dtype=torch.bfloat16), "n": torch.tensor([7])}
    save_file(tensors, tmp_path / "a.safetensors", {"made": "here"})
    read, metadata = read_tensors(tmp_path / "a.safetensors")
    assert {name: tensor.dtype for name, tensor in read.items()} == {"half": torch.float32, "brain": torch.float32, "n": torch.int64}
    assert metadata == {"made": "here"} and read["n"].tolist() == [7]


def test_a_header_of_any_length_is_read(tmp_path: Path) -> None:
    """Its length stands first in the file, and its first byte may be that of a pickle (0x80)."""
    first = set()
    for n in range(0, 256, 8):
        save_file({"a": torch.zeros(2)}, tmp_path / "w.safetensors", {"name": "a" * n})
        first.add((tmp_path / "w.safetensors").read_bytes()[:1])
        assert read_tensors(tmp_path / "w.safetensors")[1] == {"name": "a" * n}
    assert b"\x80" in first


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("kind", ["safetensors", "pth"])
def test_a_file_that_is_cut_short_is_told(kind: str, share: float, tmp_path: Path) -> None:
    file = tmp_path / f"a.{kind}"
    if kind == "pth":
        torch.save({"conv1.weight": torch.ones(64, 64)}, file)
    else:
        save_file({"conv1.weight": torch.ones(64, 64)}, file)
    file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
    with pytest.raises(UserError, match=r"not a readable (\.safetensors|PyTorch) file \(.*\)\. Fetch or write it again"):
        read_tensors(file)


def test_the_difference_is_told_in_a_few_words() -> None:
    expected = {"a": (2, 3), "b": (4,), "c": ()}
    right = {"a": torch.zeros(2, 3), "b": torch.zeros(4), "c": torch.tensor(0.0)}
    assert difference(right, expected) == ""
    assert difference({"a": right["a"]}, expected) == "2 missing (b, …)"
    assert difference({**right, "d": right["a"]}, expected) == "1 unknown (d)"
    assert difference({**right, "a": torch.zeros(3, 2), "c": torch.zeros(1)}, expected) == "2 of another shape (a is 3×2, not 2×3)"
    assert difference({"c": torch.zeros(1)}, expected) == "2 missing (a, …); 1 of another shape (c is 1, not a number)"


@pytest.mark.parametrize(
    ("values", "three"), [([0.1, 1, 2.5], (0.1, 1.0, 2.5)), (0.5, (0.5,) * 3), (2, (2.0,) * 3), ((1, 2, 3), (1.0, 2.0, 3.0))]
)
def test_one_number_stands_for_the_three_colours(values: object, three: tuple[float, ...]) -> None:
    assert numbers(values, "config.json") == three


@pytest.mark.parametrize("value", [True, "0.5", None, [0.5], {}, [1, 2], [1, 2, "3"], [1, 2, True]])
def test_what_is_no_number_is_refused_with_its_place(value: object) -> None:
    with pytest.raises(UserError, match=r"config\.json: .* where a number is wanted\. Mend the file"):
        numbers(value, "config.json")
    if not isinstance(value, list) or len(value) != 3:
        with pytest.raises(UserError, match="where a number is wanted"):
            number(value, "config.json")
