"""Tests of what Memcached clients are served."""
