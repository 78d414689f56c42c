"""Redis's serialisation of values: objects as they stand in DUMP's payloads and in RDB files.

`writer` makes the body of a value, `reader` a value of a body, whichever of the forms that Redis 4 to 8 write
it has; `payload` puts DUMP's footer behind it. A snapshot writes the same bodies one after the other. `forms`
has the numbers; the other modules know one structure each: `listpack`, `ziplist` (zipmaps and intsets as
well), `streams`.

Nothing that is read is trusted. Every length is held against the bytes that are there before anything is made
of it, every structure is walked to its end and has to end where it says, and what Redis would take for
granted (ids that ascend, members that differ, scores that are numbers) is checked, so that a stored value
always keeps its own invariants. What is damaged ends in one kind of error, `RdbError`.

Source: the descriptions of the RDB file format, of listpacks and of ziplists; payloads of real servers.
"""
