"""Access control lists: users, what they may do, and the rules that say so. Knows nothing of connections.

A `User` holds passwords and selectors; a `Selector` says which commands, keys and channels. Every thread
has its own `Users`, changed by the same rules in the same order on all of them (`nogil_df.commands.acl`).
"""
