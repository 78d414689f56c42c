"""The console's files: what stands in ``static``, read once, told apart by a hash of their content.

A browser keeps them and asks each time whether they are still the same; after an upgrade of the server
they are not.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
from importlib import resources
from typing import NamedTuple

from nogil_df.wire.http import NOT_MODIFIED, Request, Response, accepts_gzip

INDEX = "index.html"

TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
"""Endings of names that are served, and what they are."""


class File(NamedTuple):
    """A file, and its compressed form."""

    content_type: str
    tag: str
    body: bytes
    compressed: bytes


def find(path: str) -> File | None:
    """The file that a path of the server stands for, None if there is none. O(1)."""
    return all_files().get(path.removeprefix("/") or INDEX)


@functools.cache
def all_files() -> dict[str, File]:
    """All files by name. O(bytes) the first time."""
    found = {}
    for entry in resources.files(__package__).joinpath("static").iterdir():
        content_type = TYPES.get(entry.name.rpartition(".")[2])
        if content_type is not None and entry.is_file():
            body = entry.read_bytes()
            tag = '"' + hashlib.sha256(body).hexdigest()[:16] + '"'
            found[entry.name] = File(content_type, tag, body, gzip.compress(body, mtime=0))
    return found


def respond(request: Request) -> Response:
    """The response to a request for a file that `find` finds. O(headers)."""
    file = find(request.path)
    assert file is not None
    headers = [
        ("Content-Type", file.content_type),
        ("Cache-Control", "no-cache"),
        ("ETag", file.tag),
        ("Vary", "Accept-Encoding"),
    ]
    if file.tag in request.header("if-none-match"):
        return Response(NOT_MODIFIED, b"", tuple(headers))
    if accepts_gzip(request):
        return Response(200, file.compressed, (*headers, ("Content-Encoding", "gzip")))
    return Response(200, file.body, tuple(headers))
