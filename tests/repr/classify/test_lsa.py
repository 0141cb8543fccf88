from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from repr.catalog.table import Catalog
from repr.classify.data import Data
from repr.classify.lsa import lsa_encoder
from repr.classify.settings import Settings
from repr.errors import UserError


def titled(shop: Catalog, titles: list[str]) -> Data:
    column = shop.table.schema.get_field_index("title")
    return Data(replace(shop, table=shop.table.set_column(column, "title", pa.array(titles))))


def test_equal_titles_have_equal_vectors_and_hidden_ones_none(shop: Catalog) -> None:
    data = titled(shop, ["red apple", "green leek", "blue cap", ""] * 40)
    encode = lsa_encoder(data, Settings(), np.arange(120))
    found = encode(data)
    np.testing.assert_allclose(found.vectors[0], found.vectors[4], atol=1e-6)
    assert np.abs(found.vectors[0] - found.vectors[1]).max() > 0.1 and found.present.tolist() == [True, True, True, False] * 40
    assert not found.vectors[3].any() and not encode(data.without("text")).present.any()


def test_nothing_to_learn_from(shop: Catalog) -> None:
    with pytest.raises(UserError, match="no training row has a text"):
        lsa_encoder(titled(shop, [""] * 160), Settings(), np.arange(120))
    with pytest.raises(UserError, match="too few or all alike"):
        lsa_encoder(titled(shop, ["a"] * 160), Settings(), np.arange(1))
