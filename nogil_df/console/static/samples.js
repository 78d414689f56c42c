/**
 * What the server tells, once a second, and what follows from two tellings: rates and latencies.
 *
 * The server gives totals. A total that became smaller was reset, or the server was started anew: then there is
 * no rate for that second.
 */

const KEPT = 920; // seconds of points
const RECENT = 5; // seconds that tables of commands are made of

/** Merge histograms: bucket -> calls. */
function add(into, histogram, sign = 1) {
  for (const [bucket, calls] of Object.entries(histogram)) into[bucket] = (into[bucket] || 0) + sign * calls;
  return into;
}

/** The latency in seconds that a share of the calls of a histogram did not exceed; NaN if there are none. */
export function percentile(histogram, share) {
  const buckets = Object.keys(histogram).map(Number).filter((at) => histogram[at] > 0).sort((a, b) => a - b);
  const total = buckets.reduce((sum, at) => sum + histogram[at], 0);
  const rank = total * share;
  let passed = 0;
  for (const at of buckets) {
    if (passed + histogram[at] >= rank) {
      // Bucket i holds 2^(i-1) to 2^i - 1 nanoseconds; within it calls are taken to be spread evenly.
      const low = at ? 2 ** (at - 1) : 0;
      return (low + (low || 1) * Math.max(0, rank - passed) / histogram[at]) / 1e9;
    }
    passed += histogram[at];
  }
  return NaN;
}

/** What happened between two tellings, by command; null if a total went backwards. */
export function commandsBetween(before, after) {
  const seconds = after.time - before.time;
  const found = [];
  for (const [name, now] of Object.entries(after.commands)) {
    const then = before.commands[name] || { calls: 0, ns: 0, failed: 0, rejected: 0, histogram: {} };
    const calls = now.calls - then.calls;
    if (calls < 0) return null;
    const histogram = add(add({}, now.histogram), then.histogram, -1);
    found.push({
      name,
      total: now.calls,
      rate: calls / seconds,
      mean: calls ? (now.ns - then.ns) / calls / 1e9 : NaN,
      busy: (now.ns - then.ns) / 1e9 / seconds,
      p50: percentile(histogram, 0.5),
      p99: percentile(histogram, 0.99),
      errors: now.failed + now.rejected,
      // All calls so far: steady enough to look at.
      histogram: now.histogram,
    });
  }
  return found.sort((a, b) => b.rate - a.rate || b.total - a.total);
}

/** One point of the plots. */
function pointBetween(before, after) {
  const seconds = after.time - before.time;
  const commands = commandsBetween(before, after);
  if (!commands || seconds <= 0 || before.threads.length !== after.threads.length) return null;
  const rate = (section, name) => Math.max(0, (+after.info[section][name] - +before.info[section][name]) / seconds);
  const between = {};
  for (const [name, now] of Object.entries(after.commands)) {
    add(between, now.histogram);
    if (before.commands[name]) add(between, before.commands[name].histogram, -1);
  }
  const hits = rate("Stats", "keyspace_hits");
  const misses = rate("Stats", "keyspace_misses");
  const threads = after.threads.map((now, at) => {
    const then = before.threads[at];
    const cpu = now.cpu_user + now.cpu_sys - then.cpu_user - then.cpu_sys;
    return {
      ops: Math.max(0, (now.calls - then.calls) / seconds),
      cpu: Math.max(0, cpu / seconds),
      hops: Math.max(0, (now.hops_sent - then.hops_sent) / seconds),
      messages: Math.max(0, (now.messages_handled - then.messages_handled) / seconds),
    };
  });
  return {
    t: after.time,
    ops: commands.reduce((sum, one) => sum + one.rate, 0),
    p50: percentile(between, 0.5),
    p99: percentile(between, 0.99),
    p999: percentile(between, 0.999),
    used: +after.info.Memory.used_memory,
    rss: +after.info.Memory.used_memory_rss,
    dataset: +after.info.Memory.used_memory_dataset,
    keys: after.databases.reduce((sum, db) => sum + db.keys, 0),
    expires: after.databases.reduce((sum, db) => sum + db.expires, 0),
    hits,
    misses,
    hitRate: hits + misses ? hits / (hits + misses) : NaN,
    expired: rate("Stats", "expired_keys"),
    evicted: rate("Stats", "evicted_keys"),
    received: rate("Stats", "total_net_input_bytes"),
    sent: rate("Stats", "total_net_output_bytes"),
    clients: +after.info.Clients.connected_clients,
    threads,
    // The same by name and number, for plots: cpu0, cpu1, ops0...
    ...Object.fromEntries(threads.flatMap((one, at) => Object.entries(one).map(([name, value]) => [name + at, value]))),
  };
}

/** The tellings and points so far. */
export class Samples {
  constructor() {
    this.points = [];
    this.tellings = [];
    this.earlier = null;
  }

  /** Take what the server told. */
  take(telling) {
    const before = this.tellings.at(-1);
    if (!before) this.goOn(telling);
    if (before && before.info.Server.run_id !== telling.info.Server.run_id) {
      this.points = [];
      this.tellings = [];
    } else if (before) {
      const point = pointBetween(before, telling);
      if (point) this.points.push(point);
      while (this.points.length > KEPT) this.points.shift();
    }
    this.tellings.push(telling);
    while (this.tellings.length > RECENT + 1) this.tellings.shift();
  }

  /** What is worth keeping over a reload of the page, as a text. */
  kept() {
    return this.now ? JSON.stringify({ run: this.now.info.Server.run_id, points: this.points }) : "";
  }

  /** Take back what was kept; it counts if the first telling is of the same server, and soon after. */
  restore(text) {
    try {
      this.earlier = JSON.parse(text);
    } catch {
      this.earlier = null;
    }
  }

  /** The points of before the reload, and a gap. */
  goOn(telling) {
    const { run, points } = this.earlier || {};
    this.earlier = null;
    const last = points?.at(-1);
    if (!last || run !== telling.info.Server.run_id || telling.time - last.t > KEPT) return;
    this.points = [...points, { t: last.t + 0.001, threads: [] }];
  }

  /** The last telling. */
  get now() {
    return this.tellings.at(-1);
  }

  /** The last point, or one with nothing in it. */
  get last() {
    return this.points.at(-1) || { threads: [] };
  }

  /** What the last few seconds were like, by command; `part` is its part of the time of all. */
  recentCommands() {
    const [first] = this.tellings;
    const found = (this.tellings.length > 1 && commandsBetween(first, this.now)) || [];
    const busy = found.reduce((sum, one) => sum + one.busy, 0);
    for (const one of found) one.part = busy ? one.busy / busy : 0;
    return found;
  }
}
