"""The Grafana dashboard and Prometheus's alerts: every metric that they name is on /metrics."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.console.client import fetch
from tests.servers import ROOT, NogilServer

DASHBOARD = ROOT / "docker" / "grafana" / "dashboards" / "nogil-df.json"
ALERTS = ROOT / "docker" / "prometheus" / "alerts.yml"
METRIC = re.compile(r"\b(?:dragonfly|nogil_df|process)_\w+")


@pytest.fixture(scope="module")
def exported() -> Iterator[dict[str, set[str]]]:
    """Metric -> its labels, of a server that has seen a little of everything."""
    with NogilServer(threads=2) as server:
        with server.connect() as client:
            client.execute("SET", "k", "v")
            client.execute("LPUSH", "k", "v")
        found: dict[str, set[str]] = {}
        for line in fetch(server, "/metrics").text.splitlines():
            if not line.startswith("#"):
                name, _, rest = line.partition(" ")[0].partition("{")
                found.setdefault(name, set()).update(re.findall(r'(\w+)="', rest))
        yield found


def queries() -> list[str]:
    """All queries of the dashboard."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel.get("targets", ())]


def test_the_dashboard_is_what_its_table_makes(tmp_path: Path) -> None:
    script = "import sys; sys.path.insert(0, 'tools'); import dashboard; sys.stdout.write(dashboard.text())"
    made = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert made.stdout == DASHBOARD.read_text(), "run: python3 tools/dashboard.py"


def test_the_dashboard_shows_what_there_is(exported: dict[str, set[str]]) -> None:
    named = {name for query in queries() for name in METRIC.findall(query)}
    assert len(named) > 30
    assert named <= set(exported)


def test_its_labels_exist(exported: dict[str, set[str]]) -> None:
    given_by_prometheus = {"instance", "job"}
    for query in queries():
        (first, *_) = METRIC.findall(query)
        for labels in re.findall(r"by \(([^)]*)\)", query):
            assert set(labels.replace(" ", "").split(",")) <= exported[first] | given_by_prometheus, query


def test_brackets_are_closed() -> None:
    for query in queries():
        for opened, closed in ("()", "{}", "[]"):
            assert query.count(opened) == query.count(closed), query


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_alerts_are_about_what_there_is(exported: dict[str, set[str]]) -> None:
    expressions = re.findall(r"expr: (.*)", ALERTS.read_text())
    assert len(expressions) == ALERTS.read_text().count("- alert:")
    assert {name for one in expressions for name in METRIC.findall(one)} <= set(exported)
