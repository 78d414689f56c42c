"""The Grafana dashboard, made of a table: `docker/grafana/dashboards/nogil-df.json`.

    python3 tools/dashboard.py          writes the file anew

A dashboard as Grafana keeps it is two thousand lines of JSON, which nobody reads. What it shows stands here,
a line a panel or a few; a test tells when the file is not what these lines make.
"""

from __future__ import annotations

import json
from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "docker" / "grafana" / "dashboards" / "nogil-df.json"

ONE = '{job="$job", instance=~"$instance"}'
"""What selects the servers chosen on top of the page."""

RANGE = "$__rate_interval"


def rate(name, more=""):
    """How often something happens in a second; or how long it takes of each."""
    return f"rate({name}{_with(more)}[{RANGE}])"


def now(name, more=""):
    """What a gauge says."""
    return name + _with(more)


def _with(more):
    return ONE[:-1] + f", {more}}}" if more else ONE


def quantile(share):
    """A latency of all commands together, out of the histogram of each."""
    inner = f"sum by (le, instance) (rate(nogil_df_command_latency_seconds_bucket{ONE}[{RANGE}]))"
    return f"histogram_quantile({share}, {inner})"


HITS, MISSES = rate("dragonfly_keyspace_hits_total"), rate("dragonfly_keyspace_misses_total")
TIME = rate("dragonfly_commands_duration_seconds")
COMMANDS = f"sum by (cmd) ({rate('dragonfly_commands_total')})"

STAT, LINES, STACKED = "stat", "lines", "stacked"

# Row -> panels: title, kind, width (of 24), unit, [(query, legend)].
ROWS = [
    (
        "Overview",
        [
            ("Up for", STAT, 3, "s", [(now("dragonfly_uptime_in_seconds"), "")]),
            ("Commands/s", STAT, 3, "ops", [(f"sum({rate('dragonfly_commands_total')})", "")]),
            ("Latency, 99 %", STAT, 3, "s", [(f"max({quantile(0.99)})", "")]),
            ("Hit rate", STAT, 3, "percentunit", [(f"sum({HITS}) / (sum({HITS}) + sum({MISSES}))", "")]),
            ("Keys", STAT, 3, "short", [(f"sum({now('dragonfly_db_keys')})", "")]),
            ("Memory", STAT, 3, "bytes", [(f"sum({now('dragonfly_memory_used_bytes')})", "")]),
            ("Clients", STAT, 3, "short", [(f"sum({now('dragonfly_connected_clients')})", "")]),
            ("GIL", STAT, 3, "gil", [(f"max({now('nogil_df_gil_enabled')})", "")]),
        ],
    ),
    (
        "Traffic",
        [
            ("Commands", STACKED, 12, "ops", [(f"topk(12, {COMMANDS})", "{{cmd}}")]),
            (
                "Latency of commands",
                LINES,
                12,
                "s",
                [(quantile(0.5), "50 %"), (quantile(0.99), "99 %"), (quantile(0.999), "99.9 %")],
            ),
            (
                "Mean time of a command",
                LINES,
                8,
                "s",
                [
                    (
                        f"topk(10, sum by (cmd) ({TIME}) / {COMMANDS})",
                        "{{cmd}}",
                    )
                ],
            ),
            (
                "Network",
                LINES,
                8,
                "Bps",
                [
                    (rate("dragonfly_net_input_bytes_total"), "received"),
                    (rate("dragonfly_net_output_bytes_total"), "sent"),
                ],
            ),
            (
                "Errors",
                LINES,
                8,
                "ops",
                [
                    (f"sum by (error) ({rate('nogil_df_error_replies_total')})", "{{error}}"),
                    (f"sum({rate('nogil_df_commands_rejected_total')})", "refused before they ran"),
                ],
            ),
        ],
    ),
    (
        "Keys and memory",
        [
            (
                "Memory",
                LINES,
                8,
                "bytes",
                [
                    (now("dragonfly_used_memory_rss_bytes"), "process"),
                    (now("dragonfly_memory_used_bytes"), "used"),
                    (now("nogil_df_dataset_bytes"), "keys and values"),
                    (now("dragonfly_memory_max_bytes") + " > 0", "limit"),
                ],
            ),
            (
                "Keys",
                LINES,
                8,
                "short",
                [
                    (f"sum by (db) ({now('dragonfly_db_keys')})", "{{db}}"),
                    (f"sum({now('dragonfly_db_keys_expiring')})", "that expire"),
                ],
            ),
            (
                "Reads",
                LINES,
                8,
                "ops",
                [(f"sum({HITS})", "hits"), (f"sum({MISSES})", "misses")],
            ),
            (
                "Expired, evicted, changed",
                LINES,
                8,
                "ops",
                [
                    (rate("dragonfly_expired_keys_total"), "expired"),
                    (rate("dragonfly_evicted_keys_total"), "evicted"),
                    (rate("dragonfly_keyspace_mutations_total"), "changes"),
                ],
            ),
            (
                "Clients",
                LINES,
                8,
                "short",
                [
                    (now("dragonfly_connected_clients"), "connected"),
                    (now("dragonfly_blocked_clients"), "blocked"),
                    (now("nogil_df_pubsub_clients"), "subscribed"),
                    (now("nogil_df_tracking_clients"), "tracking keys"),
                ],
            ),
            (
                "Connections",
                LINES,
                8,
                "cps",
                [
                    (rate("dragonfly_connections_received_total"), "accepted"),
                    (rate("nogil_df_connections_rejected_total"), "refused"),
                    (f"sum by (reason) ({rate('nogil_df_disconnects_total')})", "cut off: {{reason}}"),
                ],
            ),
        ],
    ),
    (
        "Shards",
        [
            (
                "CPU",
                LINES,
                8,
                "percentunit",
                [(f"sum by (shard) ({rate('nogil_df_shard_cpu_seconds_total')})", "shard {{shard}}")],
            ),
            ("Keys", LINES, 8, "short", [(now("nogil_df_shard_keys"), "shard {{shard}}")]),
            ("Memory", LINES, 8, "bytes", [(now("nogil_df_shard_memory_bytes"), "shard {{shard}}")]),
            (
                "Commands of its clients",
                LINES,
                8,
                "ops",
                [(rate("nogil_df_shard_commands_total"), "shard {{shard}}")],
            ),
            (
                "Messages",
                LINES,
                8,
                "ops",
                [(rate("nogil_df_shard_messages_total"), "shard {{shard}}")],
            ),
            ("Clients", LINES, 8, "short", [(now("nogil_df_shard_clients"), "shard {{shard}}")]),
        ],
    ),
    (
        "Transactions and pipelines",
        [
            (
                "Transactions",
                LINES,
                8,
                "ops",
                [
                    (rate("nogil_df_transactions_scheduled_total"), "parts queued"),
                    (rate("nogil_df_transactions_refused_total"), "come again"),
                    (rate("nogil_df_transactions_out_of_order_total"), "ran ahead"),
                ],
            ),
            (
                "Commands in a pipeline",
                LINES,
                8,
                "short",
                [
                    (
                        rate("dragonfly_pipeline_dispatch_commands_total")
                        + " / "
                        + rate("dragonfly_pipeline_dispatch_calls_total"),
                        "commands",
                    ),
                    (
                        rate("dragonfly_cmd_squash_commands_total")
                        + " / "
                        + rate("dragonfly_cmd_squash_hop_total"),
                        "in a squashed hop",
                    ),
                ],
            ),
            (
                "Sending",
                LINES,
                8,
                "s",
                [
                    (
                        rate("dragonfly_reply_duration_seconds") + " / " + rate("dragonfly_reply_total"),
                        "a send",
                    )
                ],
            ),
        ],
    ),
    (
        "Snapshots and process",
        [
            ("Last snapshot", STAT, 4, "s", [(f"max({now('nogil_df_last_save_age_seconds')})", "ago")]),
            ("It went", STAT, 4, "went", [(f"min({now('nogil_df_last_save_ok')})", "")]),
            (
                "Changes since",
                STAT,
                4,
                "short",
                [(f"sum({now('nogil_df_changes_since_last_save')})", "")],
            ),
            ("CPU of the process", LINES, 12, "percentunit", [(rate("process_cpu_seconds_total"), "CPUs")]),
        ],
    ),
]

MAPPINGS = {
    "gil": {"0": {"text": "off", "color": "green"}, "1": {"text": "on", "color": "red"}},
    "went": {"0": {"text": "wrong", "color": "red"}, "1": {"text": "well", "color": "green"}},
}
"""Units of our own: what a number stands for."""

HEIGHTS = {STAT: 4}


def make():
    """The dashboard as Grafana takes it."""
    panels = []
    y = 0
    for row, entries in ROWS:
        panels.append(
            {
                "type": "row",
                "title": row,
                "collapsed": False,
                "gridPos": {"x": 0, "y": y, "w": 24, "h": 1},
                "panels": [],
            }
        )
        y += 1
        x = 0
        for title, kind, width, unit, queries in entries:
            if x + width > 24:
                x = 0
                y += 8
            panels.append(
                _panel(title, kind, unit, queries, {"x": x, "y": y, "w": width, "h": _height(kind)})
            )
            x += width
        y += max(_height(kind) for _, kind, *_ in entries)
    for number, panel in enumerate(panels, 1):
        panel["id"] = number
    return {
        "uid": "nogil-df",
        "title": "nogil-df",
        "tags": ["nogil-df", "redis"],
        "timezone": "browser",
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "5s",
        "time": {"from": "now-30m", "to": "now"},
        "templating": {"list": [_source(), _choice("job", ""), _choice("instance", ', job="$job"')]},
        "annotations": {"list": []},
        "links": [],
        "panels": panels,
    }


def _height(kind):
    return HEIGHTS.get(kind, 8)


def _panel(title, kind, unit, queries, place):
    source = {"type": "prometheus", "uid": "${source}"}
    defaults = {"unit": "none" if unit in MAPPINGS else unit, "mappings": []}
    if unit in MAPPINGS:
        defaults["mappings"] = [{"type": "value", "options": MAPPINGS[unit]}]
    if kind == STAT:
        options = {
            "reduceOptions": {"calcs": ["lastNotNull"]},
            "colorMode": "value" if unit in MAPPINGS else "none",
            "graphMode": "none" if unit in MAPPINGS else "area",
        }
    else:
        stacked = kind == STACKED
        defaults["min"] = 0
        defaults["custom"] = {
            "lineWidth": 1,
            "fillOpacity": 25 if stacked else 8,
            "showPoints": "never",
            "stacking": {"mode": "normal" if stacked else "none"},
        }
        options = {
            "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    return {
        "type": "stat" if kind == STAT else "timeseries",
        "title": title,
        "datasource": source,
        "gridPos": place,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
        "targets": [
            {
                "refId": chr(ord("A") + at),
                "datasource": source,
                "expr": query,
                "legendFormat": legend or "__auto",
            }
            for at, (query, legend) in enumerate(queries)
        ],
    }


def _source():
    return {"name": "source", "label": "Source", "type": "datasource", "query": "prometheus", "current": {}}


def _choice(label, among):
    return {
        "name": label,
        "label": label.capitalize(),
        "type": "query",
        "datasource": {"type": "prometheus", "uid": "${source}"},
        "query": f"label_values(nogil_df_build{{{among.lstrip(', ')}}}, {label})",
        "refresh": 2,
        "sort": 1,
        "includeAll": label == "instance",
        "multi": label == "instance",
        "current": {"text": "All", "value": "$__all"} if label == "instance" else {},
    }


def text():
    """What the file holds."""
    return json.dumps(make(), indent=1) + "\n"


if __name__ == "__main__":
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(text())
