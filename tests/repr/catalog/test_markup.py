"""HTML in titles and descriptions."""

from __future__ import annotations

import pytest

from repr.catalog.markup import cleaned


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("L&#39;été", "L'été"),
        ("d&amp;#39;or &amp; d&eacute;", "d'or & dé"),
        ("<p>Bon\n état</p><br/>neuf", "Bon état neuf"),
        ("&lt;b&gt;gras&lt;/b&gt;", "gras"),
        ("taille 3 < 5 > 2", "taille 3 < 5 > 2"),
        ("<!-- rien --> ", None),
        ("NaN", None),
        ("", None),
        ("nano", "nano"),
        ("un\N{NO-BREAK SPACE}mot", "un mot"),
    ],
)
def test_what_a_reader_sees(given: str, expected: str | None) -> None:
    assert cleaned(given) == expected
