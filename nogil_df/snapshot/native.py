"""The native format: a set of files, one a shard, and a summary that names them.

A file is a head (what it is, of which set, which shard of how many, under which hash) and frames. A frame
holds one blob, compressed or not, with its sizes and a CRC-32 of both; a record that is longer than a frame
goes on in the next one. The last frame tells how many there were. So a file that was cut off, or in which a
bit has flipped, is found out before anything of that frame is used.

The summary is written last, and its renaming is what makes the set valid: it names the files by the set's own
id, so files of two sets are never taken for one. It is JSON for people to read, with a checksum in its last
line.

Frames are compressed by lz4 or Zstandard where these are installed; who reads must have the one that was
used.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Any, Final

from nogil_df.base.rdb_strings import RdbError

MAGIC: Final = b"NOGILDF\x01"
SUMMARY_FORMAT: Final = "nogil-df snapshot"
SUMMARY_VERSION: Final = 1
ID_SIZE: Final = 8

_HEAD: Final = Struct("<8s8sHHQI")
"""Magic, id, shard, shards, probe of the hash, CRC-32 of what is before."""
_FRAME: Final = Struct("<IIBI")
"""Bytes as stored, bytes when unpacked, codec and flags, CRC-32 of these and of the stored bytes."""
_FRAME_FIELDS: Final = Struct("<IIB")
_LAST: Final = Struct("<Q")

HEAD_SIZE: Final = _HEAD.size

PLAIN, LZ4, ZSTD = range(3)
_CODEC: Final = 0x0F
_PART: Final = 0x10
"""The record at the end goes on in the next frame."""
_END: Final = 0x20

PROBE: Final = b"nogil-df"
"""The key whose hash tells whether a file's division by shards is this server's."""

MOST: Final = 1 << 30
"""Bytes of the longest frame."""


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a file.

    Attributes:
        set_id: of the set it belongs to.
        shard, shards: which it is of how many.
        probe: what `hashing.probe` makes of `PROBE`.
    """

    set_id: bytes
    shard: int
    shards: int
    probe: int


def write_head(head: Head) -> bytes:
    """The head of a file."""
    fields = _HEAD.pack(MAGIC, head.set_id, head.shard, head.shards, head.probe, 0)[:-4]
    return fields + zlib.crc32(fields).to_bytes(4, "little")


def read_head(data: bytes) -> Head:
    """Read `HEAD_SIZE` bytes. Raises RdbError."""
    if len(data) < HEAD_SIZE:
        raise RdbError("it ends too early")
    magic, set_id, shard, shards, probe, checksum = _HEAD.unpack_from(data)
    if magic != MAGIC:
        raise RdbError("it is no file of a native snapshot")
    if checksum != zlib.crc32(data[: HEAD_SIZE - 4]):
        raise RdbError("its head is damaged")
    return Head(set_id, shard, shards, probe)


class Codec:
    """A way to compress frames.

    Attributes:
        number: PLAIN, LZ4 or ZSTD.
    """

    __slots__ = ("compress", "number")

    def __init__(self, number: int, compress: Callable[[bytes], bytes] | None) -> None:
        self.number = number
        self.compress = compress


def codec_for(mode: str, level: int) -> Codec | None:
    """The codec that a `compression_mode` asks for; None if it is not installed."""
    if mode in ("2", "multi_entry_zstd"):
        module: Any = _zstd()
        if module is None:
            return None
        return Codec(ZSTD, lambda data: module.compress(data, level))
    if mode in ("3", "multi_entry_lz4"):
        block = _lz4()
        if block is None:
            return None
        return Codec(LZ4, lambda data: block.compress(data, mode="fast", store_size=False))
    return Codec(PLAIN, None)


def _zstd() -> Any:
    try:
        from compression import zstd  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        try:
            from backports import zstd  # type: ignore[import-not-found, no-redef, unused-ignore]
        except ImportError:
            return None
    return zstd


def _lz4() -> Any:
    try:
        from lz4 import block  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError:
        return None
    return block


class FrameWriter:
    """Makes frames.

    Attributes:
        frames: made so far.
    """

    __slots__ = ("_codec", "frames")

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self.frames = 0

    def frame(self, blob: bytes | bytearray, more: bool) -> tuple[bytes, bytes | bytearray]:
        """A frame of a blob: what stands before the bytes, and the bytes. O(blob).

        Args:
            more: its last record goes on in the next frame.
        """
        self.frames += 1
        flags = PLAIN
        data: bytes | bytearray = blob
        if self._codec.compress is not None:
            packed = self._codec.compress(blob)  # type: ignore[arg-type]
            if len(packed) < len(blob):
                data, flags = packed, self._codec.number
        if more:
            flags |= _PART
        fields = _FRAME_FIELDS.pack(len(data), len(blob), flags)
        return fields + zlib.crc32(data, zlib.crc32(fields)).to_bytes(4, "little"), data

    def end(self) -> bytes:
        """The last frame."""
        data = _LAST.pack(self.frames)
        fields = _FRAME_FIELDS.pack(len(data), len(data), _END)
        return fields + zlib.crc32(data, zlib.crc32(fields)).to_bytes(4, "little") + data


class FrameReader:
    """Takes frames apart, fed in pieces of any size.

    Attributes:
        done: the last frame was read.
    """

    __slots__ = ("_data", "_frames", "_parts", "done")

    def __init__(self) -> None:
        self._data = bytearray()
        self._parts = bytearray()
        self._frames = 0
        self.done = False

    @property
    def waiting(self) -> int:
        """Bytes that wait for more."""
        return len(self._data)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take some more of the file behind its head; gives runs of whole records. Raises RdbError."""
        self._data += data
        at = 0
        try:
            while len(self._data) - at >= _FRAME.size:
                stored, size, flags, checksum = _FRAME.unpack_from(self._data, at)
                if max(stored, size) > MOST:
                    raise RdbError("a frame of an impossible length")
                begin = at + _FRAME.size
                if len(self._data) - begin < stored:
                    break
                payload = bytes(memoryview(self._data)[begin : begin + stored])
                fields = self._data[at : at + _FRAME_FIELDS.size]
                if self.done or checksum != zlib.crc32(payload, zlib.crc32(fields)):
                    raise RdbError("a frame is damaged")
                at = begin + stored
                if flags & _END:
                    self._end(payload)
                    continue
                self._frames += 1
                yield from self._unpacked(payload, size, flags)
        finally:
            del self._data[:at]

    def _unpacked(self, payload: bytes, size: int, flags: int) -> Iterator[bytes]:
        blob = unpack(payload, size, flags & _CODEC)
        if flags & _PART:
            self._parts += blob
        elif self._parts:
            whole = bytes(self._parts + blob)
            self._parts.clear()
            yield whole
        else:
            yield blob

    def _end(self, payload: bytes) -> None:
        if len(payload) != _LAST.size or _LAST.unpack(payload)[0] != self._frames or self._parts:
            raise RdbError("frames are missing")
        self.done = True

    def end(self) -> None:
        """There is no more. Raises RdbError if something is missing, or left over."""
        if not self.done:
            raise RdbError("it ends too early")
        if self._data:
            raise RdbError("there is something behind its end")


def unpack(payload: bytes, size: int, codec: int) -> bytes:
    """The bytes of a frame. Raises RdbError."""
    if codec == PLAIN:
        return payload
    try:
        if codec == LZ4:
            block = _lz4()
            if block is None:
                raise RdbError("it is compressed, and lz4 is not installed (pip install lz4)")
            blob: bytes = block.decompress(payload, uncompressed_size=size)
        elif codec == ZSTD:
            module = _zstd()
            if module is None:
                raise RdbError(
                    "it is compressed, and Zstandard is not installed (pip install backports.zstd)"
                )
            blob = module.decompress(payload)
        else:
            raise RdbError("a frame is compressed in an unknown way")
    except RdbError:
        raise
    except Exception:
        # Each of the libraries has errors of its own.
        raise RdbError("a frame can't be unpacked") from None
    if len(blob) != size:
        raise RdbError("a frame can't be unpacked")
    return blob


# The summary.


@dataclass(frozen=True, slots=True)
class Summary:
    """What a set consists of.

    Attributes:
        set_id: of the set.
        created: unix seconds.
        files: (name, bytes), by shard.
        sizes: database -> (keys, those that expire).
        libraries: codes of functions.
    """

    set_id: bytes
    created: int
    files: Sequence[tuple[str, int]]
    sizes: dict[int, tuple[int, int]]
    libraries: Sequence[bytes]


def write_summary(summary: Summary) -> bytes:
    """The text of a summary."""
    text = json.dumps(
        {
            "format": SUMMARY_FORMAT,
            "version": SUMMARY_VERSION,
            "id": summary.set_id.hex(),
            "created": summary.created,
            "files": [{"name": name, "size": size} for name, size in summary.files],
            "databases": {str(index): list(sizes) for index, sizes in summary.sizes.items()},
            "functions": [base64.b64encode(code).decode() for code in summary.libraries],
        },
        indent=1,
    ).encode()
    return text + b"\n%08x\n" % zlib.crc32(text)


def read_summary(data: bytes) -> Summary:
    """Understand a summary. Raises RdbError."""
    text, _, checksum = data.rstrip(b"\n").rpartition(b"\n")
    try:
        if len(checksum) != 8 or int(checksum, 16) != zlib.crc32(text):
            raise RdbError("the summary is damaged")
        said = json.loads(text)
        if said["format"] != SUMMARY_FORMAT:
            raise RdbError("it is no summary of a snapshot")
        if said["version"] > SUMMARY_VERSION:
            raise RdbError(
                f"it has version {said['version']}, and {SUMMARY_VERSION} is the newest that is known"
            )
        return Summary(
            bytes.fromhex(said["id"]),
            int(said["created"]),
            [(str(one["name"]), int(one["size"])) for one in said["files"]],
            {int(index): (int(keys), int(rest)) for index, (keys, rest) in said["databases"].items()},
            [base64.b64decode(code) for code in said["functions"]],
        )
    except RdbError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError):
        raise RdbError("the summary is damaged") from None


def file_name(stem: str, shard: int, set_id: bytes) -> str:
    """The name of a file of a set."""
    return f"{stem}-{shard:04d}-{set_id.hex()}.dfs"
