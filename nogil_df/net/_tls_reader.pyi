from collections.abc import Callable

from nogil_df.net._express import Express
from nogil_df.net.connection import Connection

def tls_reader(express: Express, connection: Connection) -> Callable[[int], None]: ...
