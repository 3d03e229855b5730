/** A small line of the last minute, in an SVG that the page provides. */

const POINTS = 60;
const WIDTH = 300;
const HEIGHT = 48;

export class Chart {
  #values = [];
  #line;
  #area;

  /** @param {SVGSVGElement} svg with a `.line` and an `.area` path in it */
  constructor(svg) {
    svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    svg.setAttribute("preserveAspectRatio", "none");
    this.#line = svg.querySelector(".line");
    this.#area = svg.querySelector(".area");
  }

  push(value) {
    this.#values = [...this.#values, value].slice(-POINTS);
    const highest = Math.max(...this.#values, 1) * 1.15;
    const step = WIDTH / (POINTS - 1);
    const left = WIDTH - (this.#values.length - 1) * step;
    const x = (place) => (left + place * step).toFixed(1);
    const y = (value) => ((1 - value / highest) * (HEIGHT - 2) + 1).toFixed(1);
    const points = this.#values.map((each, place) => `${x(place)} ${y(each)}`);
    this.#line.setAttribute("d", `M${points.join("L")}`);
    this.#area.setAttribute("d", `M${left.toFixed(1)} ${HEIGHT}L${points.join("L")}L${WIDTH} ${HEIGHT}Z`);
  }
}
