from collections.abc import Callable

from nogil_df.commands.dispatch import Dispatcher
from nogil_df.net._express import Express
from nogil_df.net.connection import Connection

class MemcachedReaders:
    def __init__(self, express: Express, dispatcher: Dispatcher) -> None: ...
    def reader(self, connection: Connection) -> Callable[[int], None]: ...
