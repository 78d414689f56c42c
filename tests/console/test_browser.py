"""The console in a real browser, with load on the server: what it shows, in every size and both themes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.console.browser import NAMES, Browser, is_installed
from tests.console.client import basic
from tests.servers import NogilServer, Server

pytestmark = pytest.mark.skipif(not is_installed(), reason=f"none of {', '.join(NAMES)} is installed here")

HOSTILE = "<img/src=x/onerror=window.hacked=1>"

VIEWS = {
    "overview": "document.querySelectorAll('#busiest tbody tr').length > 1",
    "commands": "document.querySelectorAll('#commands-table tbody tr').length > 2",
    "shards": "document.querySelectorAll('.lane').length == 2",
    "clients": "document.querySelectorAll('#clients-table tbody tr').length > 1",
    "slowlog": "document.querySelectorAll('#slowlog-table tbody tr').length > 1",
    "snapshots": "document.querySelectorAll('#snapshots-table tbody tr').length > 5",
    "config": "document.querySelectorAll('#config-table tbody tr').length > 50",
    "info": "document.querySelectorAll('#info-sections table').length > 5",
}
"""View -> what is true once it is there."""

DRAWN = """(() => {
  const canvases = [...document.querySelectorAll('#charts canvas')];
  return canvases.length >= 6 && canvases.every((canvas) => {
    const { width, height } = canvas;
    if (!width || !height) return false;
    // Behind the axes' labels: what is there is a line of the plot.
    const left = Math.round(width / 4);
    const data = canvas.getContext('2d').getImageData(left, 0, width - left, height).data;
    const colours = new Set();
    for (let at = 0; at < data.length; at += 4) {
      if (data[at + 3] > 200) colours.add(data.slice(at, at + 3).join());
    }
    return colours.size > 2;
  });
})()"""

KEPT = "JSON.parse(sessionStorage.getItem('points')).points.length"
"""How many points the page kept when it was left."""


@pytest.fixture(scope="module")
def busy() -> Iterator[Server]:
    """A server with load and a password."""
    with NogilServer("--slowlog_log_slower_than=0", threads=2) as server:
        load = subprocess.Popen(
            [
                *("redis-benchmark", "-h", server.host, "-p", str(server.port), "-l", "-q", "-c", "4"),
                *("-P", "4", "-r", "10000", "-t", "set,get,mset,lpush", "-n", "2000"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield server
        finally:
            load.kill()
            load.wait()


@pytest.fixture(scope="module")
def page(busy: Server) -> Iterator[Browser]:
    """The console, open."""
    with Browser() as browser:
        browser.look(1440, 1000)
        browser.go(f"http://{busy.host}:{busy.port}/")
        browser.wait_for("document.getElementById('state')?.dataset.state == 'live'")
        yield browser


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_has_something_to_show(page: Browser, view: str) -> None:
    page.run(f"location.hash = '#{view}'")
    page.wait_for(VIEWS[view])
    shown = page.run(
        "[...document.querySelectorAll('main > section')].filter((one) => !one.hidden).map((one) => one.id)"
    )
    assert shown == [f"view-{view}"]
    assert page.run("document.querySelector('.views [aria-current]').hash") == f"#{view}"
    assert page.errors == []


def test_the_plots_are_drawn_and_move(page: Browser) -> None:
    page.run("location.hash = '#overview'")
    page.wait_for(DRAWN)
    before = page.run("document.querySelector('#charts canvas').toDataURL()")
    page.wait_for(f"document.querySelector('#charts canvas').toDataURL() != {before!r}")
    page.wait_for("/^[0-9.]+k?.s$/.test(document.querySelector('.tile .value').textContent)")


def test_a_reload_keeps_the_plots(page: Browser) -> None:
    page.wait_for(DRAWN)
    page.wait_for(f"(dispatchEvent(new Event('pagehide')), {KEPT} >= 2)")
    loaded = page.run("performance.timeOrigin")
    page.run("setTimeout(() => location.reload())")
    page.wait_for(
        f"performance.timeOrigin != {loaded} && document.getElementById('state')?.dataset.state == 'live'"
    )
    assert page.run(KEPT) >= 2
    page.wait_for(DRAWN)


def test_pause_holds_the_plots(page: Browser) -> None:
    """Also if an answer of the server was under way: the page is made to wait for one, and asked after it."""
    page.run(
        "window.told = 0; window.really = window.fetch; window.fetch = async (...words) => {"
        " const answer = await really(...words);"
        " if (window.told === 0) document.getElementById('pause').click();"
        " window.told += 1; return answer; }"
    )
    page.wait_for("window.told > 0 && document.getElementById('state').textContent == 'paused'")
    page.run("window.fetch = window.really")
    for _ in range(3):
        page.run("new Promise(done => requestAnimationFrame(done))")
    assert page.run("document.getElementById('state').textContent") == "paused"
    page.run("document.getElementById('pause').click()")
    page.wait_for("document.getElementById('state').textContent == 'live'")


@pytest.mark.parametrize(
    ("width", "height", "mobile"), [(1440, 1000, False), (820, 1180, True), (360, 740, True)]
)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_fits_and_has_two_themes(
    page: Browser, tmp_path: Path, width: int, height: int, mobile: bool, dark: bool
) -> None:
    page.look(width, height, dark=dark, mobile=mobile)
    for view in VIEWS:
        page.run(f"location.hash = '#{view}'")
        page.wait_for(VIEWS[view])
        assert page.run("document.documentElement.scrollWidth") <= width, view
    light = page.run("Number(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])")
    assert (light < 64) is dark
    page.screenshot(str(tmp_path / "page.png"))
    assert (tmp_path / "page.png").stat().st_size > 10_000
    page.look(1440, 1000)


def test_the_button_overrules_the_system(page: Browser) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    before = page.run(background)
    page.run("document.getElementById('theme').click()")
    page.run("document.getElementById('theme').click()")
    assert page.run("document.getElementById('theme').textContent") == "Theme: dark"
    assert page.run(background) != before
    page.run("document.getElementById('theme').click()")
    assert page.run(background) == before


def test_names_and_keys_are_not_taken_for_html(server: Server) -> None:
    with server.connect() as client, Browser() as browser:
        client.execute("CONFIG", "SET", "slowlog-log-slower-than", "0")
        client.execute("SET", HOSTILE, "x")
        client.execute("CONFIG", "SET", "slowlog-log-slower-than", "-1")
        client.execute("CLIENT", "SETNAME", HOSTILE)
        for view in ("clients", "slowlog"):
            browser.go(f"http://{server.host}:{server.port}/#{view}")
            browser.wait_for(f"document.getElementById('view-{view}')?.textContent.includes('<img/src=x')")
        assert browser.run("window.hacked") is None
        assert browser.run("document.querySelectorAll('main img').length") == 0


def test_everything_comes_from_the_server(page: Browser) -> None:
    origins = page.run(
        "[...new Set(performance.getEntriesByType('resource').map((one) => new URL(one.name).origin))]"
    )
    assert origins == [page.run("location.origin")]
    assert page.errors == []


def test_every_control_has_a_name(page: Browser) -> None:
    nameless = page.run(
        "[...document.querySelectorAll('button, select, input, a, canvas[role=img]')].filter((one) =>"
        " !(one.textContent.trim() || one.getAttribute('aria-label') || one.labels?.length)).length"
    )
    assert nameless == 0
    assert page.run("document.querySelectorAll('h1').length") == 1
    assert page.run("document.documentElement.lang") == "en"


def test_with_a_password(guarded: Server) -> None:
    with Browser() as browser:
        asked = browser.call("Page.navigate", url=f"http://{guarded.host}:{guarded.port}/")
        # There is nobody to type one in.
        assert asked["errorText"] == "net::ERR_INVALID_AUTH_CREDENTIALS"
        browser.send_headers(Authorization=basic("sesame"))
        browser.go(f"http://{guarded.host}:{guarded.port}/")
        browser.wait_for("document.getElementById('state')?.dataset.state == 'live'")
        assert not [error for error in browser.errors if "status of 401" not in error]


def test_it_says_when_the_server_is_gone() -> None:
    with NogilServer(threads=2) as server, Browser() as browser:
        browser.go(f"http://{server.host}:{server.port}/")
        browser.wait_for("document.getElementById('state')?.dataset.state == 'live'")
        server.stop()
        browser.wait_for("document.getElementById('state').textContent == 'no answer, trying again'")
