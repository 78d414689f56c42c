"""A console on a simulated server: commands as one types them, replies decoded."""

from __future__ import annotations

from typing import Any

from nogil_df.base.flags import Options
from nogil_df.simulation import SimulatedClient, Simulation
from tests.differential.case import words
from tests.resp import Decoder, Reply


class Console:
    """One client of a `Simulation`; further ones by `another`.

    Args: as those of `Simulation`; `protocol` is 2 or 3, `thread` the one that coordinates.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        shards: int = 3,
        protocol: int = 2,
        thread: int | None = None,
        options: Options | None = None,
        simulation: Simulation | None = None,
    ) -> None:
        self.simulation = simulation or Simulation(seed, shards, options)
        self.client: SimulatedClient = self.simulation.client(thread)
        self.client.session.proto = protocol
        self._decoder = Decoder()

    def another(self, thread: int | None = None) -> Console:
        """Another client of the same server."""
        return Console(simulation=self.simulation, thread=thread)

    def __call__(self, line: str) -> Reply:
        """Run one command, given as one types it."""
        return self.run(*words(line))

    def run(self, *args: bytes) -> Reply:
        """Run one command to its end."""
        self.client.send(list(args))
        self.simulation.run()
        return self.replies()[0]

    def value(self, line: str) -> Any:
        """What a command answers, without its type; lists of replies as lists of values."""
        reply = self(line)
        if reply.kind == "*" and reply.value is not None:
            return [item.value for item in reply.value]
        return reply.value

    def replies(self) -> list[Reply]:
        """What came since the last look."""
        self._decoder.feed(bytes(self.client.output))
        self.client.output.clear()
        return list(iter(self._decoder.next, None))

    def stored(self, key: bytes) -> Any:
        """The value object of database 0, whichever shard has it."""
        for thread in self.simulation.threads:
            shard = thread.proactor.shard
            value = shard.dbs[0].table.peek(key, shard.hash_key(key))
            if value is not None:
                return value
        return None
