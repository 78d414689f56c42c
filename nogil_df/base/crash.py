"""What happens when the code of one command breaks: it is logged, answered, and nobody else notices.

Anything but a ReplyError that escapes from a command is a bug of ours. The client gets an error, the log
gets the traceback, connection and server go on.
"""

from __future__ import annotations

import traceback
from types import TracebackType

from nogil_df.base import log
from nogil_df.base.errors import ReplyError

ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]


def log_crash(where: str, exc_info: ExcInfo) -> ReplyError:
    """Log an exception with its traceback and turn it into an error reply.

    Args:
        where: the command or function that broke.
        exc_info: as `sys.exc_info()` gives it; the traceback is cleared, so that no frame stays alive
            (a frame that holds its own exception is a cycle, and the collector is off).

    Returns:
        The error for the client.
    """
    error = exc_info[1]
    text = "".join(traceback.format_exception(*exc_info)) if error is not None else ""
    log.warning(f"command crashed in {where}: {error!r}\n{text}")
    if error is not None:
        forget_frames(error)
    return ReplyError("INTERNAL", where)


def forget_frames(error: BaseException) -> None:
    """Take the frames off an exception that was caught, and off those it came from. O(frames).

    A frame that holds its own exception is a cycle, and the collector is off.
    """
    found: BaseException | None = error
    while found is not None:
        traceback.clear_frames(found.__traceback__)
        found.__traceback__ = None
        before = found.__context__
        found.__context__ = found.__cause__ = None
        found = before
