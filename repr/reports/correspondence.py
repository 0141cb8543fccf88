"""Which classes of a subset correspond to which supercategories of RPC: Fig. 12 of the MEP-3M paper, drawn from the subset's list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from repr.reports import figures


@figures.styled
def drawing(pairs: Mapping[str, Sequence[str]]) -> Figure:
    """pairs: a class of the subset → the supercategories it corresponds to. These on the left, in their order; lines join what belongs
    together, and a class stands beside the middle of its own."""
    left = list(dict.fromkeys(name for names in pairs.values() for name in names))
    place = {name: i for i, name in enumerate(left)}
    right = sorted(pairs, key=lambda name: sum(place[one] for one in pairs[name]) / len(pairs[name]))
    rows = max(len(left), len(right))
    figure = figures.new_figure(width=6.0, height=0.6 + 0.22 * rows)
    axes = figure.add_subplot()
    at_left = {name: (i + 0.5) * rows / len(left) for i, name in enumerate(left)}
    at_right = {name: (i + 0.5) * rows / len(right) for i, name in enumerate(right)}
    for name, partners in pairs.items():
        for partner in partners:
            colour = figures.PALETTE[place[partner] % (len(figures.PALETTE) - 1)]
            axes.plot([0.36, 0.62], [at_left[partner], at_right[name]], color=colour, lw=1.1)
    for names, x, side in ((at_left, 0.35, "right"), (at_right, 0.63, "left")):
        for name, y in names.items():
            axes.text(x, y, name, ha=side, va="center", fontsize=8)
    axes.text(0.35, -0.6, "RPC", ha="right", va="center", fontsize=9, fontweight="bold")
    axes.text(0.63, -0.6, "MEP-3M", ha="left", va="center", fontsize=9, fontweight="bold")
    axes.set(xlim=(0, 1), ylim=(rows, -1.2))
    axes.set_axis_off()
    return figure
