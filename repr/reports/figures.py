"""The figures of every report, in one style: matplotlib without global state, drawn as SVG that follows light and dark.

Colours are Okabe and Ito's (Color Universal Design, 2008), told apart with every kind of colour blindness; series also
differ by marker. Ink and grid colours are stand-ins that `svg` replaces by the page's own, so figures read in the dark.
"""

from __future__ import annotations

import io
import itertools
import logging
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import wraps
from html import escape
from typing import Any, ParamSpec

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

from repr.arrays import Bools, Doubles, Floats, Ints

P = ParamSpec("P")
Interval = tuple[float, float]  # mean and half-width, in the unit of the axis

PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999")
SHARE = "per cent"  # in the label of an axis of shares
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
INK, GRID, GROUND = "#010203", "#010204", "#010205"  # replaced by currentColor, var(--line) and var(--ground)
WIDTH = 5.0  # inches: shown at 1.0 of its size on a phone in portrait and enlarged on a desk, so 10 pt stays readable
LEGEND_LINE, LEGEND_HANDLE, LEGEND_ROW = 64, 7, 0.18  # characters a line of WIDTH at 9 pt, what a handle takes of them; inches a row
STYLE: Any = {  # matplotlib types the keys one by one, and differently from version to version
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "figure.constrained_layout.use": True,
    "text.parse_math": False,  # a price in a product name is no formula
}


def style() -> AbstractContextManager[None]:
    """The house's matplotlib settings, for a `with` block around the making of a figure."""
    context: AbstractContextManager[None] = mpl.rc_context(STYLE)
    return context


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """A function that draws a figure, made to do so in the house's style."""

    @wraps(draw)
    def _styled(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with style():
            return draw(*args, **kwargs)

    return _styled


def new_figure(width: float = WIDTH, height: float = 3.2) -> Figure:
    """An empty figure of so many inches that belongs to no window and no global list."""
    return Figure(figsize=(width, height), layout="constrained")


def svg(figure: Figure, prefix: str, alt: str) -> str:
    """A figure as an <svg> element: its text as text, its ids made unique by `prefix`, its ink and grid the page's own."""
    stream = io.StringIO()
    logger = logging.getLogger("matplotlib.font_manager")
    level = logger.level
    logger.setLevel(logging.ERROR)
    with style(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # the reader's browser draws the text
        mpl.rcParams["svg.hashsalt"] = prefix
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None}, dpi=150)
    logger.setLevel(level)
    drawn = stream.getvalue()
    drawn = drawn[drawn.index("<svg") :]
    drawn = re.sub(r"<metadata>.*?</metadata>", "", drawn, flags=re.S)
    drawn = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", drawn)
    for stand_in, colour in ((INK, "currentColor"), (GRID, "var(--line)"), (GROUND, "var(--ground)")):
        drawn = drawn.replace(stand_in, colour)
    drawn = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font: \1 system-ui, sans-serif", drawn)
    width = figure.get_figwidth()
    least = f"; min-width: {width * 66:.0f}px" if width > WIDTH else ""
    head = f'<svg class="plot" role="img" aria-label="{escape(alt, quote=True)}" style="max-width: {max(width, WIDTH) * 120:.0f}px{least}"'
    return re.sub(r'<svg (.*?)width="[^"]*"', rf"{head} \1", re.sub(r'(<svg [^>]*?) height="[^"]*"', r"\1", drawn, count=1), count=1)


@styled
def lines(
    x: Sequence[float],
    series: Mapping[str, Sequence[float | None]],
    *,
    xlabel: str,
    ylabel: str,
    log: bool = False,
    bounds: tuple[float, float] | None = None,
    ideal: Sequence[float] | None = None,
) -> Figure:
    """Curves over one x (epochs, classes in rank order). None leaves a gap. `log`: a logarithmic y axis. ideal: a thin line to compare."""
    figure = new_figure(height=2.8)
    axes = figure.add_subplot()
    for n, (name, values) in enumerate(series.items()):
        points = [(a, b) for a, b in zip(x, values, strict=True) if b is not None and np.isfinite(b)]
        if points:
            marker = MARKERS[n % len(MARKERS)] if len(points) <= 40 else None
            axes.plot(*zip(*points, strict=True), color=PALETTE[n % len(PALETTE)], marker=marker, ms=3.5, lw=1.4, label=name)
    if ideal is not None:
        axes.plot(x, ideal, color=INK, lw=0.8, ls=(0, (4, 3)), label="ideal")
    axes.set(xlabel=xlabel, ylabel=ylabel)
    if log:
        logarithmic(axes, "y")
    if bounds:
        axes.set_ylim(*bounds)
    elif SHARE in ylabel and not log:
        _within(axes, "y")
    if all(float(value).is_integer() for value in x):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _legend(figure, len(series) + (ideal is not None))
    return figure


@styled
def ladder(names: Sequence[str], series: Mapping[str, Sequence[Interval | None]], *, xlabel: str) -> Figure:
    """Horizontal bars with intervals: one group a name (a learner), one bar a series (starting weights).

    Points in the place of bars where there are no intervals.

    series: for each name (mean, half-width of the interval) or None where it was not run. An interval of 0 is not drawn. Of shares in per
    cent no axis and no interval leaves 0 to 100, but for differences, which may be below 0.
    """
    widest = max((value[1] for values in series.values() for value in values if value is not None), default=0.0)
    step = 0.8 / max(len(series), 1)
    figure = new_figure(height=0.9 + max(len(names) * (0.16 * len(series) + 0.14), 0.6))
    axes = figure.add_subplot()
    middle = np.arange(len(names), dtype=float)
    for n, (name, values) in enumerate(series.items()):
        places = middle + (n - (len(series) - 1) / 2) * step
        known = [(y, value) for y, value in zip(places, values, strict=True) if value is not None and np.isfinite(value[0])]
        if not known:
            continue
        y, means = np.array([k[0] for k in known]), np.array([k[1][0] for k in known])
        widths = np.array([0.0 if not np.isfinite(k[1][1]) else k[1][1] for k in known])
        most = 100.0 if SHARE in xlabel else np.inf
        least = 0.0 if SHARE in xlabel and (means >= 0).all() else -np.inf
        if widest > 0:
            axes.barh(y, means, step * 0.9, color=PALETTE[n % len(PALETTE)], label=name)
        else:  # bars would look as sure as those with intervals
            axes.plot(means, y, MARKERS[n % len(MARKERS)], color=PALETTE[n % len(PALETTE)], ms=5, label=name)
        if (widths > 0).any():
            ends = np.stack([means - np.maximum(means - widths, least), np.minimum(means + widths, most) - means])
            axes.errorbar(means, y, xerr=ends, fmt="none", ecolor=INK, elinewidth=1, capsize=2)
        for place, mean, width in zip(y, means, widths, strict=True):
            end, side = (min(mean + width, most), "left") if mean >= 0 else (mean - width, "right")
            shift = (3 if mean >= 0 else -3, 0)
            axes.annotate(f"{mean:.1f}", (end, place), shift, textcoords="offset points", va="center", ha=side, fontsize=7)
    axes.set(xlabel=xlabel, yticks=middle, yticklabels=list(names))
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.margins(x=0.12)
    if any(value is not None and value[0] < 0 for values in series.values() for value in values):
        axes.axvline(0, color=INK, lw=0.6)
    elif SHARE in xlabel:
        axes.set_xlim(left=0)
        _within(axes, "x")
    axes.grid(False, axis="y")
    _legend(figure, len(series))
    return figure


@styled
def against(series: Mapping[str, Sequence[tuple[float, float, float]]], *, xlabel: str, ylabel: str, log_x: bool = False) -> Figure:
    """Curves of (x, mean, half-width of the interval): accuracy against shots, or after each increment."""
    figure = new_figure()
    axes = figure.add_subplot()
    places = sorted({point[0] for points in series.values() for point in points})
    for n, (name, points) in enumerate(series.items()):
        x, mean, width = (np.array(column, dtype=float) for column in zip(*sorted(points), strict=True))
        low, high = (np.clip(end, 0, 100) if SHARE in ylabel else end for end in (mean - width, mean + width))
        colour = PALETTE[n % len(PALETTE)]
        marker = MARKERS[n % len(MARKERS)] if len(x) <= 20 else None
        axes.plot(x, mean, color=colour, marker=marker, ms=4, lw=1.4, label=name)
        if len(series) <= 3:
            axes.fill_between(x, low, high, color=colour, alpha=0.18, lw=0)
        elif width.any():  # bands of many curves hide each other
            axes.errorbar(x, mean, yerr=np.stack([mean - low, high - mean]), fmt="none", ecolor=colour, elinewidth=0.8, capsize=2)
    if log_x:
        logarithmic(axes, "x")
    axes.set(xlabel=xlabel, ylabel=ylabel)
    if len(places) <= 12:
        axes.set_xticks(places, [f"{place:g}" for place in places])
        axes.minorticks_off()
    if SHARE in ylabel:
        _within(axes, "y")
    _legend(figure, len(series))
    return figure


def _within(axes: Axes, name: str) -> None:
    """Keep an axis of shares in per cent within 0 to 100, with half a point to see what lies on the edge."""
    low, high = axes.get_xlim() if name == "x" else axes.get_ylim()
    axes.set(**{f"{name}lim": (max(low, -0.5) if low < 0 else low, min(high, 100.5))})


@styled
def confusion(matrix: Ints, groups: Sequence[str], novel: Bools | None = None) -> Figure:
    """A confusion matrix as an image: rows true, columns predicted, each row divided by its sum.

    matrix: (c, c) counts in the order to be shown; groups: (c,) name of each class's group ("" for none), equal ones
    side by side: lines part the groups, and the names of those with room for one stand at the side. novel: (c,) bool,
    marked by a bar at both edges.
    The colour is the square root of the share, so that rare confusions can be seen.
    """
    counts = np.asarray(matrix, dtype=float)
    assert counts.shape == (len(groups), len(groups)), "a square matrix with a group a class"
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = new_figure(height=4.6)
    axes = figure.add_subplot()
    axes.imshow(np.sqrt(shares), cmap="Blues", vmin=0, vmax=1, interpolation="nearest", rasterized=True)
    axes.grid(False)
    n = len(groups)
    starts = [i for i in range(n) if i == 0 or groups[i] != groups[i - 1]]
    sizes = [b - a for a, b in itertools.pairwise([*starts, n])]
    if len(starts) > 1:
        for edge in (e for e, before, after in zip(starts[1:], sizes, sizes[1:], strict=False) if before > 1 or after > 1):
            axes.axhline(edge - 0.5, color="#999999", lw=0.4)
            axes.axvline(edge - 0.5, color="#999999", lw=0.4)
        named = [(a + (size - 1) / 2, groups[a]) for a, size in zip(starts, sizes, strict=True) if size > 1 and size / n > 0.02]
        axes.set_yticks([place for place, _ in named], [name for _, name in named], fontsize=7)
    else:
        axes.set_yticks([])
    axes.set_xticks([])
    axes.tick_params(length=0)
    if novel is not None and np.any(novel):
        for place in np.flatnonzero(novel):
            for xs, ys in (
                ((place - 0.5, place + 0.5), (n - 0.5 + n * 0.012,) * 2),
                ((n - 0.5 + n * 0.012,) * 2, (place - 0.5, place + 0.5)),
            ):
                axes.plot(xs, ys, color=PALETTE[5], lw=3, solid_capstyle="butt", clip_on=False)
    axes.set_xlim(-0.5, n - 0.5)
    axes.set_ylim(n - 0.5, -0.5)
    axes.set(xlabel="predicted", ylabel="true")
    axes.xaxis.labelpad = 8
    return figure


@styled
def embedding_map(points: Floats | Doubles, groups: Sequence[str], novel: Bools | None = None) -> Figure:
    """A 2-D map: (n, 2) points, coloured and shaped by group; those marked novel, (n,) bool, are larger and ringed.

    At most 14 groups have a colour and shape of their own; the smaller ones share one, named "other".
    """
    names, sizes = np.unique(np.asarray(groups, dtype=str), return_counts=True)
    own = sorted(names[np.argsort(-sizes, kind="stable")][:14], key=_natural)
    of_point = np.asarray(groups, dtype=str)
    figure = new_figure(height=4.8)
    axes = figure.add_subplot()
    fresh = np.zeros(len(of_point), dtype=bool) if novel is None else np.asarray(novel, dtype=bool)

    def _scatter(mask: Bools, n: int, label: str) -> None:
        colour, marker = PALETTE[n % (len(PALETTE) - 1)], MARKERS[(n + n // (len(PALETTE) - 1)) % len(MARKERS)]
        old, new = points[mask & ~fresh], points[mask & fresh]
        axes.scatter(old[:, 0], old[:, 1], 12, lw=0, alpha=0.75, label=label, rasterized=len(of_point) > 1500, color=colour, marker=marker)
        axes.scatter(new[:, 0], new[:, 1], 26, lw=0.8, edgecolor=INK, color=colour, marker=marker)

    for n, name in enumerate(own):
        _scatter(of_point == name, n, name or "all")
    rest = ~np.isin(of_point, own)
    if rest.any():
        axes.scatter(points[rest, 0], points[rest, 1], 8, color=PALETTE[-1], marker=".", lw=0, label="other")
        axes.scatter(points[rest & fresh, 0], points[rest & fresh, 1], 26, color=PALETTE[-1], marker="o", lw=0.8, edgecolor=INK)
    axes.set(xticks=[], yticks=[])
    axes.margins(0.03)
    for side in axes.spines.values():
        side.set_visible(False)
    _legend(figure, len(own))
    return figure


def logarithmic(axes: Axes, *names: str) -> None:
    """Make the axes named ("x", "y") logarithmic once all is drawn, with plain numbers: matplotlib's own are formulas, which the
    style does not read. Powers of ten alone would leave a short axis without any number."""
    for name in names:
        axes.set(**{f"{name}scale": "log"})
        axis = axes.xaxis if name == "x" else axes.yaxis
        low, high = axis.get_view_interval()
        if 0 < high < 5 * low:
            axis.set_major_locator(MaxNLocator(5))
        elif high < 500 * low:
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        axis.set_minor_formatter(FuncFormatter(lambda value, _: ""))


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """A sorting key that puts "supercategory 2" before "supercategory 10"."""
    return [(not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in re.split(r"(\d+)", name) if part]


def _legend(figure: Figure, entries: int) -> None:
    """A legend above the axes, where it covers nothing, in as many columns as its names allow; none for a single unnamed series."""
    axes: Axes = figure.axes[0]
    handles, labels = axes.get_legend_handles_labels()
    if entries > 1 and handles:
        columns = min(len(handles), 3, max(1, LEGEND_LINE // (max(map(len, labels)) + LEGEND_HANDLE)))
        figure.set_figheight(figure.get_figheight() + LEGEND_ROW * (-(-len(handles) // columns) - 1))
        figure.legend(handles, labels, loc="outside upper left", ncols=columns, handletextpad=0.5, columnspacing=1.2)
