"""From the command line, the environment and flag files to `Options`; and `--help`.

What may be written, and where:

* on the command line `--name=value`, `--name value`, with one dash or two; for booleans also `--name` and
  `--noname`; parameters of Redis by Redis's names, also with several values (`--save 900 1`);
* in the environment `DFLY_name=value`;
* in a file given by `--flagfile`: `--name=value`, `name=value` or `name value`, one a line; `#` starts a
  comment;
* in a redis.conf that is the first argument, or comes from stdin: `-` as the last one (see `redis_conf`).

Dashes and underscores in names are the same. The command line wins over the environment, that over flag
files and redis.conf; within one of them the last word counts, but `--save`, `--client-output-buffer-limit`,
`--rename_command` and `--command_alias` add up. Anything that is not understood is a FlagError of one line
that says where it stood.
"""

from __future__ import annotations

import os
import sys

from nogil_df import __version__
from nogil_df.base.flag_names import KINDS, ignored_kind
from nogil_df.base.flags import FLAGS, GROUPS, PARSERS, FlagError, Options, parse_bool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from nogil_df.base.config_table import Parameter
    from nogil_df.base.redis_conf import ConfFile, Line

ENVIRONMENT_PREFIX = "DFLY_"

ACTIONS = {"help": "help", "helpshort": "help", "helpfull": "helpfull", "version": "version"}
"""Flags that ask for something else than running the server."""

SEVERAL_VALUES = frozenset(
    (
        "bind",
        "client_output_buffer_limit",
        "latency_tracking_info_percentiles",
        "oom_score_adj_values",
        "rename_command",
        "replicaof",
        "save",
        "shutdown_on_sigint",
        "shutdown_on_sigterm",
        "slaveof",
    )
)
"""Names that take every following argument up to the next flag, as in redis.conf."""

ADDING_UP = {"save": " ", "client_output_buffer_limit": " ", "rename_command": ",", "command_alias": ","}
"""Names whose values are joined, and with what, when they are given more than once."""


class Target:
    """What a name stands for: a flag of ours, a parameter of Redis, or a flag that is taken and ignored."""

    __slots__ = ("boolean", "kind", "name", "parameter")

    def __init__(self, name: str, kind: str, parameter: Parameter | None = None) -> None:
        self.name = name
        self.kind = kind
        self.parameter = parameter
        self.boolean = kind in ("bool", "yesno")


class Assignment:
    """`target` got `text`; `origin` says where, for messages ("" on the command line), or `line`."""

    __slots__ = ("line", "origin", "target", "text")

    def __init__(self, target: Target, text: str, origin: str = "", line: Line | None = None) -> None:
        self.target = target
        self.text = text
        self.origin = origin
        self.line = line


def parse_flags(
    argv: Sequence[str],
    environ: Mapping[str, str],
    read_text: Callable[[str], str] | None = None,
) -> tuple[str, Options]:
    """Understand everything that was said about flags.

    `argv` comes without the program's name; `read_text` reads a flag file or redis.conf, "-" being stdin (a
    seam for tests). Returns what to do ("run", "help", "helpfull" or "version") and the options (the defaults
    unless it is "run"). Raises FlagError for whatever is not understood.
    """
    config_file, argv, stdin = _split_config_file(argv)
    action, from_command_line = parse_arguments(argv)
    if action != "run":
        return action, Options()
    from_environment = parse_environment(environ)
    paths = _last_text("flagfile", from_environment + from_command_line)
    from_files: list[Assignment] = []
    for path in paths.split(","):
        if path:
            from_files += parse_flagfile(path, read_text or _read_text)
    conf = None
    if config_file or stdin:
        from nogil_df.base.redis_conf import ConfFile

        conf = ConfFile(read_text or _read_text)
        for source in filter(None, (config_file, stdin)):
            conf.read(source)
        from_files = conf.assignments + from_files
    options = _make_options((from_files, from_environment, from_command_line), conf)
    return action, options.at(os.path.abspath(config_file)) if config_file else options


def find_target(name: str) -> Target | None:
    """What the flag `name`, written with dashes or underscores, stands for; None if nothing."""
    key = name.replace("-", "_")
    definition = FLAGS.get(key)
    if definition is not None:
        return Target(key, definition.kind)
    from nogil_df.base.config_table import REDIS_PARAMETERS

    for definition in FLAGS.values():
        if definition.redis.replace("-", "_") == key:
            return Target(definition.name, definition.kind)
    for parameter in REDIS_PARAMETERS:
        if key in (parameter.name.replace("-", "_"), parameter.alias.replace("-", "_")):
            return Target(parameter.name.replace("-", "_"), parameter.kind, parameter)
    kind = ignored_kind(key)
    return None if kind is None else Target(key, kind)


def _find_negated(name: str) -> Target | None:
    """The boolean that `noNAME` switches off; None if `name` is not of that form."""
    if not name.startswith("no"):
        return None
    target = find_target(name[2:].lstrip("-_")) if len(name) > 2 else None
    return target if target is not None and target.boolean else None


# --- the command line ---


def _split_config_file(argv: Sequence[str]) -> tuple[str, Sequence[str], str]:
    """The path of a redis.conf ("" for none), the flags, and "-" if a redis.conf comes from stdin as well."""
    path = stdin = ""
    if argv and argv[0] and not argv[0].startswith("-"):
        path, argv = argv[0], argv[1:]
    if argv and argv[-1] == "-":
        stdin, argv = "-", argv[:-1]
    return path, argv, stdin


def parse_arguments(argv: Sequence[str]) -> tuple[str, list[Assignment]]:
    """The action and the assignments of a command line, in order. Raises FlagError."""
    if list(argv) in (["-v"], ["-h"]):
        return ("version" if argv[0] == "-v" else "help"), []
    assignments: list[Assignment] = []
    at = 0
    while at < len(argv):
        name, equals, text = _split_argument(argv[at])
        at += 1
        if name in ACTIONS:
            return ACTIONS[name], []
        target = find_target(name)
        if target is None:
            assignments.append(_negation(name, equals))
            continue
        if not equals:
            taken, text = _following_value(target, name, argv[at:])
            at += taken
        assignments.append(Assignment(target, text))
    return "run", assignments


def _split_argument(argument: str) -> tuple[str, str, str]:
    """`--name=value` to name, "=", value; raises FlagError for what is no flag."""
    bare = argument[2:] if argument.startswith("--") else argument[1:]
    if not argument.startswith("-") or not bare:
        raise FlagError(f"unexpected argument {argument!r}; flags are written --name=value")
    return bare.partition("=")


def _negation(name: str, equals: str, origin: str = "") -> Assignment:
    target = None if equals else _find_negated(name)
    if target is None:
        raise FlagError(_unknown(name) + origin)
    return Assignment(target, "no", origin)


def _following_value(target: Target, name: str, rest: Sequence[str]) -> tuple[int, str]:
    """The value of a flag written without "=": how many arguments it takes, and its text."""
    if target.boolean:
        if rest and parse_bool(rest[0]) is not None:
            return 1, rest[0]
        return 0, "yes"
    if target.name in SEVERAL_VALUES:
        values: list[str] = []
        for argument in rest:
            if _is_flag(argument):
                break
            values.append(argument)
        if values:
            return len(values), _join_values(target.name, values)
    elif rest and not (rest[0].startswith("--") and _is_flag(rest[0])):
        return 1, rest[0]
    raise FlagError(f"flag --{name} needs a value")


def _join_values(name: str, values: list[str]) -> str:
    if name == "rename_command" and len(values) == 2 and "=" not in values[0]:
        return "=".join(values)
    return " ".join(values)


def _is_flag(argument: str) -> bool:
    """True for what looks like a flag and is one, or looks so much like one that it can be nothing else."""
    name = argument.lstrip("-").partition("=")[0]
    if argument.startswith("--"):
        return bool(name)
    return argument.startswith("-") and find_target(name) is not None


def _unknown(name: str) -> str:
    """The message for an unknown flag, with the name that was perhaps meant."""
    from difflib import get_close_matches

    near = get_close_matches(name.replace("-", "_"), [*FLAGS, *ACTIONS, *KINDS], n=1, cutoff=0.75)
    return f"unknown flag --{name}" + (f"; did you mean --{near[0]}?" if near else "")


# --- the environment and flag files ---


def parse_environment(environ: Mapping[str, str]) -> list[Assignment]:
    """The assignments of all variables `DFLY_name`. Raises FlagError if there is no flag of such a name."""
    assignments = []
    for variable in sorted(environ):
        if variable.startswith(ENVIRONMENT_PREFIX):
            name = variable[len(ENVIRONMENT_PREFIX) :]
            origin = f" (environment variable {variable})"
            target = find_target(name)
            if target is None:
                raise FlagError(_unknown(name) + origin)
            assignments.append(Assignment(target, environ[variable], origin))
    return assignments


def _read_text(path: str) -> str:
    if path == "-":
        return sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


def parse_flagfile(
    path: str, read_text: Callable[[str], str], outer: tuple[str, ...] = ()
) -> list[Assignment]:
    """The assignments of a flag file, in order; a `flagfile` line in it is replaced by that file's lines.

    Raises FlagError if a file cannot be read, names itself, or has a line that is not understood.
    """
    if path in outer:
        raise FlagError(f"flag file {path!r} includes itself")
    try:
        text = read_text(path)
    except OSError as error:
        raise FlagError(f"cannot read flag file {path!r}: {error.strerror or error}") from None
    assignments: list[Assignment] = []
    for number, line in enumerate(text.split("\n"), 1):
        assignment = parse_flagfile_line(line, f" ({path}, line {number})")
        if assignment is None:
            continue
        if assignment.target.name == "flagfile":
            assignments += parse_flagfile(assignment.text, read_text, (*outer, path))
        else:
            assignments.append(assignment)
    return assignments


def split_flagfile_line(line: str) -> tuple[str, str, str] | None:
    """Name, separator ("=", " " or "") and value of a line; None for comments and empty lines."""
    line = line.strip()
    if not line or line.startswith("#"):
        return None
    bare = line[2:] if line.startswith("--") else line[1:] if line.startswith("-") else line
    words = bare.split(None, 1)
    if len(words) == 2 and "=" not in words[0] and not words[1].startswith("="):
        return words[0], " ", words[1]
    name, equals, text = bare.partition("=")
    return name.strip(), equals, text.strip()


def parse_flagfile_line(line: str, origin: str = "") -> Assignment | None:
    """The assignment of one line of a flag file; None for comments and empty lines. Raises FlagError."""
    parts = split_flagfile_line(line)
    if parts is None:
        return None
    name, separator, text = parts
    target = find_target(name)
    if target is None:
        return _negation(name, separator, origin)
    if not separator:
        if not target.boolean:
            raise FlagError(f"flag --{name} needs a value{origin}")
        text = "yes"
    elif separator == " " and target.name == "rename_command":
        text = _join_values(target.name, text.split())
    return Assignment(target, text, origin)


# --- the result ---


def _last_text(name: str, assignments: Iterable[Assignment]) -> str:
    text = ""
    for assignment in assignments:
        if assignment.target.name == name:
            text = assignment.text
    return text


def _make_options(sources: Iterable[list[Assignment]], conf: ConfFile | None = None) -> Options:
    """Options of all assignments, the weakest source first."""
    latest: dict[str, Assignment] = {}
    for source in sources:
        latest |= join_assignments(source)
    values: dict[str, Any] = {}
    config: list[tuple[str, str]] = []
    ignored: list[str] = []
    for name, assignment in latest.items():
        try:
            if name in FLAGS:
                values[name] = FLAGS[name].parse(assignment.text)
            elif assignment.target.parameter is not None:
                text, effective = _check_parameter(assignment.target.parameter, assignment.text)
                config.append((assignment.target.parameter.name, text))
                ignored += [] if effective else [name]
            else:
                _check_ignored(assignment.target, assignment.text)
                ignored.append(name)
        except FlagError as error:
            if assignment.line is not None:
                raise assignment.line.error(str(error)) from None
            raise FlagError(f"{error}{assignment.origin}") from None
    if "flagfile" in values:
        values["flagfile"] = os.path.abspath(values["flagfile"].partition(",")[0])
    if ("cluster-enabled", "yes") in config:
        values.setdefault("cluster_mode", "emulated")
    if conf is None:
        return Options(config=config, ignored=ignored, **values)
    users = tuple(conf.users.values())
    if users and values.get("aclfile"):
        raise FlagError(
            "users are declared in redis.conf and an ACL file is named: only one of them can be used"
        )
    return Options(config=config, ignored=[*ignored, *conf.ignored], users=users, **values)


def join_assignments(assignments: Iterable[Assignment]) -> dict[str, Assignment]:
    """The assignments of one source by name: the last one, or all of them joined."""
    latest: dict[str, Assignment] = {}
    for assignment in assignments:
        name = assignment.target.name
        before = latest.get(name)
        if before is not None and name in ADDING_UP and before.text and assignment.text:
            joined = before.text + ADDING_UP[name] + assignment.text
            assignment = Assignment(assignment.target, joined, assignment.origin)
        latest[name] = assignment
    return latest


def _check_parameter(parameter: Parameter, text: str) -> tuple[str, bool]:
    """The text of a parameter of Redis as CONFIG GET will show it, and whether that changes anything here."""
    from nogil_df.base.config_table import EFFECTIVE
    from nogil_df.base.config_values import parse_value, show_value

    word = parse_bool(text) if parameter.kind == "yesno" else None
    if word is not None:
        text = "yes" if word else "no"
    try:
        shown = show_value(parameter, parse_value(parameter, text))
    except ValueError as error:
        raise FlagError(f"bad value {text!r} for flag --{parameter.name}: {error}") from None
    return shown, parameter.name in EFFECTIVE or shown == parameter.default


def _check_ignored(target: Target, text: str) -> None:
    try:
        PARSERS[target.kind](text)
    except ValueError as error:
        raise FlagError(f"bad value {text!r} for flag --{target.name}: it {error}") from None


# --- help ---


def version_text() -> str:
    """What `--version` prints."""
    build = "free-threaded" if "free-threading" in sys.version else "with GIL"
    return f"nogil-df {__version__} (Python {sys.version.split()[0]}, {build})"


def help_text(*, full: bool = False) -> str:
    """What `--help` prints: the flags by group; with `full` also the names that are taken and ignored."""
    lines = [
        f"nogil-df {__version__}: a drop-in Redis and Memcached server for free-threaded Python",
        "",
        "Usage: nogil-df [redis.conf] [--name=value | --name value]... [-]",
        "",
        "Booleans may be written --name and --noname. Flags may also come from the environment, as",
        "DFLY_name=value, and from a file, with --flagfile=FILE; the command line wins over the",
        "environment, that over files. Redis's configuration parameters are taken too, as in",
        "--save '' --appendonly no, and so is Redis's configuration file: as the first argument, or",
        "from stdin with - as the last one.",
    ]
    for group in GROUPS:
        lines += ["", f"{group}:"]
        for definition in FLAGS.values():
            if definition.group == group:
                shown = f"  --{definition.name}={definition.text(definition.default)}"
                lines += _entry(shown, definition.help)
    lines += ["", "Other:"]
    lines += _entry("  --help, --helpfull", "this text; the same and the names of ignored flags")
    lines += _entry("  --version", "versions of server and interpreter")
    if full:
        lines += ["", "Taken for the sake of Dragonfly's start scripts, and ignored:"]
        lines += _wrap(sorted(KINDS), 100, "  ")
    return "\n".join(lines) + "\n"


def _entry(left: str, right: str, column: int = 36, width: int = 100) -> list[str]:
    """One flag in two columns; the help continues below itself."""
    rows = _wrap(right.split(), width - column, "")
    if len(left) >= column:
        rows.insert(0, "")
    return [
        (f"{left:{column}}{row}" if n == 0 else " " * column + row).rstrip() for n, row in enumerate(rows)
    ]


def _wrap(words: Iterable[str], width: int, indent: str) -> list[str]:
    rows = [indent]
    for word in words:
        if len(rows[-1]) + len(word) + 1 > width:
            rows.append(indent)
        rows[-1] += word if rows[-1] == indent else " " + word
    return rows
