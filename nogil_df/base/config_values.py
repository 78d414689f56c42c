"""How the values of configuration parameters are checked, kept and worded: one rule a kind.

A rule turns the text of CONFIG SET into the value that the server works with, or raises ValueError with
Redis's own words for what is wrong, and turns the value back into the text of CONFIG GET.  Values are made
anew by every call, so that each thread that parses a text owns what it gets (shared objects cost all
threads, see `config`). Source of the words and corner cases: redis-server 7.0.15.
"""

from __future__ import annotations

import os
from typing import Any

from nogil_df.base.config_table import LONG, ULONG, Parameter
from nogil_df.base.flags import PARSERS, parse_bool
from nogil_df.base.keyspace_events import format_events, parse_events
from nogil_df.base.sizes import UNITS, split_unit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    BufferLimits = dict[str, tuple[int, int, int]]
    """Client class ("normal", "slave", "pubsub") -> hard bytes, soft bytes, soft seconds; 0: no limit."""

CLIENT_CLASSES = {"normal": "normal", "replica": "slave", "slave": "slave", "pubsub": "pubsub"}
MEMORY_DIGITS = 127
MIN_BACKLOG = 16 << 10
MAX_HOSTNAME = 255
OOM_SCORE_BOUND = 2000
HZ_BOUNDS = (1, 500)
TITLE_VARIABLES = frozenset(
    ("title", "listen-addr", "server-mode", "port", "tls-port", "unixsocket", "config-file")
)


def parse_value(parameter: Parameter, text: str, current: Any = None) -> Any:
    """The value that `text` stands for; `current` is the value before, for parameters that are set in part.

    Raises ValueError with Redis's words.
    """
    return RULES[parameter.kind][0](parameter, text, current)


def show_value(parameter: Parameter, value: Any) -> str:
    """The text of `value` as CONFIG GET answers it; `parse_value` gives the value back."""
    show: Callable[[Any], str] = RULES[parameter.kind][1]
    return show(value)


# --- numbers ---


def _within(parameter: Parameter, value: int) -> int:
    if not parameter.low <= value <= parameter.high:
        raise ValueError(f"argument must be between {parameter.low} and {parameter.high} inclusive")
    return value


def _strict_int(text: str) -> int | None:
    """A decimal integer of 64 bits as Redis reads it: no spaces, no plus, no leading zeros."""
    digits = text[1:] if text.startswith("-") else text
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 19:
        return None
    if digits[0] == "0" and text != "0":
        return None
    value = int(text)
    return value if -LONG - 1 <= value <= LONG else None


def _parse_int(parameter: Parameter, text: str, current: Any) -> int:
    value = _strict_int(text)
    if value is None:
        raise ValueError("argument couldn't be parsed into an integer")
    return _within(parameter, value)


def _parse_hz(parameter: Parameter, text: str, current: Any) -> int:
    low, high = HZ_BOUNDS
    return min(max(_parse_int(parameter, text, current), low), high)


def _memory(text: str) -> int | None:
    """Bytes; None if it is no memory value. No digits mean 0, too much the largest amount, as in Redis."""
    parts = split_unit(text)
    if parts is None or parts[1] > UNITS["gb"] or len(parts[0]) > MEMORY_DIGITS:
        return None
    if parts[0] and not (parts[0].isascii() and parts[0].isdigit()):
        return None
    return min(int(parts[0] or "0") * parts[1], ULONG)


def _parse_memory(parameter: Parameter, text: str, current: Any) -> int:
    value = _memory(text)
    if value is None:
        raise ValueError("argument must be a memory value")
    return _within(parameter, value)


def _parse_backlog(parameter: Parameter, text: str, current: Any) -> int:
    return max(_parse_memory(parameter, text, current), MIN_BACKLOG)


def _parse_memory_or_percent(parameter: Parameter, text: str, current: Any) -> int:
    """Bytes, or a percentage of maxmemory as a negative number, which is how Redis keeps it too."""
    if text.endswith("%"):
        percent = _strict_int(text[:-1])
        if percent is None or percent < 0:
            raise ValueError("argument must be a memory or percent value")
        if percent > 100:
            raise ValueError("percentage argument must be less or equal to 100")
        return -percent
    value = _memory(text)
    if value is None or value > LONG:
        raise ValueError("argument must be a memory or percent value")
    return value


def _show_memory_or_percent(value: int) -> str:
    return f"{-value}%" if value < 0 else str(value)


# --- words ---


def _parse_yes_no(parameter: Parameter, text: str, current: Any) -> bool:
    word = text.lower()
    if word not in ("yes", "no"):
        raise ValueError("argument must be 'yes' or 'no'")
    return word == "yes"


def _parse_bool(parameter: Parameter, text: str, current: Any) -> bool:
    value = parse_bool(text)
    if value is None:
        raise ValueError("argument must be 'yes' or 'no'")
    return value


def _show_yes_no(value: bool) -> str:
    return "yes" if value else "no"


def _parse_defrag(parameter: Parameter, text: str, current: Any) -> bool:
    if _parse_yes_no(parameter, text, current):
        raise ValueError(
            "Active defragmentation cannot be enabled: it requires a Redis server compiled with a modified "
            "Jemalloc like the one shipped by default with the Redis source distribution"
        )
    return False


def _bad_choice(parameter: Parameter) -> ValueError:
    return ValueError("argument(s) must be one of the following: " + ", ".join(parameter.choices))


def _parse_choice(parameter: Parameter, text: str, current: Any) -> str:
    for choice in parameter.choices:
        if choice == text.lower():
            return _own_text(parameter, choice, current)
    raise _bad_choice(parameter)


def _parse_shutdown(parameter: Parameter, text: str, current: Any) -> str:
    words = text.lower().split(" ")
    if not set(words) <= set(parameter.choices) or ("default" in words and len(words) > 1):
        raise _bad_choice(parameter)
    if "save" in words and "nosave" in words:
        raise ValueError("shutdown options SAVE and NOSAVE can't be used simultaneously")
    return " ".join(choice for choice in parameter.choices if choice in words)


def _parse_events(parameter: Parameter, text: str, current: Any) -> int:
    mask = parse_events(text)
    if mask is None:
        raise ValueError("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
    return mask


def _own_text(parameter: Parameter, text: str, current: Any) -> str:
    """A copy of the text that belongs to the calling thread."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")


def _parse_secret(parameter: Parameter, text: str, current: Any) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _show_secret(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def _parse_hostname(parameter: Parameter, text: str, current: Any) -> str:
    if len(text) > MAX_HOSTNAME:
        raise ValueError("Hostnames must be less than 256 characters")
    if not all(letter.isascii() and (letter.isalnum() or letter in "-.") for letter in text):
        raise ValueError("Hostnames may only contain alphanumeric characters, hyphens or dots")
    return _own_text(parameter, text, current)


def _parse_title(parameter: Parameter, text: str, current: Any) -> str:
    rest, valid = text, bool(text)
    while "{" in rest and valid:
        variable, closed, rest = rest.partition("{")[2].partition("}")
        valid = bool(closed) and variable in TITLE_VARIABLES
    if not valid:
        raise ValueError("template format is invalid or contains unknown variables")
    return _own_text(parameter, text, current)


# --- files ---


def _parse_directory(parameter: Parameter, text: str, current: Any) -> str:
    try:
        os.stat(os.path.join(text, ""))
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from None
    return os.path.abspath(text)


def _show_directory(value: str) -> str:
    return value or os.getcwd()


def _parse_filename(parameter: Parameter, text: str, current: Any) -> str:
    if "/" in text or "\0" in text or text in (".", ".."):
        raise ValueError(f"{parameter.name} can't be a path, just a filename")
    return _own_text(parameter, text, current)


# --- lists ---


def _fields(text: str) -> list[str]:
    """What stands between single spaces; nothing at all for an empty text."""
    return text.split(" ") if text else []


def _parse_save(parameter: Parameter, text: str, current: Any) -> tuple[tuple[int, int], ...]:
    numbers = [_strict_int(field) for field in _fields(text)]
    points = []
    for seconds, changes in zip(numbers[::2], numbers[1::2], strict=False):
        if seconds is not None and changes is not None and seconds >= 1 and changes >= 0:
            points.append((seconds, changes))
    if 2 * len(points) != len(numbers):
        raise ValueError("Invalid save parameters")
    return tuple(points)


def _show_save(value: tuple[tuple[int, int], ...]) -> str:
    return " ".join(f"{seconds} {changes}" for seconds, changes in value)


def _parse_percentiles(parameter: Parameter, text: str, current: Any) -> tuple[float, ...]:
    percentiles = []
    for field in _fields(text):
        try:
            percentile = float(field)
        except ValueError:
            percentile = float("nan")
        if percentile != percentile or "_" in field:
            raise ValueError(f"Invalid {parameter.name} parameters")
        if not 0.0 <= percentile <= 100.0:
            raise ValueError(f"{parameter.name} parameters should sit between [0.0,100.0]")
        percentiles.append(percentile)
    return tuple(percentiles)


def _show_percentiles(value: tuple[float, ...]) -> str:
    return " ".join(f"{percentile:.6f}".rstrip("0").rstrip(".") for percentile in value)


def _parse_oom_scores(parameter: Parameter, text: str, current: Any) -> tuple[int, ...]:
    fields = _fields(text)
    if len(fields) != 3:
        raise ValueError("wrong number of arguments")
    scores = []
    for field in fields:
        score = _strict_int(field)
        if score is None or not -OOM_SCORE_BOUND <= score <= OOM_SCORE_BOUND:
            raise ValueError(f"Invalid {parameter.name}, elements must be between -2000 and 2000.")
        scores.append(score)
    return tuple(scores)


def _show_numbers(value: tuple[int, ...]) -> str:
    return " ".join(map(str, value))


def _parse_buffer_limits(parameter: Parameter, text: str, current: Any) -> BufferLimits:
    """The limits of all classes: those of `current`, or the defaults, with the ones of `text` put in."""
    limits = _read_buffer_limits(parameter.default if current is None else _show_buffer_limits(current))
    limits.update(_read_buffer_limits(text))
    return limits


def _read_buffer_limits(text: str) -> BufferLimits:
    fields = _fields(text)
    if len(fields) % 4:
        raise ValueError("Wrong number of arguments in buffer limit configuration.")
    limits: BufferLimits = {}
    for at in range(0, len(fields), 4):
        name = CLIENT_CLASSES.get(fields[at].lower())
        if name is None:
            raise ValueError("Invalid client class specified in buffer limit configuration.")
        hard, soft, seconds = _memory(fields[at + 1]), _memory(fields[at + 2]), _strict_int(fields[at + 3])
        if hard is None or soft is None or seconds is None or seconds < 0:
            raise ValueError("Error in hard, soft or soft_seconds setting in buffer limit configuration.")
        limits[name] = (hard, soft, seconds)
    return limits


def _show_buffer_limits(value: BufferLimits) -> str:
    return " ".join(f"{name} {hard} {soft} {seconds}" for name, (hard, soft, seconds) in value.items())


# --- flags that Redis does not have, or writes differently ---


def _flag_rule(kind: str) -> Callable[[Parameter, str, Any], Any]:
    parse = PARSERS[kind]

    def rule(parameter: Parameter, text: str, current: Any) -> Any:
        return parse(text)

    return rule


def _parse_float(parameter: Parameter, text: str, current: Any) -> float:
    value: float = PARSERS["float"](text)
    if not parameter.low <= value <= parameter.high:
        raise ValueError(f"argument must be between {parameter.low} and {parameter.high} inclusive")
    return value


def _show_octal(value: int) -> str:
    return format(value, "o")


def _show_pairs(value: tuple[tuple[str, str], ...]) -> str:
    return ",".join(f"{left}={right}" for left, right in value)


RULES: dict[str, tuple[Callable[[Parameter, str, Any], Any], Callable[[Any], str]]] = {
    "backlog": (_parse_backlog, str),
    "bool": (_parse_bool, _show_yes_no),
    "buffer-limits": (_parse_buffer_limits, _show_buffer_limits),
    "choice": (_parse_choice, str),
    "defrag": (_parse_defrag, _show_yes_no),
    "directory": (_parse_directory, _show_directory),
    "cron": (_flag_rule("cron"), str),
    "events": (_parse_events, format_events),
    "filename": (_parse_filename, str),
    "float": (_parse_float, str),
    "hostname": (_parse_hostname, str),
    "hz": (_parse_hz, str),
    "int": (_parse_int, str),
    "memory": (_parse_memory, str),
    "memory-or-percent": (_parse_memory_or_percent, _show_memory_or_percent),
    "octal": (_flag_rule("octal"), _show_octal),
    "oom-scores": (_parse_oom_scores, _show_numbers),
    "pairs": (_flag_rule("pairs"), _show_pairs),
    "percentiles": (_parse_percentiles, _show_percentiles),
    "save": (_parse_save, _show_save),
    "secret": (_parse_secret, _show_secret),
    "shutdown": (_parse_shutdown, str),
    "text": (_own_text, str),
    "title": (_parse_title, str),
    "word": (_flag_rule("word"), str),
    "words": (_flag_rule("words"), " ".join),
    "WORDS": (_flag_rule("WORDS"), " ".join),
    "yesno": (_parse_yes_no, _show_yes_no),
}
"""Kind of a parameter -> how its text becomes a value, and a value its text. Constant."""
