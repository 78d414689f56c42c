"""What people connect with: redis-cli, redis-benchmark and redis-py, as they come, against real servers."""
