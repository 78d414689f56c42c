"""The version of Redis whose commands and replies this server follows."""

from __future__ import annotations

REDIS_VERSION = "8.0.2"
"""What HELLO and INFO tell clients, which decide by it what they may use."""
