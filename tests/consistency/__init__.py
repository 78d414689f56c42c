"""The consistency checkers: that they can fail, that they find bugs in a server, and that ours has none."""
