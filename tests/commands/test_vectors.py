"""Vector sets: what Redis 8's documentation says of each command, searches against a plain model, DUMP."""

from __future__ import annotations

import random
import struct
from math import sqrt

import pytest

from nogil_df.commands.vector_filter import FilterError, compile_filter
from nogil_df.shard import vectors
from tests.commands.console import Console
from tests.resp import Reply

MISMATCH = b"ERR Vector dimension mismatch - got 3 but set has 2"


def error(text: bytes) -> Reply:
    return Reply("-", b"ERR " + text)


@pytest.fixture
def redis() -> Console:
    return Console()


def add(redis: Console, name: str, *components: float, options: str = "") -> Reply:
    return redis(f"VADD v VALUES {len(components)} {' '.join(map(str, components))} {name} {options}")


@pytest.fixture
def square(redis: Console) -> Console:
    """Four elements, a quarter turn apart."""
    for name, x, y in (("east", 1, 0), ("north", 0, 2), ("west", -3, 0), ("south", 0, -4)):
        assert add(redis, name, x, y, options="NOQUANT") == Reply(":", 1)
    return redis


def test_the_nearest_come_first(square: Console) -> None:
    assert square.value("VSIM v VALUES 2 10 1") == [b"east", b"north", b"south", b"west"]
    assert square.value("VSIM v VALUES 2 10 1 COUNT 2") == [b"east", b"north"]
    assert square.value("VSIM v ELE west COUNT 1") == [b"west"]
    scores = square.value("VSIM v ELE east WITHSCORES")
    assert scores[0::2] == [b"east", b"north", b"south", b"west"]
    assert [float(score) for score in scores[1::2]] == pytest.approx([1, 0.5, 0.5, 0])
    assert square.value("VSIM v ELE east EPSILON 0.5") == [b"east", b"north", b"south"]
    assert square.value("VSIM v ELE east EPSILON 0.2 TRUTH NOTHREAD EF 10 FILTER-EF 5") == [b"east"]
    blob = struct.pack("<2f", 10, 1)
    assert square.run(b"VSIM", b"v", b"FP32", blob, b"COUNT", b"1").value == (Reply("$", b"east"),)
    assert square.value("VSIM none VALUES x") == []
    square.simulation.verify()


def test_replies_of_resp3() -> None:
    redis = Console(protocol=3)
    assert add(redis, "a", 1, 0) == Reply("#", True)
    assert add(redis, "a", 0, 1) == Reply("#", False)
    redis('VSETATTR v a "{}"')
    assert redis("VSIM v ELE a WITHSCORES").kind == "%"
    (pair,) = redis("VSIM v ELE a WITHSCORES WITHATTRIBS").value
    assert pair[0] == Reply("$", b"a")
    assert pair[1].value[1] == Reply("$", b"{}")
    assert redis("VISMEMBER v a") == Reply("#", True)
    assert redis("VINFO v").kind == "%"
    assert redis("VEMB v a").value[0].kind == ","


def test_elements_and_what_is_told_of_a_set(square: Console) -> None:
    assert square.value("VCARD v") == 4
    assert square.value("VDIM v") == 2
    assert square("VDIM none") == error(b"key does not exist")
    assert square.value("VCARD none") == 0
    assert square("TYPE v").value == b"vectorset"
    assert [square.value(f"VISMEMBER v {name}") for name in ("east", "up")] == [1, 0]
    assert [float(text) for text in square.value("VEMB v south")] == pytest.approx([0, -4])
    assert square("VEMB v up").value is None
    kind, row, length = square("VEMB v south RAW").value
    assert (kind, row.value) == (Reply("+", b"f32"), struct.pack("<2f", 0, -1))
    assert float(length.value) == 4
    info = dict(zip(square.value("VINFO v")[::2], square.value("VINFO v")[1::2], strict=True))
    assert info[b"quant-type"] == b"f32"
    assert info[b"size"] == 4
    assert info[b"hnsw-m"] == 16
    assert square("VINFO none").value is None
    assert set(square.value("VRANDMEMBER v 10")) == {b"east", b"north", b"west", b"south"}
    assert len(square.value("VRANDMEMBER v -9")) == 9
    assert square("VRANDMEMBER v").value in (b"east", b"north", b"west", b"south")
    assert square.value("VRANDMEMBER none 3") == []
    (layer,) = square("VLINKS v east").value
    assert [name.value for name in layer.value] == [b"north", b"south", b"west"]
    assert square.value("VRANGE v - + 2") == [b"east", b"north"]
    assert square.value("VRANGE v (east [south") == [b"north", b"south"]
    assert square.value("VREM v up") == 0
    assert [square.value(f"VREM v {name}") for name in ("east", "north", "west", "south")] == [1] * 4
    assert square.value("EXISTS v") == 0
    square.simulation.verify()


def test_what_is_wrong(square: Console) -> None:
    assert add(square, "x", 1, 2, 3, options="NOQUANT") == Reply("-", MISMATCH)
    assert add(square, "x", 1, 2) == error(b"asked quantization mismatch with existing vector set")
    assert add(square, "x", 1, 2, options="NOQUANT M 8") == error(
        b"asked M value mismatch with existing vector set"
    )
    assert add(square, "x", 1, 2, options="NOQUANT BOGUS") == error(b"invalid option after element")
    assert add(square, "x", 1, 2, options="M 1") == error(b"invalid M")
    assert add(square, "x", 1, 2, options="EF 0") == error(b"invalid EF")
    for bad in (
        "VALUES 3 1 2 x",
        "VALUES x 1 2 y",
        "VALUES 2 1 b x",
        "FP32 abc x",
        "BOGUS 1 x",
        "VALUES 1 inf x",
    ):
        assert square(f"VADD v {bad} more") == error(b"invalid vector specification"), bad
    assert square("VADD v VALUES 1") == error(b"wrong number of arguments for 'vadd' command")
    assert square("VADD v VALUES 2 1 2") == error(b"wrong number of arguments for 'vadd' command")
    assert square("VSIM v ELE up") == error(b"element not found in set")
    assert square("VSIM v VALUES 3 1 2 3").value == MISMATCH
    for options, text in (
        ("COUNT 0", b"invalid COUNT"),
        ("EPSILON 0", b"invalid EPSILON"),
        ("EF x", b"invalid EF"),
        ("FILTER-EF 0", b"invalid FILTER-EF"),
        ("BOGUS", b"syntax error in VSIM command"),
        ('FILTER ".a >"', b"syntax error in FILTER expression near: .a >"),
        ('FILTER ".a == 1 ) x"', b"syntax error in FILTER expression near: ) x"),
    ):
        assert square(f"VSIM v ELE east {options}") == error(text)
    square("SET s 1")
    for line in ("VADD s VALUES 1 1 x", "VSIM s ELE x", "VCARD s", "VREM s x", "VINFO s", "VRANGE s - +"):
        assert square(line).value.startswith(b"WRONGTYPE"), line
    assert square("VEMB v east COOKED") == error(b"invalid option")
    assert square("VRANDMEMBER v x") == error(b"COUNT value is not an integer")


@pytest.mark.parametrize("kind", ["NOQUANT", "Q8", "BIN"])
def test_searches_are_those_of_a_plain_model(redis: Console, kind: str) -> None:
    source = random.Random(kind)
    size, count = 24, 200
    rows = {f"e{n}": [source.gauss(0, 1) for _ in range(size)] for n in range(count)}
    for name, vector in rows.items():
        add(redis, name, *vector, options=kind)
    for name in source.sample(sorted(rows), 50):
        rows.pop(name)
        assert redis.value(f"VREM v {name}") == 1
    for name in source.sample(sorted(rows), 20):
        rows[name] = [source.gauss(0, 1) for _ in range(size)]
        assert add(redis, name, *rows[name], options=kind) == Reply(":", 0)
    query = [source.gauss(0, 1) for _ in range(size)]

    def similarity(vector: list[float]) -> float:
        if kind == "BIN":
            return sum((a > 0) == (b > 0) for a, b in zip(vector, query, strict=True)) / size
        lengths = sqrt(sum(a * a for a in vector)) * sqrt(sum(b * b for b in query))
        return (1 + sum(a * b for a, b in zip(vector, query, strict=True)) / lengths) / 2

    expected = sorted(map(similarity, rows.values()), reverse=True)[:15]
    found = redis.value(f"VSIM v VALUES {size} {' '.join(map(str, query))} COUNT 15 WITHSCORES")
    near = 0.01 if kind == "Q8" else 1e-5
    assert [float(score) for score in found[1::2]] == pytest.approx(expected, abs=near)
    for name, score in zip(found[::2], found[1::2], strict=True):
        assert float(score) == pytest.approx(similarity(rows[name.decode()]), abs=near)
    redis.simulation.verify()


def test_a_projection_keeps_what_is_near(redis: Console) -> None:
    source = random.Random(5)
    rows = {f"e{n}": [source.gauss(0, 1) for _ in range(100)] for n in range(20)}
    for name, vector in rows.items():
        line = f"VADD v REDUCE 60 VALUES 100 {' '.join(map(str, vector))} {name}"
        assert redis(line) == Reply(":", 1)
    assert redis.value("VDIM v") == 60
    for name, vector in rows.items():
        assert redis.value(f"VSIM v VALUES 100 {' '.join(map(str, vector))} COUNT 1") == [name.encode()]
    assert redis("VSIM v VALUES 2 1 1").value == (
        b"ERR Input dimension mismatch for projection - got 2 but projection expects 100"
    )


def test_filters_choose_by_attribute(redis: Console) -> None:
    for number in range(10):
        year, seen = 1980 + number, "true" if number % 2 else "false"
        attribute = (
            f'{{"year": {year}, "genre": "{"ab"[number % 2]}", "seen": {seen}, "tags": ["x{number}"]}}'
        )
        add(redis, f"e{number}", 1, number / 10)
        assert redis.run(b"VSETATTR", b"v", b"e%d" % number, attribute.encode()) == Reply(":", 1)
    assert redis.value('VSIM v VALUES 2 1 0 FILTER ".year >= 1987"') == [b"e7", b"e8", b"e9"]
    assert redis.value("VSIM v VALUES 2 1 0 FILTER '.seen and .year < 1984'") == [b"e1", b"e3"]
    assert redis.value("VSIM v VALUES 2 1 0 COUNT 1 FILTER '.genre == \"b\"'") == [b"e1"]
    assert redis.value("VSIM v VALUES 2 1 0 FILTER '\"x4\" in .tags'") == [b"e4"]
    assert redis.value("VGETATTR v e0").startswith(b"{")
    assert redis.run(b"VSETATTR", b"v", b"e0", b"") == Reply(":", 1)
    assert redis("VGETATTR v e0").value is None
    assert redis.run(b"VSETATTR", b"v", b"none", b"{}") == Reply(":", 0)
    assert redis.value("VSIM v VALUES 2 1 0 COUNT 1 FILTER '.year > 0'") == [b"e1"]
    assert redis.run(b"VADD", b"v", b"VALUES", b"2", b"1", b"0", b"new", b"SETATTR", b'{"year":1}').value == 1
    assert redis.value("VSIM v VALUES 2 1 0 FILTER '.year == 1'") == [b"new"]
    redis.simulation.verify()


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (".a + 2 * 3 == 7", True),
        ("(.a + 2) * 3 == 9", True),
        ("2 ** 3 ** 2 == 512", True),
        (".a / 0 == 1", False),
        ("not .a", False),
        ("not not .a", True),
        ("!.none or 1", False),
        (".s == 'text' && .a", True),
        (".s != 'other' and .none == 1", False),
        (".a in [3, 2, 1]", True),
        (".s in ['x', \"text\"]", True),
        ("'ex' in .s", True),
        (".b == 1 and .f == 0", True),
        (".n == null", True),
        (".a == '1'", True),
        ("-.a < 0", True),
        ("7 % 4 == 3", True),
        (".o == 1", False),
        ("1", True),
    ],
)
def test_expressions(expression: str, expected: bool) -> None:
    attribute = b'{"a": 1, "s": "text", "b": true, "f": false, "n": null, "o": {"a": 1}}'
    wanted = compile_filter(expression)
    assert wanted(attribute) is expected
    assert wanted(b"no json") is False
    assert wanted(b"[1]") is False


@pytest.mark.parametrize(
    "expression", ["", ".", ".a ==", "(.a", "[1, 2", "1 2", "foo", "'open", ".a @ 1", "(" * 300]
)
def test_what_is_no_expression(expression: str) -> None:
    with pytest.raises(FilterError):
        compile_filter(expression)


@pytest.mark.parametrize("kind", ["NOQUANT", "Q8", "BIN"])
def test_a_set_survives_dump_copy_and_rename(redis: Console, kind: str) -> None:
    for number in range(30):
        add(redis, f"e{number}", number, 1, number % 7, options=kind)
    redis.run(b"VSETATTR", b"v", b"e3", b'{"a":1}')
    before = redis.value("VSIM v ELE e3 COUNT 30 WITHSCORES WITHATTRIBS")
    payload = redis("DUMP v").value
    assert redis.run(b"RESTORE", b"restored", b"0", payload).value == b"OK"
    assert redis("COPY v copied").value == 1
    assert redis.run(b"RESTORE", b"broken", b"0", payload[:-1] + b"x").kind == "-"
    for key in ("restored", "copied"):
        assert redis.value(f"VSIM {key} ELE e3 COUNT 30 WITHSCORES WITHATTRIBS") == before
        assert redis("DEBUG DIGEST-VALUE v").value == redis(f"DEBUG DIGEST-VALUE {key}").value
    assert redis("RENAME v moved").value == b"OK"
    assert redis.value("VCARD moved") == 30
    assert redis("DEL moved restored copied").value == 3
    redis.simulation.verify()


def test_damaged_payloads_are_refused(redis: Console) -> None:
    from nogil_df.base.rdb_strings import RdbError, Reader
    from nogil_df.rdb.reader import read_object
    from nogil_df.rdb.writer import write_object

    add(redis, "a", 1, 2, 3)
    add(redis, "b", 3, 2, 1)
    value = redis.stored(b"v")
    limits = redis.simulation.threads[0].proactor.shard.limits
    out = bytearray()
    form = write_object(out, value, limits)
    source = random.Random(1)
    for _ in range(500):
        broken = bytearray(out)
        for _ in range(source.randrange(1, 4)):
            broken[source.randrange(len(broken))] = source.randrange(256)
        del broken[len(broken) - source.randrange(3) :]
        try:
            read_object(Reader(bytes(broken)), form, limits).verify()
        except RdbError:
            continue


def test_without_numpy_it_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways of going through the rows."""
    assert vectors._kernel() is not None, "numpy is one of the tests' requirements, and leaves the GIL off"
    source = random.Random(3)
    for kind in (vectors.FLOATS, vectors.BYTES, vectors.BITS):
        value = vectors.VectorSetValue(30, kind, 16, None, 1)
        for number in range(100):
            value.put(b"%d" % number, [source.gauss(0, 1) for _ in range(30)])
        query = [source.gauss(0, 1) for _ in range(30)]
        found = value.similarities(query)
        monkeypatch.setattr(vectors._KERNEL, "module", None)
        monkeypatch.setattr(vectors._KERNEL, "known", True)
        assert value.similarities(query) == pytest.approx(found, abs=1e-5)
        monkeypatch.undo()
