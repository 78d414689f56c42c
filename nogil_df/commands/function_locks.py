"""What a function locks: the keys it is given, if reading its library proves that it touches nothing else.

The proof is the one for scripts (`nogil_df.scripting.declared`), made for each function on its own: its body
as if it were a script, its first parameter as KEYS, together with all the code of the library outside of
functions that are registered. `nogil_df.scripting.callbacks` finds the bodies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nogil_df.commands.script_locks import verdict_of
from nogil_df.scripting.callbacks import bodies_of

if TYPE_CHECKING:
    from nogil_df.commands.dispatch import CommandTable
    from nogil_df.scripting.library import Library

MOST_READ = 1 << 20
"""Bytes read in the worst case, which is functions times code: past that, nothing is proved."""


def judge(library: Library, commands: CommandTable) -> None:
    """Find out which functions keep to their keys, and which write. O(code * functions), bounded."""
    if len(library.code) * len(library.functions) > MOST_READ:
        return
    bodies = bodies_of(library.code)
    for function in library.functions:
        if function.name in bodies:
            verdict = verdict_of(bodies[function.name], commands)
            function.declared = verdict.declared
            function.writes = function.writes and verdict.writes
