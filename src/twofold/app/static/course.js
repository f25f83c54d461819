// What the pages of trend runs share: how shares are written, a map's colours, and a region's course.
(() => {
  "use strict";
  const { add, number, short, time } = page;
  const ends = [0.2, 0.4, 0.6, 0.8]; // of the map's classes
  const share = (value) => (value === null ? "–" : `${Math.round(100 * value)} %`);
  const signed = (value) => number(value).replace("-", "−");

  // Colours a map whose shapes name their region; `find` gives { p, inC, picked } of a name.
  function colourMap(map, find) {
    for (const shape of map.querySelectorAll("[data-region]")) {
      const { p, inC, picked } = find(shape.dataset.region);
      const klass = p === null ? "" : `s${2 * ends.filter((end) => p >= end).length + (inC ? 0 : 1)}`;
      shape.setAttribute("class", picked ? `${klass} picked` : klass);
      shape.querySelector("title").textContent = `${shape.dataset.region}: ${share(p)}`;
    }
  }

  function drawCounts(svg, course, x, step) {
    const most = Math.max(1, ...course.counts.map((value) => value ?? 0));
    const height = (value) => (130 * Math.max(value, 0)) / most;
    for (const value of [0, most]) {
      add(svg, "line", { x1: 56, x2: 712, y1: 150 - height(value), y2: 150 - height(value), class: "rule" });
      add(svg, "text", { x: 50, y: 154 - height(value), "text-anchor": "end" }, number(value));
    }
    course.days.forEach((day, index) => {
      const value = course.counts[index];
      if (value === null) return;
      const box = { x: x(day) - 0.4 * step, width: 0.8 * step, y: 150 - height(value), height: height(value) };
      add(add(svg, "rect", { ...box, class: "count" }), "title", {}, `${short.format(time(day))}: ${signed(value)}`);
    });
  }

  function drawShares(svg, course, lines, x) {
    const y = (p) => 300 - 120 * p;
    for (const p of [0, 0.5, 1]) {
      add(svg, "line", { x1: 56, x2: 712, y1: y(p), y2: y(p), class: "rule" });
      add(svg, "text", { x: 50, y: y(p) + 4, "text-anchor": "end" }, share(p));
    }
    for (const { label, look, p: shares } of lines) {
      const points = course.dates.map((date, index) => [date, shares[index]]).filter(([, p]) => p !== null);
      const group = add(svg, "g", { class: look });
      const line = points.map(([date, p], index) => `${index ? "L" : "M"}${x(date).toFixed(1)} ${y(p).toFixed(1)}`).join("");
      add(group, "path", { d: line, class: "median" });
      for (const [date, p] of points) {
        const words = `${label}, ${short.format(time(date))}: ${share(p)}`;
        add(add(group, "circle", { cx: x(date), cy: y(p), r: 2.5, class: "dot" }), "title", {}, words);
      }
    }
    course.dates.forEach((date, index) => {
      if (course.rose[index] === null) return;
      add(svg, "circle", { cx: x(date), cy: 166, r: 4, class: course.rose[index] ? "rose" : "fell" });
    });
  }

  // Draws a region's counts and, below, the lines (label, look, p by target date); `marked` is the number of a date.
  function drawCourse(svg, found, lines, marked) {
    svg.replaceChildren();
    const first = Math.max(0, found.days.indexOf(found.dates[0]) - 28); // some weeks before the test
    const course = { ...found, counts: found.counts.slice(first), days: found.days.slice(first) };
    const last = [course.days[course.days.length - 1], course.dates[course.dates.length - 1]].sort()[1];
    const span = (time(last) - time(course.days[0])) || 1;
    const x = (day) => 64 + (640 * (time(day) - time(course.days[0]))) / span;
    const step = 640 / Math.max(1, course.days.length);
    add(svg, "rect", { x: x(course.dates[marked]) - 0.5 * step, width: step, y: 14, height: 290, class: "now" });
    drawCounts(svg, course, x, step);
    drawShares(svg, course, lines, x);
    const ends = [[course.days[0], "start"], [last, "end"]];
    const apart = ends.every(([day]) => Math.abs(x(day) - x(course.dates[0])) > 90); // else labels would overlap
    for (const [day, anchor] of apart ? [...ends, [course.dates[0], "middle"]] : ends) {
      add(svg, "text", { x: x(day), y: 322, "text-anchor": anchor }, short.format(time(day)));
    }
  }

  const outcome = (value) => (value === null ? "–" : value ? "yes" : "no");
  Object.assign(page, { colourMap, drawCourse, outcome, share, signed });
})();
