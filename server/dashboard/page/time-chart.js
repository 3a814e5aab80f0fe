// <rc-time-chart> draws what was counted over time: lines or bars, with axes, a
// readout of single points by pointer, touch and keys, and all of it as a table.
import { fill, h, perFrame, svg } from "./dom.js";
import { compact, day, minute, number } from "./format.js";
import { barPath, extent, linear, linePath, nearest, ticks, timeTicks } from "./scale.js";

const DAY = 86_400_000;
const LETTER = 7; // px, about the width of a digit of the axes' type
const TOP = 10, BOTTOM = 24, RIGHT = 16;

const utcDay = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", timeZone: "UTC" });

/**
 * Its data, set as a whole whenever it changes:
 *
 *   title       what it is, for its name and the table's caption
 *   times       the beginnings of the steps in ms, rising
 *   step        their length in ms; days are those of UTC
 *   kind        "line" or "bars"
 *   series      [{name, values, color, format, plotted}]: a value for each time,
 *               or null; color 0 to 3; plotted false: in readout and table alone.
 *               From the second on they differ by dashes as well
 *   unfinished  whether the last step still goes on; it is drawn paler
 */
export class TimeChart extends HTMLElement {
  #data = null;
  #built = false;
  #observer = new ResizeObserver(() => this.#draw());
  #draw = perFrame(() => this.#redraw());
  #chosen = null; // the time that is read out, in ms
  #x = () => 0;
  #y = () => 0;

  #svg = svg("svg", { role: "img" });
  #grid = svg("g", { class: "grid", "aria-hidden": "true" });
  #marks = svg("g", { class: "marks", "aria-hidden": "true" });
  #cross = svg("g", { class: "cross", "aria-hidden": "true", visibility: "hidden" });
  #nothing = h("p", { class: "nothing quiet" });
  #readout = h("div", { class: "readout", "aria-hidden": "true", hidden: true });
  #probe = h("div", { class: "probe", role: "slider", tabindex: "0", "aria-valuemin": "0" });
  #plot = h("div", { class: "plot" }, this.#svg, this.#nothing, this.#probe, this.#readout);
  #legend = h("ul", { class: "legend", hidden: true });
  #table = h("div", { class: "scroll", role: "region", tabindex: "0" });
  #details = h("details", { ontoggle: () => this.#tabulate() }, h("summary", null, "Show as table"), this.#table);

  get data() { return this.#data; }

  set data(data) {
    this.#data = data;
    if (!this.isConnected) return;
    this.#draw();
    this.#tabulate();
  }

  connectedCallback() {
    if (!this.#built) this.#build();
    this.#observer.observe(this.#plot);
    if (this.#data) this.data = this.#data;
  }

  disconnectedCallback() {
    this.#observer.disconnect();
    this.#draw.cancel();
  }

  #build() {
    this.#built = true;
    this.#svg.append(this.#grid, this.#marks, this.#cross);
    const probe = this.#probe;
    probe.addEventListener("pointermove", (event) => this.#point(event));
    probe.addEventListener("pointerdown", (event) => this.#point(event));
    probe.addEventListener("pointerleave", (event) => {
      // A finger that is lifted leaves what it chose; the next tap elsewhere ends it.
      if (event.pointerType === "mouse" && document.activeElement !== probe) this.#choose(null);
    });
    probe.addEventListener("focus", () => this.#chosen ?? this.#choose(this.#data?.times.at(-1) ?? null));
    probe.addEventListener("blur", () => this.#choose(null));
    probe.addEventListener("keydown", (event) => this.#key(event));
    this.append(this.#plot, this.#legend, this.#details);
  }

  get #plotted() { return this.#data.series.filter((s) => s.plotted !== false); }

  #redraw() {
    const data = this.#data;
    const width = this.#plot.clientWidth, height = this.#plot.clientHeight;
    if (!data || width === 0 || height === 0) return;
    const plotted = this.#plotted;
    const all = plotted.map((s) => extent(s.values));
    const most = Math.max(0, ...all.map((e) => e?.max ?? 0));
    const levels = ticks(most, Math.max(2, Math.floor(height / 45)));
    const left = 8 + LETTER * Math.max(...levels.map((v) => compact(v).length));
    const times = data.times;
    const from = times[0] ?? 0, to = (times.at(-1) ?? 0) + data.step;
    this.#x = linear(from, to, left, width - RIGHT);
    this.#y = linear(0, levels.at(-1), height - BOTTOM, TOP);
    for (const [name, value] of [["width", width], ["height", height], ["viewBox", `0 0 ${width} ${height}`]]) this.#svg.setAttribute(name, value);

    const ends = { left, right: width - RIGHT, bottom: height - BOTTOM };
    fill(this.#grid, this.#levels(levels, ends), times.length > 0 && this.#moments(from, to, ends));
    fill(this.#marks, plotted.map((s, nth) => (data.kind === "bars" ? this.#bars(s, nth, plotted.length) : this.#line(s, nth))));
    const something = all.some(Boolean);
    this.#nothing.hidden = something && most > 0;
    this.#nothing.textContent = something ? "None in this time" : "No data for this time";
    this.#svg.setAttribute("aria-label", `${data.title}. ${this.#summary(plotted, all)}`);
    this.#probe.setAttribute("aria-label", `${data.title}, single values`);
    this.#probe.setAttribute("aria-valuemax", String(Math.max(0, times.length - 1)));
    this.#drawLegend(plotted);
    this.#readOut();
  }

  #levels(levels, { left, right }) {
    return levels.map((v) => {
      const y = Math.round(this.#y(v)) + 0.5;
      return [
        svg("line", { class: v === 0 ? "base" : null, x1: left, x2: right, y1: y, y2: y }),
        svg("text", { x: left - 6, y: y + 4, "text-anchor": "end" }, compact(v)),
      ];
    });
  }

  #moments(from, to, { left, right, bottom }) {
    const daily = this.#data.step >= DAY;
    const shift = daily ? this.#data.step / 2 : 0; // a day's name stands below its middle
    return timeTicks(from, to - shift, Math.max(2, Math.floor((right - left) / 58)), { utc: daily, least: this.#data.step }).map(({ at, day: midnight }) => {
      const x = Math.round(this.#x(at + shift)) + 0.5;
      const text = daily ? utcDay.format(at) : midnight ? day(at) : minute(at);
      const half = (text.length * LETTER) / 2;
      return [
        svg("line", { x1: x, x2: x, y1: TOP, y2: bottom }),
        svg("text", { class: midnight && !daily ? "day" : null, x: Math.min(x, right + RIGHT - half), y: bottom + 17, "text-anchor": "middle" }, text),
      ];
    });
  }

  /** Where a step's value is drawn: in its middle. */
  #middle(i) { return this.#x(this.#data.times[i] + this.#data.step / 2); }

  #line(series, nth) {
    const look = `c${series.color} d${nth}`;
    const points = series.values.map((v, i) => (v === null || v === undefined ? null : [this.#middle(i), this.#y(v)]));
    const open = this.#data.unfinished && points.length > 1 ? points.slice(-2) : null;
    if (open) points.pop();
    const alone = points.filter((p, i) => p && !points[i - 1] && !points[i + 1]); // no line leads there
    return [
      svg("path", { class: `line ${look}`, d: linePath(points) }),
      open && svg("path", { class: `line ${look} open`, d: linePath(open) }),
      alone.map(([x, y]) => svg("circle", { class: `dot ${look}`, cx: x, cy: y, r: 3 })),
    ];
  }

  #bars(series, nth, of) {
    const look = `c${series.color} d${nth}`;
    const { times, step, unfinished } = this.#data;
    const all = this.#x(step) - this.#x(0);
    const gap = all > 5 ? Math.min(4, all * 0.2) : 0;
    const width = (all - gap) / of;
    const bars = times.map((t, i) => {
      const v = series.values[i] ?? 0;
      const y = this.#y(v);
      return [this.#x(t) + gap / 2 + nth * width, y, width, v > 0 ? Math.max(1, this.#y(0) - y) : 0];
    });
    const open = unfinished ? bars.splice(-1) : [];
    return [
      svg("path", { class: `bars ${look}`, d: barPath(bars) }),
      svg("path", { class: `bars ${look} open`, d: barPath(open) }),
    ];
  }

  #summary(plotted, all) {
    const { times, step } = this.#data;
    if (!all.some(Boolean)) return "No data.";
    const parts = plotted.map((s, i) => {
      const e = all[i];
      if (!e) return `${s.name}: no data.`;
      const f = s.format ?? number;
      const at = e.max > 0 ? ` (${when(times[s.values.indexOf(e.max)], step)})` : "";
      return `${s.name}: least ${f(e.min)}, most ${f(e.max)}${at}, last ${f(e.last)}.`;
    });
    return parts.join(" ");
  }

  #drawLegend(plotted) {
    this.#legend.hidden = plotted.length < 2;
    const names = plotted.map((s) => s.name).join();
    if (this.#legend.dataset.names === names) return;
    this.#legend.dataset.names = names;
    fill(this.#legend, plotted.map((s, nth) => h("li", null, swatch(s, nth, this.#data.kind), s.name)));
  }

  #point(event) {
    if (!this.#data) return;
    const at = event.clientX - this.#plot.getBoundingClientRect().left;
    const i = nearest(this.#data.times.map((_, n) => this.#middle(n)), at);
    if (i >= 0) this.#choose(this.#data.times[i]);
  }

  #key(event) {
    const times = this.#data?.times ?? [];
    const now = this.#chosen === null ? times.length - 1 : nearest(times, this.#chosen);
    const moves = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -Infinity, End: Infinity };
    if (event.key === "Escape") this.#choose(null);
    else if (event.key in moves && times.length > 0) {
      event.preventDefault();
      this.#choose(times[Math.min(times.length - 1, Math.max(0, now + moves[event.key]))]);
    }
  }

  #choose(time) {
    if (time === this.#chosen) return;
    this.#chosen = time;
    this.#readOut();
  }

  #readOut() {
    const data = this.#data;
    const i = this.#chosen === null || !data ? -1 : nearest(data.times, this.#chosen);
    this.#readout.hidden = i < 0;
    this.#cross.setAttribute("visibility", i < 0 ? "hidden" : "visible");
    this.#probe.setAttribute("aria-valuenow", String(Math.max(0, i < 0 ? (data?.times.length ?? 1) - 1 : i)));
    if (i < 0) {
      this.#probe.setAttribute("aria-valuetext", "no value chosen");
      return;
    }
    const time = when(data.times[i], data.step) + (data.unfinished && i === data.times.length - 1 ? ", so far" : "");
    const told = data.series.map((s) => [s, tell(s, i)]);
    const plotted = this.#plotted;
    this.#probe.setAttribute("aria-valuetext", `${time}: ${told.map(([s, v]) => `${s.name} ${v}`).join(", ")}`);
    fill(this.#readout, h("p", null, time), h("dl", null, told.map(([s, v]) => h("div", null,
      h("dt", null, plotted.includes(s) && swatch(s, plotted.indexOf(s), data.kind), s.name), h("dd", null, v)))));
    const x = this.#middle(i), bottom = this.#plot.clientHeight - BOTTOM;
    fill(this.#cross, svg("line", { x1: x, x2: x, y1: TOP, y2: bottom }),
      data.kind !== "bars" && plotted.filter((s) => s.values[i] !== null && s.values[i] !== undefined)
        .map((s) => svg("circle", { class: `dot c${s.color}`, cx: x, cy: this.#y(s.values[i]), r: 4 })));
    const box = this.#readout.offsetWidth, room = this.#plot.clientWidth;
    const beside = x + 12 + box <= room ? x + 12 : x - 12 - box;
    this.#readout.style.left = `${Math.max(0, Math.min(beside, room - box))}px`;
  }

  #tabulate() {
    const data = this.#data;
    if (!this.#details.open || !data) return;
    const top = this.#table.scrollTop;
    this.#table.setAttribute("aria-label", `${data.title}, table`);
    fill(this.#table, h("table", null, h("caption", { class: "hidden" }, data.title),
      h("thead", null, h("tr", null, h("th", { scope: "col" }, data.step >= DAY ? "Day (UTC)" : "Time"),
        data.series.map((s) => h("th", { scope: "col", class: "n" }, s.name)))),
      h("tbody", null, data.times.map((t, i) => h("tr", null, h("th", { scope: "row" }, when(t, data.step)),
        data.series.map((s) => h("td", { class: "n" }, tell(s, i))))).reverse())));
    this.#table.scrollTop = top;
  }
}

/** A series' value as text. */
function tell(series, i) {
  const v = series.values[i];
  return v === null || v === undefined ? "–" : (series.format ?? number)(v);
}

/** A step as text: "Nov 24", "Nov 24, 18:00–19:00", "Nov 24, 18:03". */
function when(at, step) {
  if (step >= DAY) return utcDay.format(at);
  const begin = `${day(at)}, ${minute(at)}`;
  return step > 60_000 ? `${begin}–${minute(at + step)}` : begin;
}

function swatch(series, nth, kind) {
  const look = `c${series.color} d${nth}`;
  const mark = kind === "bars" ? svg("path", { class: `bars ${look}`, d: "M5 1h12v8h-12z" })
    : svg("path", { class: `line ${look}`, d: "M0 5h22" });
  return svg("svg", { class: "swatch", width: 22, height: 10, "aria-hidden": "true" }, mark);
}

