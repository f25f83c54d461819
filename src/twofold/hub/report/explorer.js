// The explorer of a hub's page: fans of one place and reference date, and strips of all dates; see explorer.py for the
// data. All is drawn as SVG whose colours are the page's, so that it follows its theme and prints sharp.
// `given` finds what is shown of a place (by its number) beside another model, or promises it; without it the data
// holds all.
page.explore = (data, given) => {
  "use strict";
  const { add, long, number, short, ticks, time } = page;
  const root = document.getElementById("explorer");
  const { before } = data; // weeks of counts that are known as they were at a deadline
  const part = (name) => document.getElementById(`explorer-${name}`);
  const state = { place: data.start.place, date: data.start.date, other: Math.min(1, data.models.length - 1) };
  const find = given ?? embedded;
  let here; // what was found for the state
  const weekOf = (iso) => Math.round((time(iso) - time(data.weeks[0])) / 6048e5);

  function embedded(place, other) {
    const of = (grid) => grid[place] ?? [];
    const models = [...new Set([0, other])].map((index) => data.models[index]);
    return {
      counts: of(data.counts), known: of(data.known), observed: of(data.observed),
      models: models.map(({ name, ratio, fans, rise, pmf }) => ({ name, ratio, fans: of(fans), rise: of(rise), pmf: of(pmf) })),
    };
  }

  const range = (fan, step) => `${number(fan[3 - step])} to ${number(fan[3 + step])}`;

  // By horizon seven quantiles, the median in the middle; 0 where none was given.
  function fansOf(model) {
    const found = model.fans.length ? model.fans[state.date] : 0;
    return found || data.horizons.map(() => 0);
  }

  const rose = (date) => {
    const end = here.counts[weekOf(data.dates[date]) + data.ahead];
    const known = here.known[date].filter((value) => value !== null).pop();
    return end === null || known === undefined ? null : end > known;
  };

  // The scene that both panels share: weeks, counts as known then and in the end, and the height of the axis.
  function scene() {
    const reference = weekOf(data.dates[state.date]);
    const known = here.known[state.date].map((value, index) => [reference - before + index, value]);
    const last = reference + Math.max(...data.horizons);
    const truth = here.counts.map((value, week) => [week, value]).slice(reference - before, last + 1);
    const heights = [...known, ...truth].map(([, value]) => value ?? 0);
    const fans = here.models.flatMap((model) => fansOf(model)).filter(Boolean);
    const top = Math.max(...heights, ...fans.map((fan) => fan[4]), 1);
    const most = Math.max(top, Math.min(Math.max(0, ...fans.map((fan) => fan[6])), 2.5 * top));
    return { reference, last, known: known.filter(([, v]) => v !== null), truth: truth.filter(([, v]) => v !== null), most };
  }

  function drawPanel(index, model, view) {
    const figure = part(`panel-${index}`);
    figure.hidden = !model;
    if (!model) return;
    const svg = figure.querySelector("svg");
    svg.replaceChildren();
    const [width, height, left, right, top, bottom] = [480, 300, 58, 12, 12, 30];
    const first = view.reference - before;
    const x = (week) => left + ((week - first + 0.3) / (view.last - first + 0.6)) * (width - left - right);
    const y = (value) => height - bottom - (Math.min(value, view.most * 1.1) / (view.most * 1.1)) * (height - top - bottom);
    const line = (points) => points.map(([week, value], k) => `${k ? "L" : "M"}${x(week).toFixed(1)} ${y(value).toFixed(1)}`).join("");
    for (const tick of ticks(view.most)) {
      add(svg, "line", { x1: left, x2: width - right, y1: y(tick), y2: y(tick), class: "rule" });
      add(svg, "text", { x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, number(tick));
    }
    for (let week = view.reference; week >= first; week -= 3) labelWeek(svg, x(week), height, week);
    if (view.last - view.reference > 1) labelWeek(svg, x(view.last), height, view.last, "end", width - 2);
    const edge = x(view.reference - 0.6);
    add(svg, "line", { x1: edge, x2: edge, y1: top, y2: height - bottom, class: "deadline" });
    add(svg, "text", { x: edge - 5, y: top + 9, "text-anchor": "end", class: "quiet" }, "known");
    add(svg, "text", { x: edge + 5, y: top + 9, class: "quiet" }, "forecast");
    const fans = fansOf(model);
    const given = data.horizons.map((week, k) => [view.reference + week, fans[k]]).filter(([, fan]) => fan);
    const start = view.known.length ? [view.known[view.known.length - 1]] : [];
    for (const step of [3, 2, 1]) { // 95, 80 and 50 %: steps from the median, from the outside in
      const upper = [...start, ...given.map(([week, fan]) => [week, fan[3 + step]])];
      const lower = [...start, ...given.map(([week, fan]) => [week, fan[3 - step]])].reverse();
      if (given.length) add(svg, "path", { d: `${line([...upper, ...lower])}Z`, class: "band" });
    }
    if (given.length) add(svg, "path", { d: line([...start, ...given.map(([week, fan]) => [week, fan[3]])]), class: "median" });
    else if (model.fans.length) add(svg, "text", { x: edge + 5, y: height / 2, class: "quiet" }, "no quantiles given");
    if (part("truth").checked) {
      const group = add(svg, "g", { class: "truth" });
      add(group, "path", { d: line(view.truth) });
      for (const [week, value] of view.truth) add(group, "circle", { cx: x(week), cy: y(value), r: 3.4 });
    }
    add(svg, "path", { d: line(view.known), class: "known" });
    for (const [week, value] of view.known) add(svg, "circle", { cx: x(week), cy: y(value), r: 2.6, class: "known" });
    for (const [week, fan] of given) {
      const column = { x: x(week - 0.5), y: top, width: x(week + 0.5) - x(week - 0.5), height: height - top - bottom };
      add(add(svg, "rect", { ...column, class: "touch" }), "title", {}, sentence(week, fan));
    }
    const words = given.map(([week, fan]) => sentence(week, fan)).join("; ") || "counts as known and as counted in the end";
    svg.setAttribute("aria-label", `${model.name}: ${words}.`);
    figure.querySelector("figcaption strong").textContent = model.fans.length ? model.name : "Counts a week";
  }

  function labelWeek(svg, x, height, week, anchor = "middle", most = 1e9) {
    add(svg, "text", { x: Math.min(x, most), y: height - 9, "text-anchor": anchor }, short.format(time(data.weeks[week])));
  }

  function sentence(week, fan) {
    const counted = part("truth").checked ? `; counted ${number(here.counts[week])}` : "";
    const day = short.format(time(data.weeks[week]));
    return `week to ${day}: median ${number(fan[3])}, 50 % ${range(fan, 1)}, 95 % ${range(fan, 3)}${counted}`;
  }

  // A strip is as many units wide as there are weeks from the first date to the last.
  const column = (date) => weekOf(data.dates[date]) - weekOf(data.dates[0]);
  const columns = column(data.dates.length - 1) + 1;

  function strip(name, label, draw) {
    const row = part(name);
    if (!row) return;
    row.querySelector(".label").textContent = label;
    const svg = row.querySelector("svg");
    svg.replaceChildren();
    svg.setAttribute("viewBox", `0 0 ${columns} 1`);
    const said = data.dates.map((day, date) => draw(svg, date, column(date), short.format(time(day))));
    row.hidden = !svg.children.length; // a model that gave none
    svg.setAttribute("aria-label", `${label}; ${said[state.date] || "nothing"}`);
    add(svg, "rect", { x: column(state.date), y: 0, width: 1, height: 1, class: "marker" });
  }

  function cell(svg, at, low, high, style, words) {
    const made = add(svg, "rect", { x: at + 0.04, y: 1 - high, width: 0.92, height: Math.max(high - low, 0), ...style });
    add(made, "title", {}, words);
    return words;
  }

  function drawStrips() {
    const { counts } = here;
    const most = Math.max(...counts.map((value) => value ?? 0), 1);
    strip("season", "Counts, week to the date", (svg, date, at, day) => {
      const value = counts[weekOf(data.dates[date])];
      return cell(svg, at, 0, (value ?? 0) / most, { class: "count" }, `${day}: ${number(value)}`);
    });
    here.models.forEach((model, index) => {
      strip(`rise-${index}`, `P(rise), ${model.name}`, (svg, date, at, day) => {
        const p = model.rise.length ? model.rise[date] : null;
        const words = cell(svg, at, 0, 1, { class: "empty" }, p === null ? `${day}: no forecast` : `${day}: ${p} %`);
        if (p !== null) cell(svg, at, 0, p / 100, { class: `rise-${index}` }, words);
        return words;
      });
      strip(`pmf-${index}`, `Categories, ${model.name}`, (svg, date, at, day) => {
        const shares = model.pmf.length ? model.pmf[date] : 0;
        const total = shares ? shares.reduce((sum, share) => sum + share, 0) : 0;
        let low = 0;
        return (shares || []).map((share, k) => {
          const words = `${day}: ${data.categories[k].name} ${share} %`;
          low += share / total;
          return cell(svg, at, low - share / total, low, { fill: data.categories[k].colour }, words);
        }).join(", ");
      });
    });
    strip("rose", "It rose", (svg, date, at, day) => {
      const found = rose(date);
      return found !== null && cell(svg, at, 0, 1, { class: found ? "rose" : "empty" }, `${day}: ${found ? "rose" : "did not rise"}`);
    });
    strip("was", "What happened", (svg, date, at, day) => {
      const found = here.observed[date];
      if (found === null) return "";
      return cell(svg, at, 0, 1, { fill: data.categories[found].colour }, `${day}: ${data.categories[found].name}`);
    });
  }

  function drawMap() {
    const figure = part("map");
    if (!figure) return;
    const ratios = here.models[here.models.length - 1].ratio;
    for (const shape of figure.querySelectorAll("[data-place]")) {
      const place = data.places.findIndex((each) => each.code === shape.dataset.place);
      if (place < 0) continue;
      const ratio = ratios[place];
      const shade = ratio === null ? data.scale.blank : data.scale.colours[data.scale.ends.filter((end) => ratio >= end).length];
      shape.setAttribute("fill", shade);
      shape.classList.toggle("picked", place === state.place);
      if (place === state.place) shape.parentNode.append(shape); // over its neighbours' outlines
      shape.querySelector("title").textContent = `${data.places[place].name}: ${ratio ?? "no forecast"}`;
    }
    const caption = `${data.score} of ${data.models[0].name} over that of ${data.models[state.other].name}, by place.`;
    figure.querySelector("figcaption").textContent = `${caption} Click on a place to see its fans.`;
  }

  function drawTable(view) {
    if (!part("table")) return;
    const body = part("table").querySelector("tbody");
    body.replaceChildren();
    data.horizons.forEach((horizon, index) => {
      const row = add(body, "tr");
      const week = view.reference + horizon;
      add(row, "th", { scope: "row" }, long.format(time(data.weeks[week])));
      add(row, "td", { class: "number" }, number(here.counts[week]));
      for (const model of here.models) {
        const fan = fansOf(model)[index];
        add(row, "td", { class: "number" }, fan ? number(fan[3]) : "–");
        add(row, "td", { class: "number" }, fan ? range(fan, 1) : "–");
        add(row, "td", { class: "number" }, fan ? range(fan, 3) : "–");
      }
    });
    part("table").querySelectorAll("[data-model]").forEach((head) => {
      head.textContent = data.models[head.dataset.model === "0" ? 0 : state.other].name;
    });
  }

  function say(view) {
    const index = data.horizons.indexOf(data.ahead);
    const week = view.reference + data.ahead;
    const parts = here.models.map((model) => {
      const fan = fansOf(model)[index];
      if (fan) return `${model.name} ${number(fan[3])} (95 %: ${range(fan, 3)})`;
      const pmf = model.pmf.length ? model.pmf[state.date] : 0;
      const likely = pmf ? pmf.indexOf(Math.max(...pmf)) : -1;
      return likely < 0 ? "" : `${model.name} ${data.categories[likely].name} ${pmf[likely]} %`;
    }).filter(Boolean);
    const newest = view.known.length ? number(view.known[view.known.length - 1][1]) : "nothing";
    const counted = part("truth").checked ? ` Counted: ${number(here.counts[week])}.` : "";
    const forecast = parts.length ? ` For the week to ${short.format(time(data.weeks[week]))}: ${parts.join(", ")}.` : "";
    const ratio = here.models[here.models.length - 1].ratio[state.place];
    const season = ratio === null ? "" : ` Over the season ${data.models[0].name} had ${ratio} times the ${data.score} of ${data.models[state.other].name} here.`;
    part("status").textContent = `${data.places[state.place].name}, reference date ${long.format(time(data.dates[state.date]))}. `
      + `Newest count known: ${newest}.${forecast}${counted}${season}`;
  }

  function draw() {
    if (!here) return;
    const view = scene();
    const drawn = here.models[0].fans.length ? here.models : [here.models[0]];
    [0, 1].forEach((index) => drawPanel(index, drawn[index], view));
    drawStrips();
    drawMap();
    drawTable(view);
    say(view);
    part("date").value = state.date;
    part("date").setAttribute("aria-valuetext", long.format(time(data.dates[state.date])));
    part("day").textContent = long.format(time(data.dates[state.date]));
    part("back").disabled = state.date === 0;
    part("on").disabled = state.date === data.dates.length - 1;
    part("place").value = data.places[state.place].name;
    part("other").value = state.other;
  }

  function go(date) {
    state.date = Math.min(Math.max(date, 0), data.dates.length - 1);
    draw();
  }

  // Shows a place and a model once they are there; of several that were asked for only the newest.
  let turn = 0;
  async function show(place, other) {
    turn += 1;
    const mine = turn;
    try {
      const found = await find(place, other);
      if (mine !== turn) return;
      [state.place, state.other, here] = [place, other, found];
      draw();
    } catch (error) {
      part("status").textContent = error.message;
    }
  }

  const pick = (place) => show(place >= 0 ? place : state.place, state.other);

  // A name or an abbreviation, else the only name that begins so, else the one shown stays.
  function named(text) {
    const asked = text.trim().toLowerCase();
    const exact = data.places.findIndex((each) => [each.name, each.short, each.code].some((name) => name.toLowerCase() === asked));
    if (exact >= 0 || !asked) return exact;
    return data.places.findIndex((each) => each.name.toLowerCase().startsWith(asked));
  }

  part("back").addEventListener("click", () => go(state.date - 1));
  part("on").addEventListener("click", () => go(state.date + 1));
  part("date").addEventListener("input", (event) => go(Number(event.target.value)));
  part("truth").addEventListener("change", draw);
  part("other").addEventListener("change", (event) => show(state.place, Number(event.target.value)));
  part("place").addEventListener("focus", (event) => { event.target.value = ""; }); // else the list holds the one shown only
  part("place").addEventListener("blur", draw);
  part("place").addEventListener("change", (event) => pick(named(event.target.value)));
  root.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || event.altKey || event.ctrlKey || event.metaKey || ["INPUT", "SELECT"].includes(event.target.tagName)) return;
    event.preventDefault();
    go(state.date + step);
  });
  root.addEventListener("click", (event) => {
    const shape = event.target.closest("[data-place]");
    if (shape) pick(data.places.findIndex((each) => each.code === shape.dataset.place));
    const svg = event.target.closest(".strip svg");
    if (!svg) return;
    const box = svg.getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * columns - 0.5;
    const distance = data.dates.map((_, date) => Math.abs(column(date) - at));
    go(distance.indexOf(Math.min(...distance)));
  });
  for (const hidden of root.querySelectorAll(".scripted")) hidden.hidden = false;
  root.classList.add("live");
  show(state.place, state.other);
  return { pick };
};
