"""How long tests wait for what comes at once: so long that only what hangs is given up.

Nothing may be proved by running into it. A test asks until the server itself says what it is about.
"""

from __future__ import annotations

PATIENCE = 120.0
"""Seconds. On a machine with nothing else to do everything waited for takes milliseconds; a busy one may
stop a process for seconds."""
