// A line without axes that shows where a number came from.
import { svg } from "./dom.js";
import { linear, linePath } from "./scale.js";

const WIDTH = 120, HEIGHT = 28;

/** Makes one; its show(values) draws them, from the oldest. Its number stands beside it, so it has no name. */
export function sparkline() {
  const path = svg("path", { class: "line c0" });
  const e = svg("svg", { class: "sparkline", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" }, path);
  e.show = (values) => {
    const x = linear(0, values.length - 1, 1, WIDTH - 1);
    const y = linear(0, Math.max(1, ...values), HEIGHT - 2, 2);
    path.setAttribute("d", linePath(values.map((v, i) => [x(i), y(v)])));
  };
  return e;
}
