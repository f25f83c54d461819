// What the scripts of pages share: elements, axes, and how numbers and dates are written.
const page = (() => {
  "use strict";
  const whole = new Intl.NumberFormat("en");
  const compact = new Intl.NumberFormat("en", { notation: "compact" });

  // Appends an element of the parent's own kind, HTML or SVG.
  function add(parent, name, attributes = {}, text = "") {
    const made = document.createElementNS(parent.namespaceURI, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.textContent = text;
    return parent.appendChild(made);
  }

  // Round numbers from 0 up to the most, five or so.
  function ticks(most) {
    const rough = most / 4;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = Math.max(1, [1, 2, 5, 10].find((each) => each * power >= rough) * power);
    return Array.from({ length: Math.floor(most / step) + 1 }, (_, index) => index * step);
  }

  return {
    add,
    ticks,
    compact: (value) => compact.format(value),
    number: (value) => (value === null || value === undefined ? "–" : whole.format(value)),
    time: (iso) => Date.parse(`${iso}T00:00:00Z`),
    long: new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" }),
    short: new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" }),
  };
})();
