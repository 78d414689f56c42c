"""The table of flags, and `Options` as a value."""

from __future__ import annotations

import pytest

from nogil_df.base.config import ConfigView
from nogil_df.base.flag_names import KINDS, ignored_kind
from nogil_df.base.flags import FLAGS, GROUPS, INT64_MAX, NUMBERS, PARSERS, FlagError, Options


def test_every_flag_has_what_help_needs() -> None:
    for name, definition in FLAGS.items():
        assert definition.name == name
        assert definition.group in GROUPS
        assert definition.kind in PARSERS
        assert definition.help
        assert definition.check(definition.default) == definition.default


def test_every_default_survives_a_round_trip() -> None:
    for definition in FLAGS.values():
        assert definition.parse(definition.text(definition.default)) == definition.default


def test_every_number_that_a_flag_takes_is_one_that_its_parameter_takes() -> None:
    """The table of parameters is made of the texts of the flags, on every thread: nothing may fail there."""
    for definition in FLAGS.values():
        if definition.kind not in NUMBERS:
            continue
        assert definition.low is not None
        high = INT64_MAX if definition.high is None else definition.high
        for value in (definition.low, high if definition.kind != "float" else float(1 << 62)):
            text = definition.text(definition.check(min(value, high)))
            assert ConfigView(Options(**{definition.name: definition.parse(text)}))


def test_no_flag_is_both_working_and_ignored() -> None:
    assert not set(FLAGS) & set(KINDS)
    assert set(KINDS.values()) <= set(PARSERS)
    assert ignored_kind("uring_direct_table_len") == "text"
    assert ignored_kind("port") is None


def test_options_are_defaults_until_told_otherwise() -> None:
    options = Options()
    assert options.port == 6379
    assert options.bind == ("*", "-::*")
    assert options.protected_mode is True
    assert options.given == frozenset()
    changed = Options(port=0, maxmemory="1.5gb", bind="127.0.0.1, ::1", rename_command="flushall=x,config=")
    assert changed.port == 0
    assert changed.maxmemory == 3 << 29
    assert changed.bind == ("127.0.0.1", "::1")
    assert changed.rename_command == (("FLUSHALL", "X"), ("CONFIG", ""))
    assert changed.given == {"port", "maxmemory", "bind", "rename_command"}
    assert options.port == 6379


def test_options_do_not_change() -> None:
    options = Options(port=1)
    with pytest.raises(AttributeError, match="replace"):
        options.port = 2
    other = options.replace(timeout=5)
    assert (other.port, other.timeout, options.timeout) == (1, 5, 0)
    assert repr(other) == "Options(port=1, timeout=5)"


def test_no_words_stand_for_the_default() -> None:
    assert Options(bind="").bind == Options(bind=()).bind == ("*", "-::*")


def test_an_octal_mode_and_its_text() -> None:
    assert Options(unixsocketperm="770").unixsocketperm == 0o770
    assert FLAGS["unixsocketperm"].text(0o770) == "770"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("port", "x", "bad value 'x' for flag --port: it must be a whole number"),
        ("port", "1.5", "bad value '1.5' for flag --port: it must be a whole number"),
        ("port", "", "bad value '' for flag --port: it must be a whole number"),
        ("port", 65536, "bad value 65536 for flag --port: it must be between -1 and 65535"),
        ("port", True, "bad value True for flag --port: it must be int"),
        ("dbnum", "0", "bad value '0' for flag --dbnum: it must be between 1 and 2147483647"),
        ("acllog_max_len", str(1 << 63), f"it must be between 0 and {(1 << 63) - 1}"),
        ("tx_queue_warning_len", -1, f"it must be between 0 and {(1 << 63) - 1}"),
        ("oom_deny_ratio", str(1 << 63), f"it must be between 0 and {(1 << 63) - 1}"),
        ("aclfile", "users\0.acl", "it must not have a NUL in it"),
        ("maxmemory", "lots", "it must be an amount of memory, such as 512mb or 12gb"),
        ("tcp_nodelay", "maybe", "it must be true or false"),
        ("loglevel", "chatty", "it must be one of debug, verbose, notice, warning"),
        ("unixsocketperm", "999", "it must be an octal file mode, such as 700"),
        ("notify_keyspace_events", "Q", "it must be made of the letters of Ag$lshzxetdmnKE"),
        ("command_alias", "x", "it must be a list of NAME=NAME, separated by commas"),
        ("rename_command", "=x", "it must be a list of NAME=NAME, separated by commas"),
        ("no_such_flag", 1, "unknown flag --no_such_flag"),
    ],
)
def test_bad_values(name: str, value: object, message: str) -> None:
    with pytest.raises(FlagError) as caught:
        Options(**{name: value})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
