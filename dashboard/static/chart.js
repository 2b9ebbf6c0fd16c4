// A crosshair with a sentence, for who points at a chart or walks through it with the arrow keys.

const SVG = "http://www.w3.org/2000/svg";

export function pointAtCharts(root) {
  const plots = [...root.querySelectorAll(".plot")];
  for (const plot of plots) new Crosshair(plot);
}

class Crosshair {
  constructor(plot) {
    this.plot = plot;
    this.note = plot.querySelector(".note");
    this.index = -1;
    plot.addEventListener("pointermove", (event) => this.point(event.clientX));
    plot.addEventListener("pointerdown", (event) => this.point(event.clientX));
    plot.addEventListener("pointerleave", () => this.hide());
    plot.addEventListener("blur", () => this.hide());
    plot.addEventListener("keydown", (event) => this.walk(event));
  }

  get chart() {
    const charts = [...this.plot.querySelectorAll(".chart")];
    return charts.find((chart) => chart.getBoundingClientRect().width > 0);
  }

  get points() {
    return [...this.chart.querySelectorAll(".point")];
  }

  point(x) {
    const distances = this.points.map((point) => Math.abs(middle(point) - x));
    this.show(distances.indexOf(Math.min(...distances)));
  }

  walk(event) {
    const last = this.points.length - 1;
    const steps = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };
    if (event.key === "Escape") this.hide();
    if (!(event.key in steps)) return;
    event.preventDefault();
    const from = this.index < 0 ? (steps[event.key] < 0 ? last + 1 : -1) : this.index;
    this.show(Math.max(0, Math.min(last, from + steps[event.key])));
  }

  show(index) {
    const point = this.points[index];
    if (!point) return;
    this.clear();
    this.index = index;
    point.classList.add("shown");
    this.chart.insertBefore(this.line(point), point.parentNode.querySelector(".point"));
    this.tell(point);
  }

  line(point) {
    const line = document.createElementNS(SVG, "line");
    const { top, bottom } = this.chart.dataset;
    const places = { x1: point.getAttribute("cx"), x2: point.getAttribute("cx"), y1: top, y2: bottom };
    for (const [name, value] of Object.entries(places)) line.setAttribute(name, value);
    line.classList.add("crosshair");
    return line;
  }

  tell(point) {
    const clicks = Number(point.dataset.clicks);
    const number = document.createElement("strong");
    number.textContent = `${clicks.toLocaleString("en")} ${clicks === 1 ? "click" : "clicks"}`;
    this.note.replaceChildren(point.dataset.name, number, point.dataset.more);
    this.note.hidden = false;
    const within = this.plot.getBoundingClientRect();
    const x = middle(point) - within.left;
    const room = this.note.offsetWidth + 14;
    const left = x + room > within.width ? x - room : x + 14;
    // The style sheet's rules are the only ones (CSP); a script may set properties one by one.
    this.note.style.left = `${Math.max(0, Math.min(left, within.width - this.note.offsetWidth))}px`;
  }

  clear() {
    for (const each of this.plot.querySelectorAll(".crosshair")) each.remove();
    for (const each of this.plot.querySelectorAll(".shown")) each.classList.remove("shown");
  }

  hide() {
    this.clear();
    this.index = -1;
    this.note.hidden = true;
  }
}

function middle(point) {
  const box = point.getBoundingClientRect();
  return box.left + box.width / 2;
}

// Adds clicks to the last point of every chart; false = it would stand outside.
export function addToLastPoint(clicks) {
  for (const chart of document.querySelectorAll(".chart")) {
    const point = [...chart.querySelectorAll(".point")].at(-1);
    if (!point) continue;
    const { highest, top, bottom } = chart.dataset;
    const value = Number(point.dataset.clicks) + clicks;
    if (value > Number(highest)) return false;
    const y = (Number(bottom) - ((Number(bottom) - Number(top)) * value) / Number(highest)).toFixed(1);
    const place = `${point.getAttribute("cx")} ${point.getAttribute("cy")}`;
    const moved = `${point.getAttribute("cx")} ${y}`;
    for (const path of chart.querySelectorAll(".now, .area")) {
      path.setAttribute("d", path.getAttribute("d").replace(place, moved));
    }
    point.setAttribute("cy", y);
    point.dataset.clicks = String(value);
  }
  return true;
}
