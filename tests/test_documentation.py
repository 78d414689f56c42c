"""What the documentation says is checked against the program: its tables, its links, its file names."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tools import reference

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)")
_MODULE = re.compile(r"`((?:nogil_df|tests|tools|stress|bench)/[\w/]+\.(?:py|pyx|pxd))`")
_BRIEF_MODULE = re.compile(
    r"`((?:acl|base|commands|console|memcached|net|rdb|scripting|shard|snapshot|vll|wire)/\w+\.(?:py|pyx|pxd))`"
)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_tables_of_commands_and_flags_are_up_to_date() -> None:
    assert reference.outdated() == [], "run `python -m tools.reference`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in _LINK.findall(page.read_text(encoding="utf-8")):
        if target.startswith(("http:", "https:")):
            continue
        path = page.parent / target if target else page
        assert path.exists(), f"{page.name}: no {target}"
        assert not anchor or anchor in anchors(path), f"{page.name}: no #{anchor} in {path.name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_modules_that_are_named_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = _MODULE.findall(text) + [f"nogil_df/{name}" for name in _BRIEF_MODULE.findall(text)]
    missing = [name for name in named if not (ROOT / name).exists()]
    assert not missing, f"{page.name} names {missing}"


def test_the_layers_are_those_that_imports_are_held_to() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (held,) = (one["layers"] for one in contracts if one["type"] == "layers")
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    section = text.partition("## Layers")[2].partition("\n## ")[0]
    told = re.findall(r"^\| `nogil_df\.(\w+)` \|", section, re.MULTILINE)
    assert told == [name for name in held if name != "__main__"]
