"""The tree of classes, to be unfolded in a page and drawn for print."""

from __future__ import annotations

from xml.etree import ElementTree

from repr.catalog.classtree import Node
from repr.reports import class_tree, figures

TEA = Node("8", "tea <&>", 7, (Node("9", "green", 4), Node("10", "black", 3)))
FOOD = Node("1", "food", 20, (TEA, *(Node(f"2{n}", f"kind {n}", 3 - n) for n in range(3))))


def test_a_class_unfolds_to_those_below_it() -> None:
    html = class_tree.fragment([FOOD, Node("2", "tools", 5)], "All <classes>")
    body = ElementTree.fromstring(html.replace(class_tree.STYLE, ""))
    (food,) = body.findall("ul/li/details")
    assert "".join(food.find("summary").itertext()) == "food (1) 20, 4 classes"  # type: ignore[union-attr]
    (tea,) = food.findall("ul/li/details")
    assert ["".join(leaf.itertext()) for leaf in tea.findall("ul/li/span")] == ["green (9) 4", "black (10) 3"]
    assert "tea <&>" in "".join(tea.itertext()) and body.findtext("figcaption") == "All <classes>"
    assert body.findtext("ul/li/span") == "tools "


def test_the_largest_are_drawn_and_the_rest_counted() -> None:
    many = [Node(str(n), f"class {n}", 100 - n) for n in range(20)]
    text = figures.svg(class_tree.drawing([FOOD, *many]), "t", "tree")
    assert "food  20" in text and "and 1 more" in text and "class 12" in text and "class 13" not in text
