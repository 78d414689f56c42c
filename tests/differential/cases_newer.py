"""Commands and options newer than redis-server 7.0.15, with the replies expected of Redis 8.0.2.

There is no such server to ask, so each step stands with its reply, written as a RESP line: "+OK", ":1",
"$text", "$" for null, "-ERR ..." for an error.
"""

from __future__ import annotations

Expected = list[tuple[str, str]]

NEWER: dict[str, Expected] = {
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
