"""The command `nogil-df`: flags, the GIL, and then the server.

The order matters. Flags come first, so that `--help` and mistakes are answered within milliseconds. Then,
on a free-threaded interpreter, the process replaces itself by one whose GIL is forced off, unless it is
that already: this has to happen before any C extension is imported, for one that does not declare
free-threading support would turn the GIL on for the whole process. Only then is the server imported, and
what the GIL does afterwards is checked once more.

Exit codes: 0 after a clean stop, 1 when the server cannot start, 130 when Ctrl-C came before it had started.
"""

from __future__ import annotations

import os
import sys

from nogil_df.base.flags import FlagError, Options
from nogil_df.base.interpreter import is_free_threaded, is_gil_enabled, is_gil_forced_off

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit code.

    `argv` are the arguments without the program's name; None stands for those of the process. Only then may
    the process be replaced by one without a GIL; a caller that passes arguments has to see to the GIL itself.
    """
    try:
        return _main(sys.argv[1:] if argv is None else argv, may_replace=argv is None)
    except KeyboardInterrupt:
        return INTERRUPTED


def _main(argv: Sequence[str], *, may_replace: bool) -> int:
    from nogil_df.base.flag_parsing import help_text, parse_flags, version_text

    try:
        action, options = parse_flags(argv, os.environ)
        if action == "version":
            return _print(version_text() + "\n")
        if action != "run":
            return _print(help_text(full=action == "helpfull"))
        _check_directory(options)
        if may_replace:
            _replace_process()
            # The process is ours alone: only then may something be settled for all of it.
            from nogil_df.shard.table import prepare_process

            prepare_process()
        return _run(_for_interpreter(options))
    except FlagError as error:
        return _fail(str(error))


def _check_directory(options: Options) -> None:
    if options.dir and not os.path.isdir(options.dir):
        raise FlagError(f"bad value {options.dir!r} for flag --dir: there is no such directory")


def _replace_process() -> None:
    """Start over with the GIL forced off, where that is possible and not done yet.

    The interpreter's own options stay as they were; of several `-X gil` the first one counts.
    """
    replaced = sys.orig_argv[1:3] == ["-X", "gil=0"]
    if is_free_threaded() and not is_gil_forced_off() and not replaced and sys.executable:
        command = [sys.executable, "-X", "gil=0", *sys.orig_argv[1:]]
        if os.name == "nt":
            # There `execv` makes another process and lets this one end, and the shell thinks all is over.
            import subprocess

            sys.exit(subprocess.run(command, check=False).returncode)
        os.execv(sys.executable, command)


def _for_interpreter(options: Options) -> Options:
    """The options, but with one shard thread on an interpreter that always has a GIL."""
    if is_free_threaded():
        return options
    return options.replace(proactor_threads=1)


def _run(options: Options) -> int:
    from nogil_df.base import log

    try:
        log.open_log(options)
    except OSError as error:
        return _fail(f"cannot log to {options.log_dir!r}: {error.strerror or error}")
    try:
        return _serve(options)
    finally:
        log.close_log()


def _serve(options: Options) -> int:
    """Run the server until it stops; its exit code."""
    from nogil_df.base import flag_names, log, redis_conf
    from nogil_df.server import run

    if is_free_threaded() and is_gil_enabled():
        return _fail("the GIL is on, by an imported C extension or by force; start with `python -X gil=0`")
    if not is_free_threaded():
        log.warning("this interpreter has a GIL: running with one shard thread")
    reasons = flag_names.WHY_NOT | redis_conf.WHY_NOT
    for name in options.ignored:
        why = reasons.get(name, "")
        log.notice(f"{_spelled(name, options)} has no effect here and is ignored" + (why and f": {why}"))
    return run(options)


def _print(text: str) -> int:
    """Print to stdout; a reader that has gone (`nogil-df --help | head`) is no failure."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _spelled(name: str, options: Options) -> str:
    """A flag as it may have been written."""
    return f"{name.replace('_', '-')} of redis.conf" if options.config_file else f"flag --{name}"


def _fail(message: str) -> int:
    """One line on stderr, and the exit code for it; more only for redis.conf, as redis-server does."""
    if not message.startswith("\n*** "):
        message = "nogil-df: " + message.replace("\n", " ")
    print(message, file=sys.stderr)
    return 1
