"""Differential tests: the same commands go to a real redis-server and to ours, every reply compared."""
