"""SAVE, BGSAVE, BGREWRITEAOF, LASTSAVE, SHUTDOWN, DFLY LOAD: commands about snapshots, and about the end.

They ask the keeper (`nogil_df.commands.saver`) and wait for its answer, which lets their thread serve others.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from typing import TYPE_CHECKING, Any

from nogil_df.base import log
from nogil_df.base.errors import ReplyError
from nogil_df.commands.loader import load_now
from nogil_df.commands.saver import KEEPER, Saver, Wish, ask, saver_of
from nogil_df.commands.spec import NOTHING, Row, container, local, multi
from nogil_df.snapshot.names import NATIVE, RDB, Place, find_youngest, place_of
from nogil_df.wire.values import NO_REPLY, OK, Simple

if TYPE_CHECKING:
    from nogil_df.commands.context import Context, Steps
    from nogil_df.commands.saver import Answer
    from nogil_df.commands.session import Session
    from nogil_df.snapshot.writing import Save
    from nogil_df.vll.proactor import Message, Proactor

Args = list[bytes]

KINDS = {b"DF": NATIVE, b"RDB": RDB}


def parse_wish(args: Args) -> Wish:
    """What snapshot SAVE and BGSAVE are asked for: [DF | RDB] [name].

    Raises:
        ReplyError SYNTAX.
    """
    if not args:
        return Wish()
    kind = KINDS.get(bytes(args[0]).upper())
    if kind is None or len(args) > 2:
        raise ReplyError("SYNTAX")
    return Wish(kind, args[1].decode("utf-8", "surrogateescape") if len(args) == 2 else "")


def cmd_save(context: Context, args: Args) -> Steps:
    """SAVE [DF | RDB] [name]: answers when the snapshot is safe on disk. Others are served meanwhile."""
    yield from ask(context, begin_save, parse_wish(args[1:]))
    return OK


def begin_save(saver: Saver, answer: Answer, wish: Wish) -> None:
    """On the keeper: save, and answer at the end, with the snapshot's place."""

    def on_end(save: Save) -> None:
        answer(ReplyError("SAVE_FAILED", save.error) if save.error else save.place)

    saver.begin(wish).owners.append(on_end)


def cmd_bgsave(context: Context, args: Args) -> Steps:
    """BGSAVE [SCHEDULE] [DF | RDB] [name]: answers when the cut is taken.

    Inside MULTI the cut can't be taken before EXEC ends, so the save is scheduled, as Redis does.
    """
    rest = args[1:]
    schedule = bool(rest) and rest[0].upper() == b"SCHEDULE"
    wish = parse_wish(rest[schedule:])
    if context.nested:
        context.proactor.post(KEEPER, (schedule_save,))
        return SCHEDULED
    yield from ask(context, begin_background_save, wish)
    return STARTED


STARTED = Simple(b"Background saving started")
SCHEDULED = Simple(b"Background saving scheduled")


def begin_background_save(saver: Saver, answer: Answer, wish: Wish) -> None:
    """On the keeper: save, and answer when what is written from then on is not in the snapshot."""
    save = saver.begin(wish, lambda: answer(None))
    save.owners.append(lambda save: None)


def schedule_save(proactor: Proactor, message: Message) -> None:
    """Message handler on the keeper: save as soon as possible."""
    saver_of(proactor.service).schedule()


def run_bgrewriteaof(session: Session, args: Args) -> Any:
    """BGREWRITEAOF: there is no append-only file to be rewritten."""
    raise ReplyError("ERR", "This server has no append only file; BGSAVE saves a snapshot")


def run_lastsave(session: Session, args: Args) -> int:
    """LASTSAVE: unix seconds of the last good save; of the start if there was none since."""
    last: int = session.dispatcher.state.server.persistence.last_save
    return last


def cmd_reload(context: Context, args: Args) -> Steps:
    """DEBUG RELOAD [NOSAVE] [NOFLUSH] [MERGE]: saves the data set, empties the server and loads it again.

    Where there is no `dbfilename` a temporary file does.
    """
    options = {word.upper() for word in args[2:]}
    if not options <= {b"NOSAVE", b"NOFLUSH", b"MERGE"}:
        raise ReplyError("ERR", "DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.")
    config = context.dispatcher.config
    passing: Place | None = None
    if not config.dbfilename:
        passing = Place(RDB, os.path.join(tempfile.gettempdir(), f"nogil-df-reload-{os.getpid()}.rdb"))
    if b"NOSAVE" in options:
        place = passing or find_youngest(config.texts["dir"], config.dbfilename)
    else:
        place = yield from ask(context, begin_save, Wish(place=passing))
    if place is None:
        raise ReplyError("LOAD_FAILED")
    try:
        look = b"NOSAVE" in options
        yield from ask(context, load_now, place, b"NOFLUSH" not in options, b"MERGE" in options, look)
    finally:
        if passing is not None:
            with contextlib.suppress(OSError):
                os.unlink(passing.path)
    log.warning("DB reloaded by DEBUG RELOAD")
    return OK


# SHUTDOWN.

_SHUTDOWN_OPTIONS = frozenset((b"SAVE", b"NOSAVE", b"NOW", b"FORCE", b"ABORT"))


def cmd_shutdown(context: Context, args: Args) -> Steps:
    """SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]: no reply if it succeeds; the connection is closed.

    NOW changes nothing, as there are no replicas to wait for. FORCE ends the server even if the save fails.
    """
    options = [word.upper() for word in args[1:]]
    if not _SHUTDOWN_OPTIONS.issuperset(options) or (b"SAVE" in options and b"NOSAVE" in options):
        raise ReplyError("SYNTAX")
    if b"ABORT" in options:
        if len(set(options)) > 1:
            raise ReplyError("SYNTAX")
        if not (yield from ask(context, abort_shutdown)):
            raise ReplyError("SHUTDOWN_NONE")
        return OK
    log.warning("User requested shutdown...")
    save = True if b"SAVE" in options else False if b"NOSAVE" in options else None
    yield from ask(context, begin_shutdown, save, b"FORCE" in options)
    return NO_REPLY


def begin_shutdown(saver: Saver, answer: Answer, save: bool | None, force: bool) -> None:
    """On the keeper: shut down, and answer if that fails."""

    def tell(reason: str) -> None:
        answer(ReplyError("SHUTDOWN_FAILED") if reason else None)

    saver.shut_down(save, force, tell)


def abort_shutdown(saver: Saver, answer: Answer) -> None:
    """On the keeper: give a shutdown up."""
    answer(saver.abort_shutdown())


# DFLY.


def cmd_dfly_load(context: Context, args: Args) -> Steps:
    """DFLY LOAD path [APPEND]: loads a snapshot in place of what there is, or on top of it."""
    append = len(args) == 4
    if append and args[3].upper() != b"APPEND":
        raise ReplyError("SYNTAX")
    path = args[2].decode("utf-8", "surrogateescape")
    config = context.dispatcher.config
    place = place_of(os.path.join(config.texts["dir"], path))
    yield from ask(context, load_now, place, not append, append)
    return OK


TABLE: tuple[Row, ...] = (
    multi(
        "SAVE",
        -1,
        "admin noscript no_async_loading no_multi",
        run=cmd_save,
        scope=NOTHING,
        acl="@admin @slow @dangerous",
        since="1.0.0",
        group="server",
        syntax="[<DF|RDB> [filename]]",
        summary="Saves the data set, and answers when it is on disk.",
        complexity="O(N) where N is the number of keys",
    ),
    multi(
        "BGSAVE",
        -1,
        "admin noscript no_async_loading",
        run=cmd_bgsave,
        scope=NOTHING,
        acl="@admin @slow @dangerous",
        since="1.0.0",
        group="server",
        syntax="[SCHEDULE] [<DF|RDB> [filename]]",
        summary="Saves the data set as it is now, in the background.",
    ),
    local(
        "BGREWRITEAOF",
        1,
        "admin noscript no_async_loading",
        run=run_bgrewriteaof,
        acl="@admin @slow @dangerous",
        since="1.0.0",
        group="server",
        summary="Refused: there is no append-only file.",
    ),
    local(
        "LASTSAVE",
        1,
        "loading stale fast",
        run=run_lastsave,
        acl="@admin @fast @dangerous",
        since="1.0.0",
        group="server",
        summary="Tells when the data was last saved.",
        tips="nondeterministic_output",
    ),
    multi(
        "SHUTDOWN",
        -1,
        "admin noscript loading stale no_multi allow_busy",
        run=cmd_shutdown,
        scope=NOTHING,
        acl="@admin @slow @dangerous",
        since="1.0.0",
        group="server",
        syntax="[<NOSAVE|SAVE>] [NOW] [FORCE] [ABORT]",
        summary="Saves the data set, if there is a place for it, and stops the server.",
    ),
    container(
        "DFLY",
        -2,
        "admin noscript",
        multi(
            "DFLY LOAD",
            -3,
            "admin noscript no_multi",
            run=cmd_dfly_load,
            scope=NOTHING,
            acl="@admin @slow @dangerous",
            since="1.0.0",
            group="server",
            syntax="path [APPEND]",
            summary="Loads a snapshot in place of the data set, or on top of it.",
            complexity="O(N) where N is the number of keys in the snapshot",
        ),
        acl="@admin @slow @dangerous",
        since="1.0.0",
        group="server",
        summary="Commands of Dragonfly.",
    ),
)
