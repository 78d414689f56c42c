/** The console: asks for figures once a second, and shows them. */

import { Chart, pointer } from "./chart.js";
import * as format from "./format.js";
import { fill, make, part, say } from "./page.js";
import { Samples } from "./samples.js";

const EVERY = 1000; // milliseconds between questions
const FRAME = 33; // milliseconds between drawings
const SHADES = ["--blue", "--teal", "--violet", "--amber", "--pink", "--cyan", "--green", "--rose"];

const samples = new Samples();
const charts = [];
let paused = false;
let askedFor = 0; // when the last answer came, by the clock of this page
let view = "overview";

const shade = (at) => SHADES[at % SHADES.length];
const info = (section, name) => samples.now.info[section][name];

// --- tiles ---

const TILES = [
  {
    name: "Throughput",
    value: (last) => `${format.count(last.ops)}/s`,
    more: () => `${format.count(+info("Stats", "total_commands_processed"))} commands so far`,
    key: "ops", color: "--blue",
  },
  {
    name: "Latency, 99 of 100",
    value: (last) => format.latency(last.p99),
    more: (last) => `half below ${format.latency(last.p50)}`,
    key: "p99", color: "--amber",
  },
  {
    name: "Memory",
    value: (last) => format.bytes(last.used),
    more: (last) => `${limit()}, process ${format.bytes(last.rss)}`,
    key: "used", color: "--violet", loose: true,
  },
  {
    name: "Keys",
    value: (last) => format.count(last.keys),
    more: (last) => `${format.count(last.expires)} expire, ${format.count(last.evicted)}/s evicted`,
    key: "keys", color: "--teal", loose: true,
  },
  {
    name: "Hit rate",
    value: (last) => format.percent(last.hitRate),
    more: (last) => `${format.count(last.hits + last.misses)} reads/s`,
    key: "hitRate", color: "--green",
  },
  {
    name: "Clients",
    value: (last) => format.count(last.clients),
    more: () => `${info("Clients", "blocked_clients")} blocked, ${info("Clients", "pubsub_clients")} subscribed`,
    key: "clients", color: "--pink", loose: true,
  },
];

function limit() {
  const most = +info("Memory", "maxmemory");
  return most ? `of ${format.bytes(most)}` : "no limit";
}

/** A tile; `show` writes the figures of now into it. */
function tile({ name, value, more, key, color, loose }) {
  const number = make("div", { class: "value" }, "–");
  const below = make("div", { class: "more" }, "\u00a0");
  const box = make("div", { class: key ? "tile" : "tile still" }, make("div", { class: "name" }, name), number, below);
  if (key) {
    const canvas = make("canvas", { "aria-hidden": "true" });
    box.append(canvas);
    charts.push({ view: "overview", chart: new Chart(canvas, [{ key, color, fill: true }], String, { small: true, loose }) });
  }
  return {
    box,
    show() {
      say(number, value(samples.last));
      say(below, more(samples.last));
    },
  };
}

// --- plots ---

const PLOTS = [
  {
    name: "Throughput", format: (value) => `${format.count(value)}/s`,
    series: [{ key: "ops", label: "commands", color: "--blue", fill: true }],
  },
  {
    name: "Latency", format: format.latency, log: true,
    series: [
      { key: "p50", label: "50 %", color: "--teal" },
      { key: "p99", label: "99 %", color: "--amber" },
      { key: "p999", label: "99.9 %", color: "--rose" },
    ],
  },
  {
    name: "Memory", format: format.bytes, binary: true,
    series: [
      { key: "rss", label: "process", color: "--slate" },
      { key: "used", label: "used", color: "--violet", fill: true },
    ],
  },
  {
    name: "Reads", format: (value) => `${format.count(value)}/s`,
    series: [
      { key: "hits", label: "hits", color: "--green", fill: true },
      { key: "misses", label: "misses", color: "--red" },
    ],
  },
  {
    name: "Network", format: (value) => `${format.bytes(value)}/s`, binary: true,
    series: [
      { key: "sent", label: "sent", color: "--pink", fill: true },
      { key: "received", label: "received", color: "--cyan" },
    ],
  },
  { name: "CPU by shard", format: format.percent, most: 1, of: "cpu", series: [] },
];

const SHARD_PLOTS = [
  { name: "CPU", format: format.percent, most: 1, of: "cpu", series: [] },
  { name: "Commands of its clients", format: (value) => `${format.count(value)}/s`, of: "ops", series: [] },
  { name: "Messages from others", format: (value) => `${format.count(value)}/s`, of: "messages", series: [] },
];

/** A plot with a legend that tells the values of now; `of` names a figure of which every shard has one. */
function plot({ name, format: words, series, of, ...options }, where) {
  const canvas = make("canvas", { role: "img", "aria-label": name });
  const legend = make("ul", { class: "legend" });
  const chart = new Chart(canvas, series, words, options);
  charts.push({ view: where, chart });
  return {
    box: make("article", { class: "panel plot" }, make("header", {}, make("h3", {}, name), legend), canvas),
    show() {
      if (of) {
        chart.series = samples.now.threads.slice(0, 16).map((_, at) => ({ key: `${of}${at}`, label: `${at}`, color: shade(at) }));
      }
      if (legend.childElementCount !== chart.series.length) {
        legend.replaceChildren(...chart.series.map(({ label, color }) =>
          make("li", {}, swatch(color), `${label} `, make("b", {}))));
      }
      const values = chart.series.map(({ key }) => words(samples.last[key]));
      values.forEach((text, at) => say(legend.children[at].querySelector("b"), text));
      canvas.setAttribute("aria-label", `${name}: ${chart.series.map(({ label }, at) => `${label} ${values[at]}`).join(", ")}`);
    },
  };
}

function swatch(name) {
  const square = make("i");
  square.style.background = `var(${name})`;
  return square;
}

const tiles = TILES.map(tile);
const plots = PLOTS.map((one) => plot(one, "overview"));
const shardPlots = SHARD_PLOTS.map((one) => plot(one, "shards"));
part("tiles").append(...tiles.map(({ box }) => box));
part("charts").append(...plots.map(({ box }) => box));
part("shard-charts").append(...shardPlots.map(({ box }) => box));

// --- overview ---

function showOverview() {
  for (const one of [...tiles, ...plots]) one.show();
  const threads = samples.now.threads;
  const moving = samples.last.threads;
  const rows = [
    ["Keys", threads.map((one) => one.keys), format.count],
    ["Memory", threads.map((one) => one.used), format.bytes],
    ["Commands", moving.map((one) => one.ops), (value) => `${format.count(value)}/s`],
    ["Clients", threads.map((one) => one.clients), format.count],
    ["Messages", moving.map((one) => one.messages), (value) => `${format.count(value)}/s`],
  ];
  part("balance").replaceChildren(make("div", { class: "balance" }, ...rows.flatMap(([name, values, words]) => [
    make("span", { class: "name" }, name), bar(values, words, name),
  ])));
  fill(part("busiest"), [
    { head: "Command", cell: (row) => row.name, kind: "code" },
    { head: "Rate", cell: (row) => `${format.count(row.rate)}/s`, kind: "num" },
    { head: "Share of time", cell: (row) => share(row), kind: "num" },
    { head: "Mean", cell: (row) => format.latency(row.mean), kind: "num" },
    { head: "99 %", cell: (row) => format.latency(row.p99), kind: "num" },
  ], busiest(6), "No commands in the last seconds.");
  fill(part("databases"), [
    { head: "Database", cell: (row) => `${row.db}` },
    { head: "Keys", cell: (row) => format.whole(row.keys), kind: "num" },
    { head: "Expire", cell: (row) => format.whole(row.expires), kind: "num" },
    { head: "Mean time left", cell: (row) => (row.expires ? format.stretch(row.avg_ttl / 1000) : "–"), kind: "num" },
    { head: "Table filled", cell: (row) => format.percent(row.keys / row.capacity), kind: "num" },
  ], samples.now.databases);
  showDigest();
}

/** What one wants to have seen before one closes the page. */
function showDigest() {
  const evicts = info("Memory", "maxmemory_policy");
  part("digest").replaceChildren(...[
    ["Last snapshot", taken() ? `${format.stretch(samples.now.time - info("Persistence", "rdb_last_save_time"))} ago` : "none yet"],
    ["Changes since", format.whole(+info("Persistence", "rdb_changes_since_last_save"))],
    ["Memory limit", +info("Memory", "maxmemory") ? `${format.bytes(+info("Memory", "maxmemory"))}, ${evicts}` : "none"],
    ["Expired, evicted so far", `${format.count(+info("Stats", "expired_keys"))}, ${format.count(+info("Stats", "evicted_keys"))}`],
    ["Error replies so far", format.whole(+info("Stats", "total_error_replies"))],
    ["Connections so far, refused", `${format.count(+info("Stats", "total_connections_received"))}, ${format.count(+info("Stats", "rejected_connections"))}`],
  ].flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

/** The parts that the shards have of something, as one bar. */
function bar(values, words, name) {
  const total = values.reduce((sum, value) => sum + value, 0);
  const text = values.map((value, at) => `shard ${at} ${words(value)}`).join(", ");
  return make("div", { class: "bar", role: "img", "aria-label": `${name}: ${text}`, title: text }, ...values.map((value, at) =>
    make("span", { "--part": total ? value / total : 1, "--shade": total ? `var(${shade(at)})` : "transparent" },
      total && value / total > 0.12 ? words(value) : "")));
}

const busiest = (most) => samples.recentCommands().filter(({ rate }) => rate > 0).slice(0, most);

/** The part of all commands' time that one takes. */
function share(row) {
  return make("span", { class: "share", "--share": row.part }, format.percent(row.part));
}

// --- commands ---

function showCommands() {
  fill(part("commands-table"), [
    { head: "Command", cell: (row) => row.name, kind: "code" },
    { head: "Rate", cell: (row) => `${format.count(row.rate)}/s`, kind: "num" },
    { head: "Share of time", cell: share, kind: "num" },
    { head: "Mean", cell: (row) => format.latency(row.mean), kind: "num" },
    { head: "50 %", cell: (row) => format.latency(row.p50), kind: "num" },
    { head: "99 %", cell: (row) => format.latency(row.p99), kind: "num" },
    { head: "Latencies so far, 0.1 µs to 0.1 s", cell: (row) => spread(row.histogram) },
    { head: "Calls", cell: (row) => format.whole(row.total), kind: "num" },
    { head: "Errors", cell: (row) => (row.errors ? make("span", { class: "bad" }, format.whole(row.errors)) : "0"), kind: "num" },
  ], samples.recentCommands());
}

/** A histogram of latencies, from 2^7 to 2^27 nanoseconds. */
function spread(histogram) {
  const counts = Array.from({ length: 21 }, (_, at) => histogram[at + 7] || 0);
  const most = Math.max(...counts, 1);
  const described = counts
    .map((calls, at) => (calls ? `${format.whole(calls)} below ${format.latency(2 ** (at + 7) / 1e9)}` : ""))
    .filter(Boolean).join(", ");
  return make("span", { class: "spread", role: "img", "aria-label": described, title: described },
    ...counts.map((calls) => make("i", { "--part": Math.sqrt(calls / most), class: calls ? false : "none" })));
}

// --- shards ---

function showShards() {
  for (const one of shardPlots) one.show();
  const moving = samples.last.threads;
  const rows = samples.now.threads.map((one, at) => ({ at, ...one, moving: moving[at] || {} }));
  part("lanes").replaceChildren(...rows.map((row) => make("article", { class: "panel lane", "--shade": `var(${shade(row.at)})` },
    make("header", {}, make("i"), `Shard ${row.at}`),
    make("div", { class: "gauge", "--part": Math.min(1, row.moving.cpu || 0) }, make("span")),
    make("dl", {}, ...[
      ["CPU", format.percent(row.moving.cpu)],
      ["Commands of its clients", `${format.count(row.moving.ops)}/s`],
      ["Messages from others", `${format.count(row.moving.messages)}/s`],
      ["Keys", format.whole(row.keys)],
      ["Memory", format.bytes(row.used)],
      ["Clients", format.whole(row.clients)],
    ].flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)])))));
  fill(part("shards-table"), [
    { head: "Shard", cell: (row) => `${row.at}` },
    { head: "Commands", cell: (row) => format.whole(row.calls), kind: "num" },
    { head: "Hops sent", cell: (row) => format.whole(row.hops_sent), kind: "num" },
    { head: "Messages handled", cell: (row) => format.whole(row.messages_handled), kind: "num" },
    { head: "Others woken", cell: (row) => format.whole(row.wakeups_sent), kind: "num" },
    { head: "Transactions queued", cell: (row) => format.whole(row.tx_queue_len), kind: "num" },
    { head: "Hits", cell: (row) => format.whole(row.hits), kind: "num" },
    { head: "Misses", cell: (row) => format.whole(row.misses), kind: "num" },
    { head: "Expired", cell: (row) => format.whole(row.expired), kind: "num" },
    { head: "Evicted", cell: (row) => format.whole(row.evicted), kind: "num" },
    { head: "CPU, user", cell: (row) => format.stretch(row.cpu_user), kind: "num" },
    { head: "CPU, kernel", cell: (row) => format.stretch(row.cpu_sys), kind: "num" },
  ], rows);
}

// --- clients ---

async function showClients() {
  const { total, clients } = await ask("api/clients");
  say(part("clients-hint"), clients.length < total
    ? `The ${clients.length} of ${format.whole(total)} clients that were active last.`
    : `${format.whole(total)} connected.`);
  fill(part("clients-table"), [
    { head: "Id", cell: (row) => row.id },
    { head: "Address", cell: (row) => row.addr, kind: "code" },
    { head: "Name", cell: (row) => row.name || "–" },
    { head: "User", cell: (row) => row.user },
    { head: "Library", cell: (row) => `${row["lib-name"]} ${row["lib-ver"]}`.trim() || "–" },
    { head: "Protocol", cell: (row) => (row.cmd === "http" ? "HTTP" : `RESP${row.resp}`) },
    { head: "Last command", cell: (row) => row.cmd, kind: "code" },
    { head: "Thread", cell: (row) => row["io-thread"], kind: "num" },
    { head: "Database", cell: (row) => row.db, kind: "num" },
    { head: "Connected", cell: (row) => format.stretch(+row.age), kind: "num" },
    { head: "Idle", cell: (row) => format.stretch(+row.idle), kind: "num" },
    { head: "Commands", cell: (row) => format.count(+row["tot-cmds"]), kind: "num" },
    { head: "Received", cell: (row) => format.bytes(+row["tot-net-in"]), kind: "num" },
    { head: "Sent", cell: (row) => format.bytes(+row["tot-net-out"]), kind: "num" },
    { head: "Memory", cell: (row) => format.bytes(+row["tot-mem"]), kind: "num" },
  ], clients);
}

// --- slow log ---

async function showSlowlog() {
  const entries = await ask("api/slowlog");
  say(part("slowlog-hint"), "Commands that took longer than slowlog-log-slower-than says, the newest first.");
  fill(part("slowlog-table"), [
    { head: "Id", cell: (row) => `${row.id}` },
    { head: "When", cell: (row) => format.moment(row.time), kind: "dim" },
    { head: "Took", cell: (row) => format.latency(row.us / 1e6), kind: "num" },
    { head: "Command", cell: (row) => row.args.join(" "), kind: "code wrap" },
    { head: "Client", cell: (row) => [row.address, row.name].filter(Boolean).join(" "), kind: "dim" },
  ], entries, "No command was slow.");
}

// --- snapshots ---

const SNAPSHOT = [
  {
    name: "Last snapshot",
    value: () => (taken() ? `${format.stretch(samples.now.time - info("Persistence", "rdb_last_save_time"))} ago` : "none yet"),
    more: () => (taken() ? format.moment(info("Persistence", "rdb_last_save_time")) : "since the start of the server"),
  },
  {
    name: "It went",
    value: () => (taken() ? (info("Persistence", "rdb_last_bgsave_status") === "ok" ? "well" : "wrong") : "–"),
    more: () => (taken()
      ? info("Persistence", "snapshot_last_error")
        || `took ${format.stretch(+info("Persistence", "rdb_last_bgsave_time_sec"))}, ${format.bytes(+info("Persistence", "snapshot_last_bytes"))}`
      : "\u00a0"),
  },
  {
    name: "Changes since",
    value: () => format.count(+info("Persistence", "rdb_changes_since_last_save")),
    more: () => "that no snapshot holds",
  },
  {
    name: "Now",
    value: () => (+info("Persistence", "loading") ? "loading" : +info("Persistence", "rdb_bgsave_in_progress") ? "saving" : "at rest"),
    more: () => (+info("Persistence", "current_save_keys_total")
      ? `${format.whole(+info("Persistence", "current_save_keys_processed"))} of ${format.whole(+info("Persistence", "current_save_keys_total"))} keys`
      : "\u00a0"),
  },
];

const taken = () => +info("Persistence", "rdb_saves") > 0 || +info("Persistence", "rdb_last_bgsave_time_sec") >= 0
  || info("Persistence", "rdb_last_bgsave_status") !== "ok";

const snapshotTiles = SNAPSHOT.map(tile);
part("snapshot-tiles").append(...snapshotTiles.map(({ box }) => box));

const NAME_AND_VALUE = [
  { head: "Name", cell: ([name]) => name, kind: "code" },
  { head: "Value", cell: ([, value]) => `${value}` || "–", kind: "code num" },
];

function showSnapshots() {
  for (const one of snapshotTiles) one.show();
  fill(part("snapshots-table"), NAME_AND_VALUE, Object.entries(samples.now.info.Persistence));
}

// --- configuration ---

let parameters = [];

async function showConfig() {
  parameters = await ask("api/config");
  filterConfig();
}

function filterConfig() {
  const words = part("config-filter").value.toLowerCase();
  const changed = part("config-changed").checked;
  const rows = parameters
    .filter((row) => (row.name.includes(words) || row.value.toLowerCase().includes(words)) && (row.changed || !changed))
    .map((row) => ({ ...row, class: row.changed ? "changed" : "" }));
  fill(part("config-table"), [
    { head: "Parameter", cell: (row) => row.name, kind: "code" },
    { head: "Value", cell: (row) => row.value || "–", kind: "code wrap" },
    { head: "", cell: (row) => (row.changed ? "not the default" : ""), kind: "dim" },
  ], rows, "No parameter is like that.");
}

part("config-filter").addEventListener("input", filterConfig);
part("config-changed").addEventListener("change", filterConfig);

// --- info ---

function showInfo() {
  const words = part("info-filter").value.toLowerCase();
  part("info-sections").replaceChildren(...Object.entries(samples.now.info).map(([name, lines]) => {
    const rows = Object.entries(lines).filter(([key, value]) => key.includes(words) || `${value}`.toLowerCase().includes(words));
    const table = make("table");
    fill(table, NAME_AND_VALUE, rows);
    return make("article", { class: "panel", hidden: rows.length ? false : "" }, make("h3", {}, name), table);
  }));
}

part("info-filter").addEventListener("input", showInfo);
for (const form of document.querySelectorAll("form")) form.addEventListener("submit", (event) => event.preventDefault());

// --- asking ---

const VIEWS = {
  overview: showOverview,
  commands: showCommands,
  shards: showShards,
  clients: showClients,
  slowlog: showSlowlog,
  snapshots: showSnapshots,
  config: showConfig,
  info: showInfo,
};
const ONCE = new Set(["config"]); // does not move by itself

/** What the server says to a path, as JSON. */
async function ask(path) {
  const response = await fetch(path, { signal: AbortSignal.timeout(8000), cache: "no-store" });
  if (!response.ok) throw new Error((await response.text()).trim() || `status ${response.status}`);
  return response.json();
}

function setState(state, text) {
  part("state").dataset.state = state;
  say(part("state"), text);
}

function showFacts() {
  const threads = samples.now.threads.length;
  const gil = info("Server", "gil") === "on";
  part("facts").replaceChildren(
    make("span", {}, `version ${info("Server", "nogil_df_version")}`),
    make("span", {}, threads === 1 ? "1 thread" : `${threads} threads`),
    make("span", { class: gil ? "bad" : false }, gil ? "GIL on" : "GIL off"),
    make("span", {}, `up ${format.stretch(+info("Server", "uptime_in_seconds"))}`),
  );
  say(part("build"), `${info("Server", "interpreter")} · Redis ${info("Server", "redis_version")} protocol · process ${info("Server", "process_id")}`);
}

async function show() {
  if (!samples.now) return;
  try {
    await VIEWS[view]();
  } catch (error) {
    setState("lost", error.message);
  }
}

async function askAgain() {
  const begun = performance.now();
  if (!paused && !document.hidden) {
    try {
      const stats = await ask("api/stats");
      // Whoever paused meanwhile goes on seeing what was there.
      if (!paused) {
        samples.take(stats);
        askedFor = performance.now();
        setState("live", "live");
        showFacts();
        if (!ONCE.has(view)) await show();
      }
    } catch (error) {
      if (!paused) setState("lost", error.name === "TypeError" || error.name === "TimeoutError" ? "no answer, trying again" : error.message);
    }
  }
  setTimeout(askAgain, Math.max(100, EVERY - (performance.now() - begun)));
}

// --- moving ---

const still = matchMedia("(prefers-reduced-motion: reduce)");
let drawn = 0;

function draw(now) {
  requestAnimationFrame(draw);
  const points = samples.points;
  if (document.hidden || !points.length || now - drawn < FRAME) return;
  drawn = now;
  // The right edge is a second behind, so that the next point is there when the line gets to it.
  const ahead = still.matches ? 0 : Math.min(1.2, (performance.now() - askedFor) / 1000);
  const to = paused || part("state").dataset.state !== "live" ? points.at(-1).t : points.at(-1).t - 1 + ahead;
  const from = to - +part("span").value;
  for (const { view: where, chart } of charts) if (where === view) chart.draw(points, chart.options.small ? to - 60 : from, to);
}

// --- the page ---

function choose() {
  const wanted = location.hash.slice(1);
  view = wanted in VIEWS ? wanted : "overview";
  for (const name of Object.keys(VIEWS)) part(`view-${name}`).hidden = name !== view;
  for (const link of document.querySelectorAll(".views a")) {
    if (link.hash === `#${view}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  pointer.time = null;
  window.scrollTo(0, 0);
  show();
}

const THEMES = ["auto", "light", "dark"];

function setTheme(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  say(part("theme"), `Theme: ${theme}`);
  localStorage.setItem("theme", theme);
}

part("theme").addEventListener("click", () => {
  const now = document.documentElement.dataset.theme || "auto";
  setTheme(THEMES[(THEMES.indexOf(now) + 1) % THEMES.length]);
});
part("pause").addEventListener("click", () => {
  paused = !paused;
  part("pause").setAttribute("aria-pressed", paused);
  say(part("pause"), paused ? "Go on" : "Pause");
  if (paused) setState("waiting", "paused");
});
part("span").addEventListener("change", () => localStorage.setItem("span", part("span").value));

window.addEventListener("hashchange", choose);
window.addEventListener("pagehide", () => {
  try {
    sessionStorage.setItem("points", samples.kept());
  } catch {
    // More than a browser keeps: then there is nothing after a reload.
    sessionStorage.removeItem("points");
  }
});
samples.restore(sessionStorage.getItem("points"));
setTheme(THEMES.includes(localStorage.getItem("theme")) ? localStorage.getItem("theme") : "auto");
if (localStorage.getItem("span")) part("span").value = localStorage.getItem("span");
choose();
askAgain();
requestAnimationFrame(draw);
