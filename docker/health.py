"""The health check of the container: whether the server answers, in whatever state it is.

Asks on the port of the environment (DFLY_port), or 6379. A server that wants a password, or still loads its
data, is well; one that does not answer is not.
"""

import os
import socket
import sys

WELL = (b"+PONG", b"-NOAUTH", b"-LOADING", b"-BUSY", b"-MISCONF")


def main() -> int:
    """The exit code: 0 for a server that is well."""
    port = int(os.environ.get("DFLY_port", "6379"))  # noqa: SIM112
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as peer:
            peer.sendall(b"PING\r\n")
            answer = peer.recv(100)
    except OSError as error:
        print(f"no answer on port {port}: {error}")
        return 1
    print(answer.decode("latin-1").strip())
    return 0 if answer.startswith(WELL) else 1


if __name__ == "__main__":
    sys.exit(main())
