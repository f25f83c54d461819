// A trend run date by date: the map and the table of one date, and the course of one region. Numbers come from the server.
(() => {
  "use strict";
  const { add, colourMap, drawCourse, long, outcome, share, signed, time } = page;
  const data = JSON.parse(document.getElementById("data").textContent);
  const part = (name) => document.getElementById(name);
  const say = (text) => { part("status").textContent = text; };
  const base = `/api/runs/${encodeURIComponent(data.run)}`;
  const state = { date: data.dates.length - 1, region: data.first, model: data.models[0].name, other: data.other };
  const label = Object.fromEntries(data.models.map((model) => [model.name, model.label]));
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

  const rowOf = new Map(data.regions.map((region, row) => [region.name, row]));

  function paintMap(day) {
    if (!part("map")) return;
    colourMap(part("map"), (name) => {
      const row = rowOf.get(name);
      const p = row === undefined ? null : day.probabilities[state.model][row];
      return { p, inC: data.regions[row]?.in_c, picked: row === state.region };
    });
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
      for (const text of [share(p[row]), share(day.probabilities[state.other][row]), signed(day.counts[row])]) {
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
    paintMap(day);
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

  const course = latest(say, async () => {
    const found = await ask(`/regions/${state.region}`);
    const svg = part("course");
    const lines = [[state.other, "theirs"], [state.model, "ours"]].map(([name, look]) => (
      { label: label[name], look, p: found.probabilities[name] }));
    drawCourse(svg, found, lines, state.date);
    const now = found.dates[state.date];
    const [ours, theirs] = [state.model, state.other].map((name) => share(found.probabilities[name][state.date]));
    const said = `${found.region.name}, ${long.format(time(now))}: ${label[state.model]} ${ours}, ${label[state.other]} ${theirs}; `
      + `it rose: ${outcome(found.rose[state.date])}.${found.region.in_c ? "" : " The model is not for it: it is outside C."}`;
    svg.setAttribute("aria-label", said);
    part("course-status").textContent = said;
    part("place").value = found.region.name;
    const head = document.createElement("tr");
    for (const text of ["Target date", "It rose", ...data.models.map((model) => model.label)]) {
      add(head, "th", { scope: "col", class: text === "Target date" ? "" : "number" }, text);
    }
    part("course-head").replaceChildren(head);
    part("course-rows").replaceChildren(...found.dates.map((date, index) => {
      const line = document.createElement("tr");
      add(line, "th", { scope: "row" }, long.format(time(date)));
      add(line, "td", { class: "number" }, outcome(found.rose[index]));
      for (const model of data.models) add(line, "td", { class: "number" }, share(found.probabilities[model.name][index]));
      return line;
    }));
  });

  function draw() { drawDate(); course(); }

  function go(date) {
    state.date = Math.min(Math.max(date, 0), data.dates.length - 1);
    draw();
  }

  function pick(row, scroll) {
    if (row < 0) { course(); return; }
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
  part("place").addEventListener("blur", course);
  part("place").addEventListener("change", (event) => {
    const asked = event.target.value.trim().toLowerCase();
    const names = data.regions.map((region) => region.name.toLowerCase());
    const exact = names.indexOf(asked);
    pick(exact >= 0 || !asked ? exact : names.findIndex((name) => name.startsWith(asked)), false);
  });
  for (const hidden of document.querySelectorAll(".scripted")) hidden.hidden = false;
  draw();
})();
