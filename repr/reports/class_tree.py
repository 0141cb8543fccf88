"""The tree of classes: unfolded by hand in a page, its largest classes as a figure for print."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from matplotlib.figure import Figure

from repr.catalog.classtree import Node
from repr.reports import figures

FIRST, SECOND = 14, 3  # classes drawn (the papers have 14), and of each the largest below it
STYLE = """<style>
.tree ul { list-style: none; margin: 0; padding-left: 1.4rem; max-width: none; }
.tree > ul { padding-left: 0; }
.tree li { padding: 0.1rem 0; }
.tree summary { cursor: pointer; min-height: 1.6rem; }
.tree li > span { padding-left: 1.1rem; }
.tree small { color: var(--soft); font-variant-numeric: tabular-nums; }
</style>"""


def fragment(nodes: Sequence[Node], caption: str) -> str:
    """HTML of the tree, folded but for what is printed; without a script."""
    listed = "".join(map(_item, nodes))
    return f'{STYLE}<figure class="tree"><ul>{listed}</ul><figcaption>{escape(caption)}</figcaption></figure>'


def _item(node: Node) -> str:
    words = f"{escape(node.name)} <small>({escape(node.id)}) {node.samples:,}</small>"
    if not node.below:
        return f"<li><span>{words}</span></li>"
    classes = f"<small>, {len(node.below)} classes</small>"
    return f"<li><details><summary>{words}{classes}</summary><ul>{''.join(map(_item, node.below))}</ul></details></li>"


@figures.styled
def drawing(nodes: Sequence[Node]) -> Figure:
    """The FIRST largest classes with the SECOND largest below each, and how many more there are: lines from left to right."""
    shown = nodes[:FIRST]
    lines = [_branch(node) for node in shown]
    height = sum(max(1, len(branch)) for branch in lines)
    figure = figures.new_figure(width=7.0, height=0.5 + 0.19 * (height + 0.4 * len(shown)))
    axes = figure.add_subplot()
    y = 0.0
    for node, branch in zip(shown, lines, strict=True):
        middle = y + (max(1, len(branch)) - 1) / 2
        axes.text(0.43, middle, f"{node.name}  {node.samples:,}", ha="right", va="center", fontsize=8)
        for n, words in enumerate(branch):
            axes.plot([0.44, 0.5, 0.53], [middle, y + n, y + n], color=figures.PALETTE[0], lw=0.8)
            axes.text(0.54, y + n, words, ha="left", va="center", fontsize=7)
        y += max(1, len(branch)) + 0.4
    axes.set(xlim=(0, 1), ylim=(y - 0.4, -0.8))
    axes.set_axis_off()
    return figure


def _branch(node: Node) -> list[str]:
    largest = [f"{below.name}  {below.samples:,}" for below in node.below[:SECOND]]
    rest = len(node.below) - SECOND
    return [*largest, *([f"and {rest} more"] if rest > 0 else [])]
