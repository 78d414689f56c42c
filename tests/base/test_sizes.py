"""Amounts of memory and the letters of keyspace events."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nogil_df.base.keyspace_events import (
    ALL,
    EVICTED,
    EXPIRED,
    GENERIC,
    KEY_MISS,
    KEYEVENT,
    KEYSPACE,
    NEW,
    STRING,
    format_events,
    parse_events,
)
from nogil_df.base.sizes import parse_fractional_size, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("100", 100),
        ("100b", 100),
        ("1k", 1000),
        ("1kb", 1024),
        ("512mb", 512 << 20),
        ("2M", 2_000_000),
        ("12GB", 12 << 30),
        ("3g", 3_000_000_000),
        ("1tb", 1 << 40),
        ("2T", 2 * 10**12),
    ],
)
def test_sizes_in_redis_units(text: str, size: int) -> None:
    assert parse_size(text) == size
    assert parse_fractional_size(text) == size


@pytest.mark.parametrize(("text", "size"), [("1.5gb", 3 << 29), ("0.5k", 500), (".5kb", 512), ("1.0001", 1)])
def test_fractions(text: str, size: int) -> None:
    assert parse_size(text) is None
    assert parse_fractional_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "mb", "-1", "+1", "1x", "1 mb", " 1", "1.2.3k", ".", "1e3", "0x10", "9" * 5000, "\u0661kb"]
)
def test_what_is_no_size(text: str) -> None:
    assert parse_fractional_size(text) is None


@pytest.mark.parametrize(
    ("letters", "mask", "shown"),
    [
        ("", 0, ""),
        ("KEA", KEYSPACE | KEYEVENT | ALL, "AKE"),
        ("Ex", KEYEVENT | EXPIRED, "xE"),
        ("eg$K", KEYSPACE | GENERIC | STRING | EVICTED, "g$eK"),
        ("g$lshzxetd", ALL, "A"),
        ("AEm", KEYEVENT | ALL | KEY_MISS, "AEm"),
        ("nKE", KEYSPACE | KEYEVENT | NEW, "nKE"),
    ],
)
def test_event_letters(letters: str, mask: int, shown: str) -> None:
    assert parse_events(letters) == mask
    assert format_events(mask) == shown


def test_unknown_event_letter() -> None:
    assert parse_events("KEQ") is None


@given(st.text("Ag$lshzxetdmnKE"))
def test_event_letters_survive_a_round_trip(letters: str) -> None:
    mask = parse_events(letters)
    assert mask is not None
    assert parse_events(format_events(mask)) == mask
