"""Lua scripts: a sandboxed Lua 5.1 for each thread, and what one can tell about a script by reading it.

Knows nothing of commands: a runtime is given a function to call with what a script gives `redis.call`. The
Lua half is in ``lua/``; `nogil_df.commands.scripting` makes EVAL of it.
"""
