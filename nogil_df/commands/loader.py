"""Loading a snapshot into a running server: at the start, DFLY LOAD, DEBUG RELOAD.

While it lasts every thread says LOADING to whatever touches data. First all threads are told so, then what is
to be replaced is flushed, in a global transaction that waits for those under way; then the reader's thread
sends the records (`nogil_df.snapshot.reading`), and at last the functions are put in place everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nogil_df.base import log
from nogil_df.base.errors import ReplyError
from nogil_df.commands.databases import flush
from nogil_df.commands.functions import libraries_of
from nogil_df.commands.saver import Answer, Round, Saver, describe_reply, saver_of
from nogil_df.scripting.library import FLUSH, REPLACE, LibraryError
from nogil_df.snapshot.reading import Loading
from nogil_df.snapshot.records import ages_of
from nogil_df.vll.part import GLOBAL_EXCLUSIVE
from nogil_df.vll.transaction import Transaction

if TYPE_CHECKING:
    from nogil_df.commands.threadstate import ThreadState
    from nogil_df.snapshot.names import Place
    from nogil_df.vll.proactor import Message, Proactor

LOADING = "loading"
"""Under this name a thread's ``extra`` has something while a snapshot is loaded."""


def make_loading(state: ThreadState, place: Place, **rest: Any) -> Loading:
    """A loading for this server; see `Loading` for the rest."""
    config = state.config
    proactor = state.proactor
    return Loading(
        place,
        proactor.count,
        len(proactor.shard.dbs),
        proactor.shard.hash_key,
        state.server.submit,
        use_ages=ages_of(config.maxmemory_policy),
        check=config.rdbchecksum,
        started=state.clock.monotonic(),
        **rest,
    )


def load_now(
    saver: Saver, answer: Answer, place: Place, empty: bool, override: bool, look: bool = True
) -> None:
    """On the keeper: load a snapshot, and answer when that is done.

    Args:
        empty: flush all that there is first.
        override: records take the place of ones that are there.
        look: whether to look first if the files are whole; only then is anything flushed.

    Raises:
        ReplyError: something else is under way.
    """
    status = saver.status
    if status.save is not None:
        raise ReplyError("SAVE_IN_PROGRESS")
    if status.loading is not None:
        raise ReplyError("LOADING")
    disk = saver.server.disk
    loading = make_loading(saver.state, place, override=override, waits=disk.waits)
    status.loading = loading
    proactor = saver.proactor

    def on_read(loading: Loading) -> None:
        saver.server.submit(proactor.index, (_read, loading, empty, answer))

    def on_looked(looked: Loading) -> None:
        saver.server.submit(proactor.index, (_looked, looked, begin_round, answer))

    def begin_round() -> None:
        Round(proactor, begin_loading, begin).begin()

    def begin() -> None:
        if empty:
            Emptying(proactor, lambda: disk.load(loading, on_read)).begin()
        else:
            disk.load(loading, on_read)

    if look:
        disk.load(make_loading(saver.state, place, dry=True, waits=disk.waits), on_looked)
    else:
        begin_round()


def _looked(proactor: Proactor, message: Message) -> None:
    """Message handler on the keeper: the files are whole, or not."""
    _, looked, go_on, answer = message
    if looked.error:
        saver_of(proactor.service).status.loading = None
        log.warning(looked.error)
        answer(ReplyError("LOAD_FAILED"))
    else:
        go_on()


def _read(proactor: Proactor, message: Message) -> None:
    """Message handler on the keeper: everything was read, or it failed."""
    _, loading, empty, answer = message
    finish(saver_of(proactor.service), loading, empty, answer)


def finish(
    saver: Saver, loading: Loading, empty: bool, answer: Callable[[Any], None], *, must_load: bool = False
) -> None:
    """Put the functions in place, let commands through again, and answer None or an error.

    With `must_load` the server ends if that failed: no command may run meanwhile, for what it wrote would be
    lost.
    """
    proactor = saver.proactor
    status = saver.status

    def end(error: str) -> None:
        if error:
            log.warning(error)
        if error and must_load:
            answer(ReplyError("LOAD_FAILED"))
            return
        status.loading = None
        note(saver, loading)

        def go_on() -> None:
            answer(ReplyError("LOAD_FAILED") if error else None)

        Round(proactor, end_loading, go_on).begin()

    if loading.error or not (loading.libraries or empty):
        end(loading.error)
        return
    failures: list[str] = []

    def put(proactor: Proactor) -> None:
        try:
            put_libraries(proactor.service, loading.libraries, FLUSH if empty else REPLACE)
        except ReplyError as error:
            failures.append(describe_reply(error))

    Round(proactor, put, lambda: end(failures[0] if failures else "")).begin()


def put_libraries(state: ThreadState, codes: list[bytes], policy: int) -> None:
    """On every thread: take libraries over.

    Raises:
        ReplyError: they can't be loaded, or there is no Lua.
    """
    if not codes and "libraries" not in state.extra:
        return
    libraries = libraries_of(state)
    try:
        libraries.prepare_restore(codes, policy)
    except LibraryError as error:
        raise ReplyError("ERR", error.args[0].encode("utf-8", "surrogateescape")) from None
    libraries.commit()


def note(saver: Saver, loading: Loading) -> None:
    """Let the world know what was loaded."""
    status = saver.status
    status.loaded_keys = sum(one.keys for one in loading.loaded)
    status.loaded_expired = sum(one.expired for one in loading.loaded)


def begin_loading(proactor: Proactor) -> None:
    """On every thread: commands that touch data are refused from now on."""
    state: ThreadState = proactor.service
    state.extra[LOADING] = True
    state.refresh_gated()


def end_loading(proactor: Proactor) -> None:
    """On every thread: all commands run again."""
    state: ThreadState = proactor.service
    state.extra.pop(LOADING, None)
    state.refresh_gated()


class Emptying:
    """The transaction that flushes every database before a loading."""

    __slots__ = ("_proactor", "_then", "_tx")

    def __init__(self, proactor: Proactor, then: Callable[[], None]) -> None:
        self._proactor = proactor
        self._then = then
        self._tx: Transaction | None = None

    def begin(self) -> None:
        """Flush."""
        proactor = self._proactor
        self._tx = tx = Transaction(proactor, self)
        tx.lock_everything(GLOBAL_EXCLUSIVE)
        databases = (0, len(proactor.shard.dbs))
        results = tx.hop(dict.fromkeys(range(proactor.count), (flush, databases)), True)
        if results is not None:
            self.on_hop(results)

    def on_hop(self, results: dict[int, Any]) -> None:
        """All databases are empty."""
        tx, self._tx = self._tx, None
        assert tx is not None
        tx.release()
        self._then()
