#!/usr/bin/env python3
"""A picture of a dashboard, drawn from what a hub answers to the dashboard's own queries.

    pingup-loadtest demo                                  # in another terminal
    scripts/picture/draw.py pingup-demo/viewer.token docs/pictures/fleet.png

Panels stand where the dashboard has them, and show what it says in its units. It is not Grafana's own rendering: lines,
bars and tables are drawn here (`charts.py`) and put on a page that a headless Chromium makes a picture of.
"""
import argparse, base64, json, pathlib, re, subprocess, sys, tempfile, time, urllib.parse, urllib.request

import charts
from units import shown

BOARDS = pathlib.Path(__file__).resolve().parents[2] / "deploy/grafana/dashboards"
INTERVAL = 30
COLUMN, ROW_HEIGHT, GAP, HEAD = 48, 30, 8, 64
POINTS = 180
BROWSER = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
           "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--disable-lcd-text",
           "--force-device-scale-factor=1"]
# What of the table's columns there is room for: name, label or target, unit, share of the width.
AGENT_COLUMNS = [("Name", "instance", None, 8), ("Host", "hostname", None, 14), ("Role", "label_role", None, 6),
                 ("Site", "label_site", None, 8), ("System", "os", None, 18), ("Processor", "arch", None, 7),
                 ("CPU", "B", "percent", 7), ("Memory", "C", "percent", 7), ("Disk", "D", "percent", 7),
                 ("Way to the hub", "E", "s", 9), ("Up for", "F", "dtdurations", 7)]


class Hub:
    """Who answers."""

    def __init__(self, url, token):
        self.url = f"{url.rstrip('/')}/prometheus/api/v1/"
        self.headers = {"Authorization": "Basic " + base64.b64encode(f"any:{token}".encode()).decode()}

    def ask(self, path, **parameters):
        request = urllib.request.Request(self.url + path, urllib.parse.urlencode(parameters).encode(), self.headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["data"]["result"]


def filled(expression, step):
    """The expression with everything chosen, and the ranges that Grafana would put in."""
    ranges = {"$__rate_interval": f"{max(step + INTERVAL, 4 * INTERVAL)}s", "$__interval": f"{step}s"}
    for name, value in {**ranges, "$instance": ".+", "$job": ".+"}.items():
        expression = expression.replace(name, value)
    return expression


def named(template, labels):
    """What a series is called."""
    return re.sub(r"\{\{ *(\w+) *\}\}", lambda found: labels.get(found[1], ""), template or "")


def answers(hub, panel, span, step):
    """The series of a panel: names, and moments with values."""
    series = []
    for target in panel["targets"]:
        query = filled(target["expr"], step)
        if target.get("instant"):
            found = hub.ask("query", query=query, time=span[1])
            points = [[one["value"]] for one in found]
        else:
            found = hub.ask("query_range", query=query, start=span[0], end=span[1], step=step)
            points = [one["values"] for one in found]
        for one, values in zip(found, points):
            name = named(target.get("legendFormat"), one["metric"])
            series.append((name, [(at, float(value)) for at, value in values]))
    return series


def agents(hub, panel, span, step):
    """The rows of the table of all agents."""
    by_target, labels = {}, {}
    for target in panel["targets"]:
        for one in hub.ask("query", query=filled(target["expr"], step), time=span[1]):
            agent = one["metric"]["agent_id"]
            labels.setdefault(agent, {}).update(one["metric"])
            by_target.setdefault(target["refId"], {})[agent] = float(one["value"][1])

    def word(agent, key, unit):
        if unit is None:
            return labels[agent].get(key, "")
        value = by_target.get(key, {}).get(agent)
        return "-" if value is None else shown(value, unit)

    ordered = sorted(labels, key=lambda agent: labels[agent].get("instance", agent))
    columns = [(name, share, unit is not None) for name, _, unit, share in AGENT_COLUMNS]
    return columns, [[word(agent, key, unit) for _, key, unit, _ in AGENT_COLUMNS] for agent in ordered]


def drawn(hub, panel, span, step):
    """A panel where it stands, with its title."""
    place, defaults = panel["gridPos"], panel["fieldConfig"]["defaults"]
    x, y = place["x"] * COLUMN, HEAD + place["y"] * ROW_HEIGHT
    width, height = place["w"] * COLUMN - GAP, place["h"] * ROW_HEIGHT - GAP
    inner = (width - 24, height - 44)
    if panel["type"] == "table":
        body = charts.table(*agents(hub, panel, span, step), *inner)
    else:
        series = answers(hub, panel, span, step)
        draw = {"stat": charts.number, "bargauge": charts.bars, "timeseries": charts.graph}[panel["type"]]
        body = draw(defaults, series, *inner, *([span] if draw is charts.graph else []))
    frame = charts.rect(0, 0, width, height, "#181b22", f'rx="4" stroke="{charts.LINE}"')
    title = charts.text(12, 22, panel["title"], 13, charts.INK, weight=600)
    return f'<g transform="translate({x + GAP},{y})">{frame}{title}<g transform="translate(12,34)">{body}</g></g>'


def page(hub, board, hours):
    """The whole picture, and its size."""
    end = int(time.time()) // 60 * 60
    span, step = (end - hours * 3600, end), max(hours * 3600 // POINTS // 60 * 60, 60)
    bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
    width, height = 24 * COLUMN + GAP, HEAD + bottom * ROW_HEIGHT
    when = " – ".join(time.strftime("%d %b %Y %H:%M", time.gmtime(at)) for at in span)
    head = charts.text(GAP + 4, 30, board["title"], 20, charts.INK, weight=600)
    head += charts.text(GAP + 4, 50, "Drawn from the answers of a hub with the demo's fleet; not Grafana's own rendering.", 12, charts.SOFT)
    head += charts.text(width - GAP, 30, f"{when} UTC", 12, charts.SOFT, "end")
    panels = "".join(drawn(hub, panel, span, step) for panel in board["panels"])
    svg = (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
           f'font-family="Inter, \'DejaVu Sans\', sans-serif">{head}{panels}</svg>')
    style = "body{margin:0;background:#111318}svg{display:block}"
    return f'<!doctype html><meta charset="utf-8"><title>{board["title"]}</title><style>{style}</style>{svg}', width, height


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("token", type=pathlib.Path, help="a file with a viewer's token")
    parser.add_argument("picture", type=pathlib.Path, help="where the PNG goes")
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="the hub")
    parser.add_argument("--board", default="pingup-fleet", help="the dashboard's uid")
    parser.add_argument("--hours", type=int, default=36, help="how much of the past it shows")
    parser.add_argument("--browser", default="chromium", help="the program")
    given = parser.parse_args()
    board = json.loads((BOARDS / f"{given.board}.json").read_text())
    html, width, height = page(Hub(given.url, given.token.read_text().strip()), board, given.hours)
    given.picture.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pingup-picture-") as place:
        source = pathlib.Path(place) / "page.html"
        source.write_text(html)
        call = [given.browser, *BROWSER, f"--user-data-dir={place}/browser", f"--window-size={width},{height}",
                f"--screenshot={given.picture.resolve()}", source.as_uri()]
        if subprocess.run(call, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode:
            sys.exit(f"{given.browser} made no picture")
    print(f"{given.picture}: {width} by {height}, {given.picture.stat().st_size // 1000} KB")


if __name__ == "__main__":
    main()
