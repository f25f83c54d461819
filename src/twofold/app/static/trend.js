// A trend run date by date: the map and the table of one date, and the course of one region. Numbers come from the server.
(() => {
  "use strict";
  const SVG = "http://www.w3.org/2000/svg";
  const data = JSON.parse(document.getElementById("data").textContent);
  const part = (name) => document.getElementById(name);
  const say = (text) => { part("status").textContent = text; };
  const base = `/api/runs/${encodeURIComponent(data.run)}`;
  const state = { date: data.dates.length - 1, region: data.first, model: data.models[0].name, other: data.other };
  const label = Object.fromEntries(data.models.map((model) => [model.name, model.label]));
  const whole = new Intl.NumberFormat("en");
  const long = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
  const short = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
  const time = (iso) => Date.parse(`${iso}T00:00:00Z`);
  const share = (value) => (value === null ? "–" : `${Math.round(100 * value)} %`);
  const number = (value) => (value === null ? "–" : whole.format(value).replace("-", "−"));
  const outcome = (value) => (value === null ? "–" : value ? "yes" : "no");
  const ends = [0.2, 0.4, 0.6, 0.8]; // of the map's classes

  function add(parent, name, attributes = {}, text = "") {
    const made = document.createElementNS(parent.namespaceURI, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.textContent = text;
    return parent.appendChild(made);
  }

  const kept = new Map();
  async function ask(address) {
    if (!kept.has(address)) {
      const answer = await fetch(base + address);
      const found = await answer.json();
      if (!answer.ok) throw new Error(found.message);
      kept.set(address, found);
    }
    return kept.get(address);
  }

  function colourMap(day) {
    const places = new Map(data.regions.map((region, row) => [region.name, row]));
    for (const shape of document.querySelectorAll("#map [data-region]")) {
      const row = places.get(shape.dataset.region);
      const p = row === undefined ? null : day.probabilities[state.model][row];
      const klass = p === null ? "" : `s${2 * ends.filter((end) => p >= end).length + (data.regions[row].in_c ? 0 : 1)}`;
      shape.setAttribute("class", row === state.region ? `${klass} picked` : klass);
      shape.querySelector("title").textContent = `${shape.dataset.region}: ${share(p)}`;
    }
  }

  function fillTable(day) {
    const p = day.probabilities[state.model];
    part("head-model").textContent = label[state.model];
    part("head-other").textContent = label[state.other];
    const order = p.map((_, row) => row).sort((a, b) => (p[b] ?? -1) - (p[a] ?? -1));
    const rows = order.map((row) => {
      const line = document.createElement("tr");
      const head = add(line, "th", { scope: "row" });
      add(head, "button", { type: "button", class: "link", "data-row": row }, data.regions[row].name);
      for (const text of [share(p[row]), share(day.probabilities[state.other][row]), number(day.counts[row])]) {
        add(line, "td", { class: "number" }, text);
      }
      add(line, "td", {}, outcome(day.rose[row]));
      return line;
    });
    const held = part("rows").contains(document.activeElement) ? document.activeElement.dataset.row : null;
    part("rows").replaceChildren(...rows);
    if (held !== null) part("rows").querySelector(`[data-row="${held}"]`).focus({ preventScroll: true }); // who tabs stays there
  }

  const drawDate = latest(say, async () => {
    const day = await ask(`/trend/${state.date}`);
    colourMap(day);
    fillTable(day);
    const rose = day.rose.filter((value) => value !== null);
    say(`Target date ${long.format(time(day.date))}, forecast from ${long.format(time(day.origin))}: `
      + `${rose.filter(Boolean).length} of ${rose.length} regions rose; ${label[state.model]} gave `
      + `${day.probabilities[state.model].filter((p) => p !== null && p >= 0.5).length} of them 50 % or more.`);
    part("day").textContent = long.format(time(day.date));
    part("date").value = state.date;
    part("date").setAttribute("aria-valuetext", long.format(time(day.date)));
    part("earlier").disabled = state.date === 0;
    part("later").disabled = state.date === data.dates.length - 1;
  });

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
      add(add(svg, "rect", { ...box, class: "count" }), "title", {}, `${short.format(time(day))}: ${number(value)}`);
    });
  }

  function drawShares(svg, course, x) {
    const y = (p) => 300 - 120 * p;
    for (const p of [0, 0.5, 1]) {
      add(svg, "line", { x1: 56, x2: 712, y1: y(p), y2: y(p), class: "rule" });
      add(svg, "text", { x: 50, y: y(p) + 4, "text-anchor": "end" }, share(p));
    }
    [[state.other, "theirs"], [state.model, "ours"]].forEach(([name, look]) => {
      const points = course.dates.map((date, index) => [date, course.probabilities[name][index]]).filter(([, p]) => p !== null);
      const group = add(svg, "g", { class: look });
      const line = points.map(([date, p], index) => `${index ? "L" : "M"}${x(date).toFixed(1)} ${y(p).toFixed(1)}`).join("");
      add(group, "path", { d: line, class: "median" });
      for (const [date, p] of points) {
        const words = `${label[name]}, ${short.format(time(date))}: ${share(p)}`;
        add(add(group, "circle", { cx: x(date), cy: y(p), r: 2.5, class: "dot" }), "title", {}, words);
      }
    });
    course.dates.forEach((date, index) => {
      if (course.rose[index] === null) return;
      add(svg, "circle", { cx: x(date), cy: 166, r: 4, class: course.rose[index] ? "rose" : "fell" });
    });
  }

  const drawCourse = latest(say, async () => {
    const found = await ask(`/regions/${state.region}`);
    const svg = part("course");
    svg.replaceChildren();
    const first = Math.max(0, found.days.indexOf(found.dates[0]) - 28); // some weeks before the test
    const course = { ...found, counts: found.counts.slice(first), days: found.days.slice(first) };
    const last = [course.days[course.days.length - 1], course.dates[course.dates.length - 1]].sort()[1];
    const span = (time(last) - time(course.days[0])) || 1;
    const x = (day) => 64 + (640 * (time(day) - time(course.days[0]))) / span;
    const step = 640 / Math.max(1, course.days.length);
    const now = course.dates[state.date];
    add(svg, "rect", { x: x(now) - 0.5 * step, width: step, y: 14, height: 290, class: "now" });
    drawCounts(svg, course, x, step);
    drawShares(svg, course, x);
    for (const [day, anchor] of [[course.days[0], "start"], [course.dates[0], "middle"], [last, "end"]]) {
      add(svg, "text", { x: x(day), y: 322, "text-anchor": anchor }, short.format(time(day)));
    }
    const [ours, theirs] = [state.model, state.other].map((name) => share(course.probabilities[name][state.date]));
    const said = `${course.region.name}, ${long.format(time(now))}: ${label[state.model]} ${ours}, ${label[state.other]} ${theirs}; `
      + `it rose: ${outcome(course.rose[state.date])}.${course.region.in_c ? "" : " The model is not for it: it is outside C."}`;
    svg.setAttribute("aria-label", said);
    part("course-status").textContent = said;
    part("place").value = course.region.name;
    const head = document.createElement("tr");
    for (const text of ["Target date", "It rose", ...data.models.map((model) => model.label)]) {
      add(head, "th", { scope: "col", class: text === "Target date" ? "" : "number" }, text);
    }
    part("course-head").replaceChildren(head);
    part("course-rows").replaceChildren(...course.dates.map((date, index) => {
      const line = document.createElement("tr");
      add(line, "th", { scope: "row" }, long.format(time(date)));
      add(line, "td", { class: "number" }, outcome(course.rose[index]));
      for (const model of data.models) add(line, "td", { class: "number" }, share(course.probabilities[model.name][index]));
      return line;
    }));
  });

  function draw() { drawDate(); drawCourse(); }

  function go(date) {
    state.date = Math.min(Math.max(date, 0), data.dates.length - 1);
    draw();
  }

  function pick(row, scroll) {
    if (row < 0) { drawCourse(); return; }
    state.region = row;
    draw();
    if (scroll) part("region").scrollIntoView();
  }

  part("earlier").addEventListener("click", () => go(state.date - 1));
  part("later").addEventListener("click", () => go(state.date + 1));
  part("date").addEventListener("input", (event) => go(Number(event.target.value)));
  for (const name of ["model", "other"]) {
    part(name).addEventListener("change", (event) => { state[name] = event.target.value; draw(); });
  }
  part("rows").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) pick(Number(button.dataset.row), true);
  });
  part("map")?.addEventListener("click", (event) => {
    const shape = event.target.closest("[data-region]");
    if (shape) pick(data.regions.findIndex((region) => region.name === shape.dataset.region), true);
  });
  part("place").addEventListener("focus", (event) => { event.target.value = ""; }); // else the list holds the one shown only
  part("place").addEventListener("blur", drawCourse);
  part("place").addEventListener("change", (event) => {
    const asked = event.target.value.trim().toLowerCase();
    const names = data.regions.map((region) => region.name.toLowerCase());
    const exact = names.indexOf(asked);
    pick(exact >= 0 || !asked ? exact : names.findIndex((name) => name.startsWith(asked)), false);
  });
  for (const hidden of document.querySelectorAll(".scripted")) hidden.hidden = false;
  draw();
})();
