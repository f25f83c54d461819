// The explorer of a page of the trend study: a region's counts and probabilities of a rise, chosen on the map, in the
// table or by name, at one date after the other; see explorer.py for the data. All is drawn as SVG in the page's colours.
(() => {
  "use strict";
  const { add, compact, long, number, short, ticks, time } = page;
  const root = document.getElementById("explorer");
  const data = JSON.parse(document.getElementById("explorer-data").textContent);
  const part = (name) => document.getElementById(`explorer-${name}`);
  const next = data.targets.length; // the place of the forecast after the last count, behind the targets
  const last = data.ahead ? next : next - 1;
  const state = { place: 0, hovered: null, at: last, on: new Set([0, 1].filter((index) => index < data.models.length)) };
  const placeOf = new Map(data.places.map((place, index) => [String(place.row), index]));
  const target = (at) => (at === next ? data.ahead.date : data.targets[at]);
  const chance = (model, place, at) => {
    if (at < next) return data.models[model].p[place][at];
    return model === 0 ? data.ahead.p[place] : null;
  };
  const shapes = [...root.querySelectorAll("#explorer-map [data-place]")].filter((shape) => placeOf.has(shape.dataset.place));
  const first = new Map(shapes.map((shape) => [shape, [shape.getAttribute("class"), shape.querySelector("title").textContent]]));
  const rows = [...root.querySelectorAll("tbody tr")];
  const body = rows[0].parentNode;
  const origin = time(data.steps[0]);
  const step = data.steps.length > 1 ? time(data.steps[1]) - origin : 864e5;
  const slots = (time(target(last)) > time(data.steps.at(-1)) ? time(target(last)) : time(data.steps.at(-1))) / step - origin / step + 1;

  const [width, height, left, right] = [620, 400, 68, 8]; // as wide as a label at a phone's size of letters
  const [top, middle, low, floor] = [14, 214, 262, 372]; // of the counts, then of the probabilities
  const x = (iso, shift = 0.5) => left + (((time(iso) - origin) / step + shift) / slots) * (width - left - right);
  const line = (points) => points.map(([at, y], index) => `${index ? "L" : "M"}${at.toFixed(1)} ${y.toFixed(1)}`).join("");

  function drawCounts(svg, place) {
    const counts = data.counts[place];
    const most = Math.max(1, ...counts.map((value) => value ?? 0));
    const y = (value) => middle - (Math.max(value, 0) / most) * (middle - top);
    for (const tick of ticks(most)) {
      add(svg, "line", { x1: left, x2: width - right, y1: y(tick), y2: y(tick), class: "rule" });
      add(svg, "text", { x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, compact(tick));
    }
    const bar = (value, index) => {
      const [from, to] = [x(data.steps[index], 0.08), x(data.steps[index], 0.92)].map((each) => each.toFixed(1));
      return value === null ? "" : `M${from} ${middle}V${y(value).toFixed(1)}H${to}V${middle}z`;
    };
    add(svg, "path", { d: counts.map(bar).join(""), class: "count" });
  }

  function drawChances(svg, place) {
    const y = (percent) => floor - (percent / 100) * (floor - low);
    for (const percent of [0, 50, 100]) {
      add(svg, "line", { x1: left, x2: width - right, y1: y(percent), y2: y(percent), class: percent === 50 ? "half" : "rule" });
      add(svg, "text", { x: left - 6, y: y(percent) + 4, "text-anchor": "end" }, `${percent} %`);
    }
    data.rose[place].forEach((rose, at) => {
      if (rose === null) return;
      const [here, above] = [x(data.targets[at]), (middle + low) / 2];
      if (rose) add(svg, "path", { d: `M${here - 4} ${above + 4}h8l-4 -8z`, class: "rose" });
      else add(svg, "circle", { cx: here, cy: above, r: 3, class: "fell" });
    });
    for (const model of [...state.on].sort((a, b) => b - a)) {
      const group = add(svg, "g", { class: `model-${model}` });
      const points = data.targets.map((iso, at) => [x(iso), chance(model, place, at)]).filter(([, p]) => p !== null);
      add(group, "path", { d: line(points.map(([here, p]) => [here, y(p)])) });
      if (points.length <= 60) for (const [here, p] of points) add(group, "circle", { cx: here, cy: y(p), r: 2.6 });
      if (model === 0 && data.ahead) add(group, "circle", { cx: x(data.ahead.date), cy: y(data.ahead.p[place]), r: 4.5, class: "ahead" });
    }
  }

  function drawPanel() {
    const place = state.hovered ?? state.place;
    const svg = part("panel");
    svg.replaceChildren();
    const marked = { x: x(target(state.at), 0), width: x(target(state.at), 1) - x(target(state.at), 0) };
    add(svg, "rect", { ...marked, y: top, height: floor - top, class: "marked" });
    drawCounts(svg, place);
    drawChances(svg, place);
    const every = Math.max(1, Math.ceil(slots / 5));
    for (let index = data.steps.length - 1; index >= 0; index -= every) {
      const here = Math.min(Math.max(x(data.steps[index]), left), width - 36);
      add(svg, "text", { x: here, y: height - 8, "text-anchor": "middle" }, short.format(time(data.steps[index])));
    }
    svg.setAttribute("aria-label", `${data.places[place].name}: counts, and probabilities of a rise. ${words(place)}`);
    part("shown").textContent = data.places[place].name;
  }

  // What is known of a region at the date chosen.
  function words(place) {
    const when = long.format(time(target(state.at)));
    const given = [...state.on].sort().map((model) => [data.models[model].name, chance(model, place, state.at)]);
    const said = given.filter(([, p]) => p !== null).map(([name, p]) => `${name} ${p} %`).join(", ") || "no forecast";
    if (state.at === next) {
      const outside = data.places[place].in_c ? "" : " The model was not trained on this region.";
      return `P(rise) for ${when}, which no count covers yet: ${said}. Newest count: ${number(data.counts[place].at(-1))}.${outside}`;
    }
    const rose = data.rose[place][state.at];
    const counted = number(data.counts[place][data.steps.indexOf(target(state.at))]);
    const outcome = rose === null ? "" : ` Counted: ${counted}; it ${rose ? "rose" : "did not rise"}.`;
    return `P(rise) for ${when}: ${said}.${outcome}`;
  }

  function drawMap() {
    for (const shape of shapes) {
      const place = placeOf.get(shape.dataset.place);
      const p = chance(0, place, state.at);
      const [look, title] = first.get(shape);
      const shade = p === null ? "none" : `s${2 * Math.min(4, Math.floor(p / 20)) + (data.places[place].in_c ? 0 : 1)}`;
      shape.setAttribute("class", state.at === last ? look : shade);
      shape.querySelector("title").textContent = state.at === last ? title : `${data.places[place].name}: ${p === null ? "no forecast" : `${p} %`}`;
      shape.classList.toggle("picked", place === state.place);
      if (place === state.place) shape.parentNode.append(shape); // over its neighbours' outlines
    }
    if (part("when")) part("when").textContent = long.format(time(target(state.at)));
  }

  // The buttons of all rows share one stop of the tab key: that of the region chosen, or the first that is shown.
  function drawTable() {
    const open = rows.filter((row) => !row.hidden && placeOf.has(row.dataset.place));
    const stop = open.find((row) => placeOf.get(row.dataset.place) === state.place) ?? open[0];
    for (const row of rows) {
      const picked = placeOf.get(row.dataset.place) === state.place;
      row.classList.toggle("picked", picked);
      const button = row.querySelector("button");
      button?.setAttribute("aria-pressed", picked);
      button?.setAttribute("tabindex", row === stop ? 0 : -1);
    }
  }

  function draw() {
    drawPanel();
    drawMap();
    drawTable();
    part("status").textContent = `${data.places[state.place].name}. ${words(state.place)}`;
    part("at").value = state.at;
    part("at").setAttribute("aria-valuetext", long.format(time(target(state.at))));
    part("date").textContent = long.format(time(target(state.at)));
    part("back").disabled = state.at === 0;
    part("on").disabled = state.at === last;
    part("place").value = data.places[state.place].name;
  }

  function go(at) {
    state.at = Math.min(Math.max(at, 0), last);
    draw();
  }

  function pick(place) {
    if (place !== undefined && place >= 0) state.place = place;
    state.hovered = null;
    draw();
  }

  function hover(element) {
    const place = placeOf.get(element?.dataset.place) ?? null;
    if (place === state.hovered) return;
    state.hovered = place;
    drawPanel();
  }

  // The region of that name, else the first that begins so or holds it.
  function find(text) {
    const asked = text.trim().toLowerCase();
    if (!asked) return -1;
    const tests = [(name) => name === asked, (name) => name.startsWith(asked), (name) => name.includes(asked)];
    return tests.map((test) => data.places.findIndex((place) => test(place.name.toLowerCase()))).find((found) => found >= 0) ?? -1;
  }

  function sort(head, column) {
    const down = head.getAttribute("aria-sort") ? head.getAttribute("aria-sort") === "ascending" : head.dataset.sort === "number";
    for (const each of head.parentNode.children) each.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const value = (row) => {
      const cell = row.children[column];
      return head.dataset.sort === "number" ? Number(cell.dataset.value || "-Infinity") : cell.textContent.trim();
    };
    const compare = head.dataset.sort === "number" ? (a, b) => value(a) - value(b) : (a, b) => value(a).localeCompare(value(b), "en");
    rows.sort((a, b) => (down ? compare(b, a) : compare(a, b)));
    body.append(...rows);
  }

  function search(text) {
    const asked = text.trim().toLowerCase();
    for (const row of rows) row.hidden = !row.children[0].textContent.toLowerCase().includes(asked);
    const shown = rows.filter((row) => !row.hidden).length;
    drawTable();
    part("found").textContent = asked ? `${number(shown)} of ${number(rows.length)} regions` : "";
  }

  [...root.querySelectorAll("th[data-sort]")].forEach((head) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sort(head, [...head.parentNode.children].indexOf(head)));
  });
  for (const row of rows.filter((each) => placeOf.has(each.dataset.place))) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "pick";
    button.append(...row.children[0].childNodes);
    row.children[0].append(button);
  }
  part("back").addEventListener("click", () => go(state.at - 1));
  part("on").addEventListener("click", () => go(state.at + 1));
  part("at").addEventListener("input", (event) => go(Number(event.target.value)));
  part("search").addEventListener("input", (event) => search(event.target.value));
  part("place").addEventListener("focus", (event) => { event.target.value = ""; }); // else the list holds the one shown only
  part("place").addEventListener("blur", draw);
  part("place").addEventListener("change", (event) => pick(find(event.target.value)));
  for (const box of part("models").querySelectorAll("input")) {
    box.checked = state.on.has(Number(box.value));
    box.addEventListener("change", () => {
      state.on[box.checked ? "add" : "delete"](Number(box.value));
      draw();
    });
  }
  root.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || ["INPUT", "SELECT"].includes(event.target.tagName)) return;
    const along = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const down = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (along) go(state.at + along);
    else if (down && event.target.classList.contains("pick")) {
      const open = rows.filter((row) => !row.hidden && placeOf.has(row.dataset.place));
      const row = open[open.indexOf(event.target.closest("tr")) + down];
      if (row) pick(placeOf.get(row.dataset.place));
      row?.querySelector("button").focus();
    } else return;
    event.preventDefault();
  });
  root.addEventListener("click", (event) => {
    const place = event.target.closest("[data-place]");
    if (place && placeOf.has(place.dataset.place)) pick(placeOf.get(place.dataset.place));
    if (event.target.closest("svg") !== part("panel")) return;
    const box = part("panel").getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * width;
    const distances = Array.from({ length: last + 1 }, (_, index) => Math.abs(x(target(index)) - at));
    go(distances.indexOf(Math.min(...distances)));
  });
  root.addEventListener("pointerover", (event) => { if (event.pointerType === "mouse") hover(event.target.closest("[data-place]")); });
  root.addEventListener("pointerleave", () => hover(null));
  for (const hidden of root.querySelectorAll(".scripted")) hidden.hidden = false;
  root.classList.add("live");
  const opening = rows.map((row) => placeOf.get(row.dataset.place)).find((place) => place !== undefined);
  pick(opening);
})();
