"""Commands and options newer than redis-server 7.0.15, with the replies expected of Redis 8.0.2.

There is no such server to ask, so each step stands with its reply, written as a RESP line: "+OK", ":1",
"$text", "$" for null, "-ERR ..." for an error.
"""

from __future__ import annotations

Expected = list[tuple[str, str]]

NEWER: dict[str, Expected] = {
    "set if the value is, or is not": [
        ("SET k a", "+OK"),
        ("SET k b IFNE a", "$"),
        ("SET k b IFNE x", "+OK"),
        ("SET k c IFEQ b", "+OK"),
        ("SET none c IFEQ b", "$"),
        ("SET none c IFNE b", "+OK"),
        ("SET k d IFNE x GET", "$c"),
        ("SET k d IFNE x NX", "-ERR syntax error"),
    ],
    "set and delete by digest": [
        ("SET k a", "+OK"),
        ("SET k b IFDEQ 0000000000000000", "$"),
        ("SET k b IFDNE 0000000000000000", "+OK"),
        ("DELEX k IFDEQ 0000000000000000", ":0"),
        ("DELEX k IFDNE 0000000000000000", ":1"),
        ("EXISTS k", ":0"),
    ],
    "delex": [
        ("DELEX none", ":0"),
        ("SET k a", "+OK"),
        ("DELEX k IFEQ b", ":0"),
        ("DELEX k IFNE a", ":0"),
        ("DELEX k IFNE b", ":1"),
        ("SET k a", "+OK"),
        ("DELEX k IFEQ a", ":1"),
        ("LPUSH l a", ":1"),
        ("DELEX l", ":1"),
        ("DELEX k IFEQ", "-ERR wrong number of arguments for 'delex' command"),
    ],
    "msetex": [
        ("MSETEX 2 a 1 b 2", ":1"),
        ("MSETEX 2 b 3 c 4 NX", ":0"),
        ("EXISTS c", ":0"),
        ("MSETEX 2 b 3 c 4 XX", ":0"),
        ("MSETEX 2 a 3 b 4 XX EX 100", ":1"),
        ("GET b", "$4"),
        ("TTL a", ":100"),
        ("MSETEX 1 a 5 KEEPTTL", ":1"),
        ("TTL a", ":100"),
        ("MSETEX 1 a 5 PX 200000", ":1"),
        ("TTL a", ":200"),
        ("MSETEX 1 a 5 EXAT 4102444800", ":1"),
        ("EXPIRETIME a", ":4102444800"),
        ("MSETEX 1 a 5 PXAT 4102444900000", ":1"),
        ("EXPIRETIME a", ":4102444900"),
    ],
    "waitaof without a log": [
        ("WAITAOF 0 0 0", "* :0 :0"),
        ("WAITAOF 2 0 0", "-ERR value is out of range, value must between 0 and 1"),
        ("WAITAOF 0 -1 0", "-ERR value is out of range, must be positive"),
    ],
    "client no-touch": [
        ("CLIENT NO-TOUCH on", "+OK"),
        ("CLIENT NO-TOUCH OFF", "+OK"),
        ("CLIENT NO-TOUCH maybe", "-ERR syntax error"),
        ("CLIENT NO-TOUCH", "-ERR wrong number of arguments for 'client|no-touch' command"),
        ("CLIENT NO-TOUCH on off", "-ERR wrong number of arguments for 'client|no-touch' command"),
    ],
    "client setinfo": [
        ("CLIENT SETINFO LIB-NAME redis-py", "+OK"),
        ("CLIENT SETINFO lib-ver 5.0.1", "+OK"),
        ('CLIENT SETINFO LIB-NAME ""', "+OK"),
        (
            'CLIENT SETINFO lib-name "a b"',
            "-ERR lib-name cannot contain spaces, newlines or special characters.",
        ),
        (
            r'CLIENT SETINFO lib-ver "1\n2"',
            "-ERR lib-ver cannot contain spaces, newlines or special characters.",
        ),
        ("CLIENT SETINFO BOGUS x", "-ERR Unrecognized option 'BOGUS'"),
        ("CLIENT SETINFO LIB-NAME", "-ERR wrong number of arguments for 'client|setinfo' command"),
        ("CLIENT SETINFO", "-ERR wrong number of arguments for 'client|setinfo' command"),
    ],
    "client kill maxage": [
        ("CLIENT KILL MAXAGE 1000000", ":0"),
        ("CLIENT KILL MAXAGE 1000000 SKIPME yes", ":0"),
        ("CLIENT KILL TYPE normal MAXAGE 1000000", ":0"),
        ("CLIENT KILL MAXAGE", "-ERR No such client"),
        ("CLIENT KILL TYPE normal MAXAGE", "-ERR syntax error"),
    ],
    "command getkeys without arguments": [
        ("COMMAND GETKEYS PING", "-ERR The command has no key arguments"),
        ("COMMAND GETKEYSANDFLAGS PING", "-ERR The command has no key arguments"),
        ("COMMAND GETKEYS GET", "-ERR Invalid number of arguments specified for command"),
        ("COMMAND GETKEYS nosuch", "-ERR Invalid command specified"),
        ("COMMAND GETKEYSANDFLAGS nosuch", "-ERR Invalid command specified"),
        ("COMMAND GETKEYS", "-ERR wrong number of arguments for 'command|getkeys' command"),
    ],
}

# Words that a line of CLIENT INFO has since 7.2.
CLIENT_FIELDS = {"lib-name": "redis-py", "lib-ver": "5.0.1"}
