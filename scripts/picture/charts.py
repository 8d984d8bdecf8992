"""Panels as SVG: a graph, a number, bars, a table. What each shows, and in which unit, its dashboard says."""
import time
from xml.sax.saxutils import escape

from units import shown, ticks

INK, SOFT, LINE, GRID = "#d8dce3", "#8f97a6", "#2b303b", "#252a34"
COLOURS = {"green": "#5fb878", "orange": "#f2a13c", "red": "#ee5d5b", "text": "#d8dce3"}
SERIES = ["#6fb6f0", "#f2a13c", "#7fd18b", "#c792ea", "#ee7a78", "#4fd0c7", "#e6d36b", "#f08fc0", "#9aa7ff", "#b5d467"]
NAMED_MAX = 6
ROW = 19


def text(x, y, said, size=12, colour=INK, anchor="start", weight=400):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" text-anchor="{anchor}" '
            f'font-weight="{weight}">{escape(str(said))}</text>')


def rect(x, y, width, height, fill, more=""):
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{height:.1f}" fill="{fill}" {more}/>'


def cut(said, most):
    return said if len(said) <= most else said[: most - 1] + "…"


def by_threshold(defaults, value):
    steps = (defaults.get("thresholds") or {}).get("steps", [])
    fitting = [step["color"] for step in steps if step["value"] is None or value >= step["value"]]
    return COLOURS.get(fitting[-1] if fitting else "text", INK)


def number(defaults, series, width, height):
    """One number, large."""
    if not series:
        return text(width / 2, height / 2, "no data", colour=SOFT, anchor="middle")
    value = series[0][1][-1][1]
    return text(width / 2, height / 2 + 16, shown(value, defaults["unit"]), 34, by_threshold(defaults, value), "middle", 600)


def bars(defaults, series, width, height):
    """A bar for each, the longest first."""
    rows = sorted(((values[-1][1], name) for name, values in series), reverse=True)
    most = defaults.get("max") or max((value for value, _ in rows), default=1) or 1
    high = min((height - 6) / max(len(rows), 1), 30)
    name_width, value_width = 76, 66
    room = width - name_width - value_width
    parts = []
    for place, (value, name) in enumerate(rows):
        y, colour = place * high, by_threshold(defaults, value)
        parts.append(text(name_width - 8, y + high / 2 + 4, cut(name, 11), 12, INK, "end"))
        parts.append(rect(name_width, y + 4, room, high - 8, GRID, 'rx="2"'))
        parts.append(rect(name_width, y + 4, room * min(value / most, 1), high - 8, colour, 'rx="2"'))
        parts.append(text(width, y + high / 2 + 4, shown(value, defaults["unit"]), 12, colour, "end", 600))
    return "".join(parts)


def moments(first, last):
    """Where the time axis is marked, and how: each few hours, and the day at midnight."""
    hours = 6 if last - first > 86400 else 3 if last - first > 43200 else 1
    at = (int(first) // 3600 + 1) * 3600
    while at < last:
        of = time.gmtime(at)
        if of.tm_hour % hours == 0:
            yield at, time.strftime("%a %d %b" if of.tm_hour == 0 else "%H:%M", of)
        at += 3600


def graph(defaults, series, width, height, span):
    """Lines over time, with their names below; the highest are named."""
    unit, series = defaults["unit"], [one for one in series if one[1]]
    if not series:
        return text(width / 2, height / 2, "no data", colour=SOFT, anchor="middle")
    values = [value for _, points in series for _, value in points]
    least = defaults.get("min", min(values))
    marks = ticks(least, max(max(values), least + 1e-6))
    if defaults.get("max") is not None:
        marks = ticks(least, defaults["max"])
    left, bottom = 52, 40
    wide, high = width - left - 4, height - bottom - 6
    x = lambda at: left + wide * (at - span[0]) / (span[1] - span[0])
    y = lambda value: 6 + high * (1 - (value - marks[0]) / (marks[-1] - marks[0]))
    parts = []
    for mark in marks:
        parts.append(f'<path d="M{left} {y(mark):.1f}h{wide:.1f}" stroke="{GRID}"/>')
        parts.append(text(left - 7, y(mark) + 4, shown(mark, unit), 11, SOFT, "end"))
    for at, said in moments(*span):
        parts.append(f'<path d="M{x(at):.1f} 6v{high:.1f}" stroke="{GRID}"/>')
        if left + 14 < x(at) < width - 22:
            parts.append(text(x(at), 6 + high + 15, said, 11, SOFT, "middle"))
    thin = len(series) > NAMED_MAX
    series = sorted(series, key=lambda one: -max(value for _, value in one[1])) if thin else series
    drawn = list(zip(series, (SERIES[place % len(SERIES)] for place in range(len(series)))))
    for (_, points), colour in reversed(drawn):
        # A gap is a gap.
        step = max(60, 2.5 * (span[1] - span[0]) / 240)
        path, before = [], None
        for at, value in points:
            path.append(f'{"M" if before is None or at - before > step else "L"}{x(at):.1f} {y(value):.1f}')
            before = at
        if len(points) == 1:
            parts.append(f'<circle cx="{x(points[0][0]):.1f}" cy="{y(points[0][1]):.1f}" r="3" fill="{colour}"/>')
        parts.append(f'<path d="{"".join(path)}" fill="none" stroke="{colour}" stroke-width="{1.1 if thin else 1.6}" '
                     f'stroke-linejoin="round" opacity="{0.85 if thin else 1}"/>')
    at = left
    for (name, _), colour in drawn[:NAMED_MAX]:
        parts.append(rect(at, height - 9, 12, 3, colour))
        parts.append(text(at + 17, height - 4, cut(name, 24), 11, INK))
        at += 17 + 5.9 * len(cut(name, 24)) + 12
    if len(drawn) > NAMED_MAX:
        parts.append(text(at, height - 4, f"and {len(drawn) - NAMED_MAX} more", 11, SOFT))
    return "".join(parts)


def table(columns, rows, width, height):
    """Rows of words; as many as there is room for. `columns`: name, share of the width, whether it is a number."""
    parts, whole, shown_rows = [], sum(share for _, share, _ in columns), int((height - ROW - 14) // ROW)
    edges, at = [], 0
    for name, share, is_number in columns:
        wide = width * share / whole
        edges.append((at + wide - 14, "end") if is_number else (at, "start"))
        at += wide
        parts.append(text(edges[-1][0], 13, name, 12, "#6fb6f0", edges[-1][1], 600))
    for place, row in enumerate(rows[:shown_rows]):
        y = ROW + place * ROW
        parts.append(f'<path d="M0 {y:.1f}h{width:.1f}" stroke="{LINE}"/>')
        parts += [text(x, y + 14, word, 12, INK, anchor) for (x, anchor), word in zip(edges, row)]
    if len(rows) > shown_rows:
        parts.append(text(0, ROW + shown_rows * ROW + 14, f"and {len(rows) - shown_rows} more", 11, SOFT))
    return "".join(parts)
