/** Numbers as people read them. Every function takes a number and gives a text; what is no number gives a dash. */

const NONE = "–";

const plain = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** 3 digits that count, and a letter for the thousands: 950, 1.23k, 45.6M. */
export function count(value) {
  return scaled(value, 1000, ["", "k", "M", "G", "T"]);
}

/** All digits, grouped: 1,234,567. */
export function whole(value) {
  return Number.isFinite(value) ? plain.format(value) : NONE;
}

/** 512 B, 1.50 MB: powers of 1024, as Redis counts. */
export function bytes(value) {
  return scaled(value, 1024, [" B", " KB", " MB", " GB", " TB"]);
}

/** Seconds as a latency: 850 ns, 12.3 µs, 4.56 ms. */
export function latency(seconds) {
  if (!Number.isFinite(seconds)) return NONE;
  if (seconds < 1e-6) return `${digits(seconds * 1e9)} ns`;
  if (seconds < 1e-3) return `${digits(seconds * 1e6)} µs`;
  if (seconds < 1) return `${digits(seconds * 1e3)} ms`;
  return `${digits(seconds)} s`;
}

/** Seconds as a stretch of time: 45 s, 3 min 20 s, 5 h 12 min, 9 d 4 h. */
export function stretch(seconds) {
  if (!Number.isFinite(seconds)) return NONE;
  const total = Math.max(0, Math.round(seconds));
  const parts = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const first = parts.findIndex(([, size]) => total >= size);
  if (first < 0) return "0 s";
  return parts
    .slice(first, first + 2)
    .map(([unit, size], at) => [Math.floor((at ? total % parts[first][1] : total) / size), unit])
    .filter(([amount], at) => amount || !at)
    .map(([amount, unit]) => `${amount} ${unit}`)
    .join(" ");
}

/** A share of 1: 99.3 %. */
export function percent(share) {
  if (!Number.isFinite(share)) return NONE;
  const value = share * 100;
  return `${value >= 99.95 || value === 0 ? value.toFixed(0) : digits(value)} %`;
}

/** Unix seconds as a time of day. */
export function clock(seconds) {
  return new Date(seconds * 1000).toLocaleTimeString("en-GB");
}

/** Unix seconds as date and time. */
export function moment(seconds) {
  return new Date(seconds * 1000).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });
}

function scaled(value, base, units) {
  if (!Number.isFinite(value)) return NONE;
  let unit = 0;
  while (Math.abs(value) >= base && unit < units.length - 1) {
    value /= base;
    unit += 1;
  }
  return (unit ? digits(value) : plain.format(value)) + units[unit];
}

/** Three digits that count. */
function digits(value) {
  const size = Math.abs(value);
  return value.toFixed(size >= 99.95 || size === 0 ? 0 : size >= 9.995 ? 1 : 2);
}
