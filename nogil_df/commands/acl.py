"""ACL and its subcommands: users and their rules, on all threads at once.

Every thread has its own `Users`. A change is worked out on the coordinator and then carried out on every
thread (`Context.everywhere`) while this command holds a global transaction: so two changes are carried out
in the same order everywhere, and whoever was answered OK is sure that no thread still goes by the old
rules.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nogil_df.acl.selector import RuleError, has_spaces
from nogil_df.acl.user import DEFAULT, UnmatchedParenthesis, User, Users
from nogil_df.base.errors import ReplyError
from nogil_df.base.numbers import parse_int
from nogil_df.base.system import sync_directory
from nogil_df.commands.access import KEEPER as LOG_KEEPER
from nogil_df.commands.access import clear_log, denial, read_log
from nogil_df.commands.help import help_row
from nogil_df.commands.spec import ALL_EXCLUSIVE, NOTHING, Row, container, local, multi
from nogil_df.commands.subscriptions import CHANNEL, PATTERN, SHARD_CHANNEL
from nogil_df.wire.values import OK, Members

if TYPE_CHECKING:
    from nogil_df.commands.context import Context, Steps
    from nogil_df.commands.session import Session
    from nogil_df.commands.spec import Command
    from nogil_df.commands.threadstate import ThreadState
    from nogil_df.shard.shard import Shard
    from nogil_df.vll.proactor import Proactor

Args = list[bytes]

MOST_BITS = 4096
DEFAULT_BITS = 256
DEFAULT_LOG_ENTRIES = 10


# What there is.


def run_whoami(session: Session, args: Args) -> bytes:
    """ACL WHOAMI."""
    return session.user


def run_users(session: Session, args: Args) -> list[bytes]:
    """ACL USERS: names in order."""
    return [user.name for user in session.dispatcher.state.users.sorted()]


def run_list(session: Session, args: Args) -> list[bytes]:
    """ACL LIST: every user as a line of an ACL file."""
    return user_lines(session.dispatcher.state.users)


def user_lines(users: Users) -> list[bytes]:
    """All users as lines of an ACL file. O(users * rules)."""
    return [b"user %b %b" % (user.name, user.text()) for user in users.sorted()]


def run_getuser(session: Session, args: Args) -> Any:
    """ACL GETUSER name: all about a user, null if there is none."""
    user = session.dispatcher.state.users.by_name.get(args[2])
    if user is None:
        return None
    root, *others = user.selectors
    return {
        "flags": Members(user.flags()),
        "passwords": list(user.passwords),
        "commands": root.commands_text(),
        "keys": root.keys_text(),
        "channels": root.channels_text(),
        "selectors": [
            {
                "commands": selector.commands_text(),
                "keys": selector.keys_text(),
                "channels": selector.channels_text(),
            }
            for selector in others
        ],
    }


def run_cat(session: Session, args: Args) -> list[str]:
    """ACL CAT [category]: the categories, or the commands of one."""
    catalogue = session.dispatcher.state.users.catalogue
    if len(args) > 3:
        raise ReplyError("SUBCOMMAND_SYNTAX", args[1], "ACL")
    if len(args) == 2:
        return list(catalogue.categories)
    names = catalogue.of_category(args[2].decode("latin-1").lower())
    if names is None:
        raise ReplyError("ACL_CATEGORY", args[2])
    return names


def run_genpass(session: Session, args: Args) -> bytes:
    """ACL GENPASS [bits]: random bits, in hex."""
    bits = DEFAULT_BITS
    if len(args) > 3:
        raise ReplyError("SUBCOMMAND_SYNTAX", args[1], "ACL")
    if len(args) == 3:
        found = parse_int(args[2])
        if found is None:
            raise ReplyError("NOT_INTEGER")
        if not 0 < found <= MOST_BITS:
            raise ReplyError("ACL_GENPASS")
        bits = found
    digits = (bits + 3) // 4
    return secrets.token_hex((digits + 1) // 2)[:digits].encode()


def run_dryrun(session: Session, args: Args) -> Any:
    """ACL DRYRUN user command [arg...]: whether the user might; nothing is run."""
    dispatcher = session.dispatcher
    user = dispatcher.state.users.by_name.get(args[2])
    if user is None:
        raise ReplyError("ACL_NO_USER", args[2])
    given = args[3:]
    command: Command | None = dispatcher.commands[given[0]]
    if command is not None and command.subcommands and len(given) > 1:
        command = command.subcommands.get(given[1].upper())
    if command is None:
        raise ReplyError("ACL_NO_COMMAND", given[0])
    if not command.least <= len(given) <= command.most:
        raise ReplyError("WRONG_ARITY", command.full_name)
    found = denial(user, command, given)
    return OK if found is None else b"This user " + found.sentence()


# Changes.


def cmd_setuser(context: Context, args: Args) -> Steps:
    """ACL SETUSER name [rule...]: all rules, or none of them."""
    name = args[2]
    if has_spaces(name):
        raise ReplyError("ACL_USERNAME")
    yield from _begin(context)
    users = context.dispatcher.state.users
    known = users.by_name.get(name)
    draft = users.new(name) if known is None else known.copy()
    draft.all_channels = users.all_channels
    try:
        draft.apply_all(args[3:])
    except UnmatchedParenthesis as error:
        raise ReplyError("ACL_PARENTHESIS", error.reason) from None
    except RuleError as error:
        raise ReplyError("ACL_RULE", error.args[1], error.reason) from None
    yield from context.everywhere(put_users, ([(name, draft.text())], (), context.session.id))
    yield from context.conclude()
    return OK


def cmd_deluser(context: Context, args: Args) -> Steps:
    """ACL DELUSER name...: how many there were; their clients are cut off."""
    if DEFAULT in args[2:]:
        raise ReplyError("ACL_DELUSER_DEFAULT")
    yield from _begin(context)
    users = context.dispatcher.state.users
    names = [name for name in dict.fromkeys(args[2:]) if name in users.by_name]
    yield from context.everywhere(put_users, ((), names, context.session.id))
    yield from context.conclude()
    return len(names)


def _begin(context: Context) -> Steps:
    """Take the locks that keep changes in one order."""
    yield from context.all_shards(_nothing, None)


def _nothing(shard: Shard, argument: None) -> None:
    """Holding the lock is all there is to it."""


def put_users(
    proactor: Proactor, argument: tuple[Sequence[tuple[bytes, bytes]], Sequence[bytes], int]
) -> None:
    """On every thread: set users, and remove others. O(users * sessions).

    Args:
        argument: (name, rules as `User.text` gives them) of each user to set; names of those to remove; id of
            the client that asked for it.
    """
    state: ThreadState = proactor.service
    changed, removed, asker = argument
    for name, text in changed:
        user = state.users.put(_user_from(state.users, name, text))
        for session in [one for one in state.sessions.values() if one.account is user]:
            session.refresh_special()
            if not _may_stay(user, session):
                _cut_off(session, asker)
    for name in removed:
        gone = state.users.remove(name)
        for session in [one for one in state.sessions.values() if one.account is gone]:
            _cut_off(session, asker)


def _user_from(users: Users, name: bytes, text: bytes) -> User:
    """This thread's own object for a user that another thread described. O(rules)."""
    user = User(b"%b" % name, users.catalogue)
    user.apply_all(text.split(b" "))
    return user


def _may_stay(user: User, session: Session) -> bool:
    """Whether a session may keep what it listens to: one selector must allow all of it."""
    channels = [*session.subscribed[CHANNEL], *session.subscribed[SHARD_CHANNEL]]
    patterns = session.subscribed[PATTERN]
    return any(
        all(selector.allows_channel(channel, is_pattern=False) for channel in channels)
        and all(selector.allows_channel(pattern, is_pattern=True) for pattern in patterns)
        for selector in user.selectors
    )


def _cut_off(session: Session, asker: int) -> None:
    """End a session whose user lost its rights; the one that asked for it gets its reply first."""
    if session.id == asker:
        session.closing = True
    else:
        session.transport.close(after_replies=False)


# The file.


class AclFileError(ValueError):
    """An ACL file that can't be used; the text says where and why."""


def read_acl_file(path: str, users: Users) -> list[User]:
    """The users of an ACL file; ``users`` is only asked what names there are.

    Raises:
        AclFileError: it can't be read or has errors, all of which are in the text.
    """
    try:
        with open(path, "rb") as file:
            lines = file.read().splitlines()
    except OSError as error:
        raise AclFileError(
            f"Error loading ACLs, opening file '{path}': {os.strerror(error.errno or 0)}"
        ) from None
    found: dict[bytes, User] = {}
    errors = ""
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words or words[0].startswith(b"#"):
            continue
        if words[0] != b"user" or len(words) < 2:
            errors += f"{path}:{number}: line should start with user keyword. "
            continue
        if words[1] in found:
            errors += f"{path}:{number}: duplicate user '{words[1].decode('latin-1')}'. "
            continue
        user = users.new(words[1])
        try:
            user.apply_all(words[2:])
        except UnmatchedParenthesis:
            errors += f"{path}:{number}: Unmatched parenthesis in selector definition."
        except RuleError as error:
            errors += f"{path}:{number}: {error.reason}. "
        found[user.name] = user
    if errors:
        raise AclFileError(
            f"{errors}WARNING: ACL errors detected, "
            "no change to the previously active ACL rules was performed"
        )
    if DEFAULT not in found:
        found[DEFAULT] = users.make_default()
    return list(found.values())


def cmd_load(context: Context, args: Args) -> Steps:
    """ACL LOAD: the users of the file in place of those there are; nothing changes if it has errors."""
    path = _acl_file(context.session)
    yield from _begin(context)
    users = context.dispatcher.state.users
    try:
        loaded = read_acl_file(path, users)
    except AclFileError as error:
        raise ReplyError("ERR", str(error)) from None
    names = {user.name for user in loaded}
    removed = [name for name in users.by_name if name not in names]
    changed = [(user.name, user.text()) for user in loaded]
    yield from context.everywhere(put_users, (changed, removed, context.session.id))
    yield from context.conclude()
    return OK


def run_save(session: Session, args: Args) -> Any:
    """ACL SAVE: written aside and renamed, so that there is a whole file at any time."""
    path = _acl_file(session)
    data = b"".join(line + b"\n" for line in user_lines(session.dispatcher.state.users))
    try:
        _replace_file(path, data)
    except OSError:
        raise ReplyError("ACL_SAVE") from None
    return OK


def _replace_file(path: str, data: bytes) -> None:
    directory = os.path.dirname(os.path.abspath(path))
    handle, aside = tempfile.mkstemp(prefix=os.path.basename(path) + ".tmp-", dir=directory)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(aside, 0o644)
        os.replace(aside, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(aside)
        raise
    sync_directory(directory)


def _acl_file(session: Session) -> str:
    path = session.dispatcher.config.aclfile
    if not path:
        raise ReplyError("ACL_NO_FILE")
    return path


# The log.


def cmd_log(context: Context, args: Args) -> Steps:
    """ACL LOG [count | RESET]: newest first."""
    if len(args) > 3:
        raise ReplyError("SUBCOMMAND_SYNTAX", args[1], "ACL")
    count: int | None = DEFAULT_LOG_ENTRIES
    if len(args) == 3:
        if args[2].upper() == b"RESET":
            yield from context.everywhere(clear_log)
            return OK
        count = parse_int(args[2])
        if count is None:
            raise ReplyError("NOT_INTEGER")
        count = max(count, 0)
    entries = (yield from context.everywhere(read_log, count))[LOG_KEEPER]
    now = context.dispatcher.clock.unix_ms()
    return [
        {
            "count": entry.count,
            "reason": entry.reason,
            "context": entry.context,
            "object": entry.object,
            "username": entry.user,
            "age-seconds": (now - entry.created) / 1000,
            "client-info": entry.client,
            "entry-id": entry.id,
            "timestamp-created": entry.created,
            "timestamp-last-updated": entry.updated,
        }
        for entry in entries
    ]


_ADMIN = "@admin @dangerous @slow"
_FLAGS = "noscript loading stale"
_ADMIN_FLAGS = "admin noscript loading stale"


def _local(name: str, arity: int, run: Any, summary: str, *, admin: bool = True, **rest: Any) -> Row:
    return local(
        f"ACL {name}",
        arity,
        _ADMIN_FLAGS if admin else _FLAGS,
        run=run,
        acl=_ADMIN if admin else "@slow",
        group="server",
        summary=summary,
        **{"since": "6.0.0", **rest},
    )


def _multi(name: str, arity: int, run: Any, summary: str, scope: str, syntax: str = "") -> Row:
    return multi(
        f"ACL {name}",
        arity,
        _ADMIN_FLAGS,
        run=run,
        scope=scope,
        acl=_ADMIN,
        since="6.0.0",
        group="server",
        syntax=syntax,
        summary=summary,
    )


TABLE: tuple[Row, ...] = (
    container(
        "ACL",
        -2,
        "",
        _local(
            "CAT",
            -2,
            run_cat,
            "Lists the categories, or the commands of one.",
            admin=False,
            syntax="[category]",
        ),
        _multi(
            "DELUSER",
            -3,
            cmd_deluser,
            "Removes users and disconnects their clients.",
            ALL_EXCLUSIVE,
            "username [username ...]",
        ),
        _local(
            "DRYRUN",
            -4,
            run_dryrun,
            "Tells whether a user might run a command.",
            since="7.0.0",
            syntax="username command [arg [arg ...]]",
        ),
        _local("GENPASS", -2, run_genpass, "Makes a password up.", admin=False, syntax="[bits]"),
        _local("GETUSER", 3, run_getuser, "Tells all about a user.", syntax="username"),
        _local("LIST", 2, run_list, "Shows every user as a line of an ACL file."),
        _multi("LOAD", 2, cmd_load, "Takes the users over that the ACL file has.", ALL_EXCLUSIVE),
        _multi(
            "LOG", -2, cmd_log, "Shows what was refused to whom, or forgets it.", NOTHING, "[<count|RESET>]"
        ),
        _local("SAVE", 2, run_save, "Writes the users to the ACL file."),
        _multi(
            "SETUSER",
            -3,
            cmd_setuser,
            "Makes a user, or changes what it may do.",
            ALL_EXCLUSIVE,
            "username [rule [rule ...]]",
        ),
        _local("USERS", 2, run_users, "Lists the names of all users."),
        _local("WHOAMI", 2, run_whoami, "Tells as whom the client is logged in.", admin=False),
        help_row("ACL", since="6.0.0"),
        acl="@slow",
        since="6.0.0",
        group="server",
        summary="A container for the commands about users and their rights.",
    ),
)
