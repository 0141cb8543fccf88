"""What architectures are called: taken apart and put together again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repr.errors import UserError
from repr.models.architecture import Name, called, parsed

NAMES = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="{}:"), max_size=12)
CONFIGS = st.dictionaries(st.text(max_size=4), st.none() | st.booleans() | st.integers() | st.text(max_size=4), max_size=3)


@given(st.sampled_from(["", "timm", "open_clip", "transformers"]), NAMES, CONFIGS)
def test_a_name_taken_apart_is_the_same_put_together(library: str, name: str, config: dict[str, int | str | bool | None]) -> None:
    text = str(Name(library, name, config))
    again = parsed(text)
    assert (again.library, again.name, dict(again.config)) == (library, name, config) and str(again) == text
    assert called(text) == (f"{library}:{name}" if library else name)


def test_the_order_of_a_config_does_not_matter() -> None:
    assert str(Name("timm", "vit", {"a": 1, "b": 2})) == str(Name("timm", "vit", {"b": 2, "a": 1})) == 'timm:vit{"a":1,"b":2}'


@pytest.mark.parametrize("arch", ["resnet18{", 'timm:vit{"a":}', "else:vit", "timm:vit}", "{1}{2}", "a:b:c"])
def test_what_is_no_name_is_refused(arch: str) -> None:
    with pytest.raises(UserError, match=r"no such architecture: .*Give a name, such as resnet18"):
        parsed(arch)
