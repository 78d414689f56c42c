"""What must hold under every schedule, asked directly: nothing torn, no money made, pipelines in order."""

from __future__ import annotations

import random

import pytest

from tests.vll.history import Operation, Recorder
from tests.vll.model import NIL
from tests.vll.scenario import KEYS, make_simulation, seeds, settle


def plain(line: str) -> Operation:
    """One command, as one types it."""
    return Operation(-1, (tuple(line.encode().split()),))


def together(*lines: str) -> Operation:
    """Several commands as one transaction."""
    return Operation(-1, tuple(tuple(line.encode().split()) for line in lines), atomic=True)


def whole(seed: int) -> None:
    """Writers set all keys to one value by every means there is; readers see one value, by every means."""
    simulation = make_simulation(seed)
    choices = random.Random(f"whole {seed}")
    names = [key.decode() for key in KEYS[: choices.randint(2, 8)]]
    recorder = Recorder(simulation)

    def shuffled() -> list[str]:
        return choices.sample(names, len(names))

    def work(value: int) -> Operation:
        kind = choices.randrange(7)
        if kind == 0:
            return plain("MSET " + " ".join(f"{name} {value}" for name in shuffled()))
        if kind == 1:
            return together(*(f"SET {name} {value}" for name in shuffled()))
        if kind == 2:
            return plain("DEL " + " ".join(shuffled()))
        if kind == 3:
            return plain("FLUSHALL" if choices.random() < 0.5 else "SWAPDB 0 1")
        if kind == 4:
            return plain("MSETNX " + " ".join(f"{name} {value}" for name in shuffled()))
        if kind == 5:
            return together(*(f"GET {name}" for name in shuffled()))
        return plain("MGET " + " ".join(shuffled()))

    for number in range(5):
        client = recorder.client()
        for turn in range(4):
            recorder.send(
                client, *[work(number * 100 + turn * 10 + at) for at in range(choices.randint(1, 3))]
            )
    if choices.random() < 0.3:
        for _ in range(choices.randint(1, 50)):
            simulation.step()
        choices.choice(recorder.clients).close(after_replies=False)
    settle(simulation)
    for part in recorder.done:
        for operation in part:
            if operation.commands[0][0] in (b"GET", b"MGET") and operation.reply is not None:
                assert len(set(operation.reply)) == 1, f"seed {seed}: torn: {operation}"
            if operation.commands[0][0] == b"DEL":
                assert operation.reply in (None, 0, len(names)), f"seed {seed}: torn: {operation}"


def bank(seed: int) -> None:
    """Transfers under WATCH: read, compute, write. Whatever fails changes nothing, and the sum stays."""
    simulation = make_simulation(seed)
    choices = random.Random(f"bank {seed}")
    names = [key.decode() for key in KEYS[:4]]
    recorder = Recorder(simulation)
    opener = recorder.client()
    recorder.send(opener, plain("MSET " + " ".join(f"{name} 100" for name in names)))
    settle(simulation)
    left = [4] * 5
    done = [0, 0]

    def begin(client: int) -> None:
        pair = choices.sample(names, 2)
        recorder.send(client, plain("WATCH " + " ".join(pair)), plain("MGET " + " ".join(pair)))

    def go_on(client: int, pipeline: list[Operation]) -> None:
        last = pipeline[-1]
        if client == opener:
            return
        if last.atomic:
            done[last.reply == NIL] += 1
            left[client - 1] -= 1
            if left[client - 1]:
                begin(client)
        elif last.commands[0][0] == b"MGET":
            source, target = (name.decode() for name in last.commands[0][1:])
            had, has = map(int, last.reply)
            amount = choices.randint(1, 20)
            recorder.send(client, together(f"SET {source} {had - amount}", f"SET {target} {has + amount}"))

    recorder.on_reply = go_on
    for _ in left:
        begin(recorder.client())
    for _ in range(choices.randint(1, 60)):
        simulation.step()
    recorder.clients[1].close(after_replies=False)
    for _ in range(6):
        recorder.send(opener, plain("MGET " + " ".join(choices.sample(names, 4))))
    settle(simulation)
    for operation in recorder.done[opener][1:]:
        assert sum(map(int, operation.reply)) == 400, f"seed {seed}: {operation}"
    assert done[0] > 0
    assert sum(left[1:]) == 0, f"seed {seed}: somebody was left without an answer"


def in_order(seed: int) -> None:
    """`SET a n; SET b n; ...` in one pipeline: who sees a later one sees all before it."""
    simulation = make_simulation(seed)
    choices = random.Random(f"order {seed}")
    names = choices.sample([key.decode() for key in KEYS], choices.randint(2, 5))
    back = names[::-1]
    recorder = Recorder(simulation)
    writer = recorder.client()
    number = 0
    for _ in range(5):
        rounds = range(number + 1, number + choices.randint(1, 30))
        recorder.send(writer, *[plain(f"SET {name} {at}") for at in rounds for name in names])
        number = rounds.stop - 1
    for _ in range(4):
        reader = recorder.client()
        for _ in range(6):
            recorder.send(reader, *[plain(f"GET {name}") for name in back])
            recorder.send(reader, plain("MGET " + " ".join(names)))
            recorder.send(reader, together(*[f"GET {name}" for name in names]))
    settle(simulation)
    for part in recorder.done[1:]:
        pipelined = [
            operation for operation in part if operation.commands[0][0] == b"GET" and not operation.atomic
        ]
        for at in range(0, len(pipelined), len(names)):
            # Asked last key first, so each may only be ahead of the one asked before.
            seen = [int(operation.reply or 0) for operation in pipelined[at : at + len(names)]]
            assert seen == sorted(seen), f"seed {seed}: {seen}"
        for operation in part:
            if operation.atomic or operation.commands[0][0] == b"MGET":
                seen = [int(value or 0) for value in operation.reply]
                assert seen == sorted(seen, reverse=True), f"seed {seed}: {operation}"
                assert seen[0] - seen[-1] <= 1, f"seed {seed}: a round began before the last ended: {seen}"


def pipelines_of_sets(seed: int) -> None:
    """Six clients that pipeline SETs over eight keys become quiet soon, on any number of shards."""
    simulation = make_simulation(seed)
    choices = random.Random(f"sets {seed}")
    recorder = Recorder(simulation)
    for _ in range(6):
        client = recorder.client()
        for _ in range(4):
            count = choices.randint(1, 8)
            recorder.send(
                client, *[plain(f"SET {choices.choice(KEYS).decode()} {at}") for at in range(count)]
            )
    settle(simulation, most=5_000)


@pytest.mark.parametrize("check", [whole, bank, in_order, pipelines_of_sets])
@pytest.mark.parametrize("chunk", seeds(200, 2), ids="seeds{0.start}".format)
def test_it_holds(check: object, chunk: range) -> None:
    """Every invariant, under hundreds of schedules."""
    for seed in chunk:
        check(seed)  # type: ignore[operator]
