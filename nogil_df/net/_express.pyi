from collections.abc import Callable

from nogil_df.commands.dispatch import Dispatcher
from nogil_df.net.connection import Connection
from nogil_df.net.loop import Loop
from nogil_df.wire.request import RequestParser

class Onward: ...

class Express:
    def __init__(
        self,
        dispatcher: Dispatcher,
        loop: Loop,
        connection_class: type[Connection],
        parser_class: type[RequestParser],
        onward: Onward,
    ) -> None: ...
    def settle(self) -> None: ...
    def reader(self, connection: Connection) -> Callable[[int], None]: ...
