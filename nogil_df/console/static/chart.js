/**
 * Plots over time on a canvas: they move with the clock, and share one cross-hair.
 *
 * A plot is redrawn as a whole, a few hundred lines, which takes well under a millisecond.
 */

const probe = document.createElement("span");
probe.hidden = true;
document.body.append(probe);

/** The colour that a custom property stands for in the theme of now. */
export function color(name) {
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}

/** A colour made transparent. */
function faint(rgb, alpha) {
  return rgb.replace(/^rgb\(/, "rgba(").replace(/\)$/, `, ${alpha})`);
}

/** Where all plots show the cross-hair: unix seconds, or null. */
export const pointer = { time: null };

/** The points of a stretch of time, and one more on either side, so that lines reach the edges. */
function within(points, from, to) {
  let first = points.length;
  while (first > 0 && points[first - 1].t >= from) first -= 1;
  let last = points.length;
  while (last > first && points[last - 1].t > to) last -= 1;
  return points.slice(Math.max(0, first - 1), last + 1);
}

/** 1, 2, 2.5 or 5 times a power of ten that is at least `value`; or a power of two. */
function niceAbove(value, binary) {
  if (!(value > 0)) return 1;
  if (binary) return 2 ** Math.ceil(Math.log2(value));
  const power = 10 ** Math.floor(Math.log10(value));
  const digit = [1, 2, 2.5, 5, 10].find((one) => one * power >= value * 0.999);
  return digit * power;
}

export class Chart {
  /**
   * @param canvas where to draw; its size is that of its box.
   * @param series [{key, label, color, fill}]: what of a point is drawn, and how.
   * @param format makes a text of a value.
   * @param options small: a line without axes; log: logarithmic; binary: values are bytes; most: the upper end.
   */
  constructor(canvas, series, format, options = {}) {
    this.canvas = canvas;
    this.series = series;
    this.format = format;
    this.options = options;
    this.top = 0;
    this.paint = canvas.getContext("2d");
    if (!options.small) {
      canvas.addEventListener("pointermove", (event) => this.point(event));
      canvas.addEventListener("pointerleave", () => { pointer.time = null; });
    }
  }

  point(event) {
    const { left, right, from, to } = this.shown || {};
    if (!(to > from)) return;
    const x = event.clientX - this.canvas.getBoundingClientRect().left;
    pointer.time = from + (Math.min(Math.max(x, left), right) - left) / (right - left) * (to - from);
  }

  /** Draw the points between two times, in unix seconds. */
  draw(points, from, to) {
    const box = this.canvas.getBoundingClientRect();
    if (!box.width || !box.height) return;
    const ratio = window.devicePixelRatio || 1;
    const wide = Math.round(box.width * ratio);
    const high = Math.round(box.height * ratio);
    if (this.canvas.width !== wide || this.canvas.height !== high) {
      this.canvas.width = wide;
      this.canvas.height = high;
    }
    const paint = this.paint;
    paint.setTransform(ratio, 0, 0, ratio, 0, 0);
    paint.clearRect(0, 0, box.width, box.height);
    const small = this.options.small;
    const area = small
      ? { left: 0, right: box.width, top: 2, bottom: box.height - 1 }
      : { left: 62, right: box.width - 10, top: 10, bottom: box.height - 22 };
    this.shown = { ...area, from, to };
    const found = within(points, from, to);
    const scale = this.options.log ? this.logScale(found, area) : this.linearScale(found, area);
    const x = (t) => area.left + (t - from) / (to - from) * (area.right - area.left);
    if (!small) this.axes(area, scale, x, from, to);
    paint.save();
    paint.beginPath();
    paint.rect(area.left, 0, area.right - area.left, box.height);
    paint.clip();
    for (const one of this.series) this.line(one, found, x, scale.y, area, small);
    paint.restore();
    if (!small) this.crossHair(area, found, x, scale.y);
  }

  linearScale(points, area) {
    let most = 0;
    let least = Infinity;
    for (const point of points) {
      for (const { key } of this.series) {
        if (point[key] > most) most = point[key];
        if (point[key] < least) least = point[key];
      }
    }
    const base = this.options.small && this.options.loose && least < Infinity ? Math.max(0, least - (most - least || most * 0.1)) : 0;
    const step = niceAbove((this.options.most || most * 1.04) / 4, this.options.binary);
    const top = this.options.most || Math.max(1, Math.ceil(most * 1.04 / step)) * step;
    // The scale glides: it would jump with each peak that comes or goes.
    this.top = this.top && Math.abs(this.top - top) > top * 0.002 ? this.top + (top - this.top) * 0.18 : top;
    const span = this.top - base || 1;
    const y = (value) => area.bottom - (value - base) / span * (area.bottom - area.top);
    const ticks = [];
    for (let value = 0; value <= this.top * 1.001; value += step) ticks.push(value);
    return { y, ticks };
  }

  logScale(points, area) {
    let most = -Infinity;
    let least = Infinity;
    for (const point of points) {
      for (const { key } of this.series) {
        if (point[key] > 0) {
          most = Math.max(most, point[key]);
          least = Math.min(least, point[key]);
        }
      }
    }
    const low = Math.floor(Number.isFinite(least) ? Math.log10(least) : -6);
    const high = Math.max(low + 1, Math.ceil(Number.isFinite(most) ? Math.log10(most) : -3));
    const y = (value) => area.bottom - (Math.log10(Math.max(value, 10 ** low)) - low) / (high - low) * (area.bottom - area.top);
    const ticks = [];
    for (let power = low; power <= high; power += 1) ticks.push(10 ** power);
    return { y, ticks };
  }

  axes(area, scale, x, from, to) {
    const paint = this.paint;
    paint.font = "11px system-ui, sans-serif";
    paint.fillStyle = color("--muted");
    paint.strokeStyle = color("--grid");
    paint.lineWidth = 1;
    paint.textAlign = "right";
    paint.textBaseline = "middle";
    for (const value of scale.ticks) {
      const y = Math.round(scale.y(value)) + 0.5;
      if (y < area.top - 4) continue;
      paint.beginPath();
      paint.moveTo(area.left, y);
      paint.lineTo(area.right, y);
      paint.stroke();
      // 25.0k is 25k where nothing else would stand behind the point.
      paint.fillText(this.format(value).replace(/\.0+(?!\d)/, ""), area.left - 8, y);
    }
    const step = [5, 10, 15, 30, 60, 120, 300, 600].find((one) => (area.right - area.left) * one / (to - from) > 84) || 900;
    paint.textAlign = "center";
    paint.textBaseline = "top";
    for (let t = Math.ceil(from / step) * step; t < to; t += step) {
      const at = x(t);
      if (at < area.left + 18 || at > area.right - 18) continue;
      paint.fillText(new Date(t * 1000).toLocaleTimeString("en-GB"), at, area.bottom + 7);
    }
  }

  line(one, points, x, y, area, small) {
    const paint = this.paint;
    const stroke = color(one.color);
    // Runs of points that have a value; a gap is a gap.
    let run = [];
    const flush = () => {
      if (run.length) this.stroke(run, stroke, one.fill, area, small);
      run = [];
    };
    for (const point of points) {
      const value = point[one.key];
      if (Number.isFinite(value)) run.push([x(point.t), y(value)]);
      else flush();
    }
    flush();
    const last = points.at(-1);
    if (small && last && Number.isFinite(last[one.key])) {
      paint.beginPath();
      paint.arc(Math.min(x(last.t), area.right - 3), y(last[one.key]), 2.2, 0, 7);
      paint.fillStyle = stroke;
      paint.fill();
    }
  }

  stroke(run, stroke, fill, area, small) {
    const paint = this.paint;
    const path = new Path2D();
    path.moveTo(...run[0]);
    for (let at = 1; at < run.length; at += 1) {
      // A curve through the points that stays between the heights of its two ends.
      const [x0, y0] = run[at - 1];
      const [x1, y1] = run[at];
      const middle = (x0 + x1) / 2;
      path.bezierCurveTo(middle, y0, middle, y1, x1, y1);
    }
    if (run.length === 1) path.lineTo(run[0][0] + 1, run[0][1]);
    if (fill) {
      const shape = new Path2D(path);
      shape.lineTo(run.at(-1)[0], area.bottom);
      shape.lineTo(run[0][0], area.bottom);
      shape.closePath();
      const shade = paint.createLinearGradient(0, area.top, 0, area.bottom);
      shade.addColorStop(0, faint(stroke, small ? 0.28 : 0.26));
      shade.addColorStop(1, faint(stroke, 0.02));
      paint.fillStyle = shade;
      paint.fill(shape);
    }
    paint.strokeStyle = stroke;
    paint.lineWidth = small ? 1.6 : 1.8;
    paint.lineJoin = "round";
    paint.lineCap = "round";
    paint.stroke(path);
  }

  crossHair(area, points, x, y) {
    if (pointer.time === null || !points.length) return;
    const paint = this.paint;
    const nearest = points.reduce((best, one) =>
      Math.abs(one.t - pointer.time) < Math.abs(best.t - pointer.time) ? one : best);
    const at = x(nearest.t);
    if (at < area.left || at > area.right) return;
    paint.strokeStyle = color("--muted");
    paint.lineWidth = 1;
    paint.setLineDash([3, 3]);
    paint.beginPath();
    paint.moveTo(at, area.top);
    paint.lineTo(at, area.bottom);
    paint.stroke();
    paint.setLineDash([]);
    const rows = this.series.map((one) => [one.label, this.format(nearest[one.key]), color(one.color)]);
    for (const [index, one] of this.series.entries()) {
      const value = nearest[one.key];
      if (!Number.isFinite(value)) continue;
      paint.beginPath();
      paint.arc(at, y(value), 3.5, 0, 7);
      paint.fillStyle = rows[index][2];
      paint.fill();
      paint.strokeStyle = color("--panel");
      paint.lineWidth = 1.5;
      paint.stroke();
    }
    this.label(area, at, new Date(nearest.t * 1000).toLocaleTimeString("en-GB"), rows);
  }

  /** The values under the cross-hair, in a box beside it. */
  label(area, at, title, rows) {
    const paint = this.paint;
    paint.font = "11.5px system-ui, sans-serif";
    paint.textBaseline = "middle";
    const texts = rows.map(([name, value]) => `${name}  ${value}`);
    const wide = Math.max(paint.measureText(title).width, ...texts.map((text) => paint.measureText(text).width + 14)) + 18;
    const high = 18 * (rows.length + 1) + 8;
    const left = at + 12 + wide > area.right ? at - 12 - wide : at + 12;
    paint.fillStyle = color("--panel");
    paint.strokeStyle = color("--border");
    paint.beginPath();
    paint.roundRect(left, area.top + 4, wide, high, 7);
    paint.fill();
    paint.stroke();
    paint.textAlign = "left";
    paint.fillStyle = color("--muted");
    paint.fillText(title, left + 9, area.top + 18);
    rows.forEach(([name, value, dot], index) => {
      const y = area.top + 18 * (index + 2);
      paint.fillStyle = dot;
      paint.beginPath();
      paint.arc(left + 13, y, 3.5, 0, 7);
      paint.fill();
      paint.fillStyle = color("--text");
      paint.fillText(`${name}  ${value}`, left + 23, y);
    });
  }
}
