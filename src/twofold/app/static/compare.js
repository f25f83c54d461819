// Two runs side by side: forecasts date by date, or one image through both models. Numbers and pictures come from the server.
(() => {
  "use strict";
  const data = JSON.parse(document.getElementById("data").textContent);
  const part = (name) => document.getElementById(name);
  const keys = ["a", "b"];
  const base = (key) => `/api/runs/${encodeURIComponent(data[key].run)}`;
  const say = (text) => { part("status").textContent = text; };

  async function ask(address, options) {
    const answer = await fetch(address, options);
    if (answer.ok) return answer;
    throw new Error((await answer.json()).message);
  }

  function trends() {
    const { add, colourMap, drawCourse, long, outcome, share, time } = page;
    const { a, b } = data;
    const common = (of) => of(a).filter((each) => of(b).includes(each));
    const dates = common((run) => run.dates);
    const names = common((run) => run.regions.map((region) => region.name));
    const models = common((run) => run.models.map((model) => model.name));
    if (!dates.length || !names.length || !models.length) { part("none").hidden = false; return; }
    part("live").hidden = false;
    const label = Object.fromEntries(a.models.map((model) => [model.name, model.label]));
    const row = Object.fromEntries(keys.map((key) => [key, new Map(data[key].regions.map((region, index) => [region.name, index]))]));
    const state = { date: dates.length - 1, region: names[0], model: models[0] };
    const kept = new Map();

    async function find(address) {
      if (!kept.has(address)) kept.set(address, await (await ask(address)).json());
      return kept.get(address);
    }
    const both = (address) => Promise.all(keys.map((key) => find(base(key) + address(key))));

    for (const model of models) add(part("model"), "option", { value: model }, label[model]);
    part("date").max = dates.length - 1;
    const maps = keys.map((key) => part(`map-${key}`)).filter(Boolean);
    if (maps.length) maps[1].querySelector("div").append(maps[0].querySelector("svg").cloneNode(true));

    const drawDate = latest(say, async () => {
      const days = await both((key) => `/trend/${data[key].dates.indexOf(dates[state.date])}`);
      const p = (index, name) => days[index].probabilities[state.model][row[keys[index]].get(name)] ?? null;
      maps.forEach((map, index) => colourMap(map, (name) => {
        const inC = data[keys[index]].regions[row[keys[index]].get(name)]?.in_c;
        return { p: p(index, name), inC, picked: name === state.region };
      }));
      const rows = names.map((name) => ({ name, a: p(0, name), b: p(1, name) }));
      const gap = (each) => (each.a === null || each.b === null ? null : each.b - each.a);
      rows.sort((one, other) => Math.abs(gap(other) ?? -1) - Math.abs(gap(one) ?? -1));
      part("rows").replaceChildren(...rows.map((each) => {
        const line = document.createElement("tr");
        add(add(line, "th", { scope: "row" }), "button", { type: "button", class: "link", "data-name": each.name }, each.name);
        const points = gap(each) === null ? "–" : `${gap(each) < 0 ? "−" : "+"}${Math.abs(100 * gap(each)).toFixed(0)}`;
        for (const text of [share(each.a), share(each.b), points]) add(line, "td", { class: "number" }, text);
        add(line, "td", {}, outcome(days[0].rose[row.a.get(each.name)]));
        return line;
      }));
      const day = long.format(time(dates[state.date]));
      const apart = rows.filter((each) => Math.abs(gap(each) ?? 0) >= 0.1).length;
      say(`Target date ${day}, ${label[state.model]}: A and B are 10 points or more apart in ${apart} of ${names.length} regions.`);
      part("day").textContent = day;
      part("date").value = state.date;
      part("date").setAttribute("aria-valuetext", day);
      part("earlier").disabled = state.date === 0;
      part("later").disabled = state.date === dates.length - 1;
    });

    const course = latest(say, async () => {
      const found = await both((key) => `/regions/${row[key].get(state.region)}`);
      const shares = found.map((each) => {
        const at = new Map(each.dates.map((date, index) => [date, each.probabilities[state.model][index]]));
        return dates.map((date) => at.get(date) ?? null);
      });
      const rose = new Map(found[0].dates.map((date, index) => [date, found[0].rose[index]]));
      const shown = { ...found[0], dates, rose: dates.map((date) => rose.get(date) ?? null) };
      drawCourse(part("course"), shown, [{ label: "B", look: "theirs", p: shares[1] }, { label: "A", look: "ours", p: shares[0] }], state.date);
      const now = long.format(time(dates[state.date]));
      const said = `${state.region}, ${now}: A ${share(shares[0][state.date])}, B ${share(shares[1][state.date])}; it rose: ${outcome(shown.rose[state.date])}.`;
      part("course").setAttribute("aria-label", said);
      part("course-status").textContent = said;
    });

    function draw() { drawDate(); course(); }
    function go(date) { state.date = Math.min(Math.max(date, 0), dates.length - 1); draw(); }
    function pick(name) {
      if (!names.includes(name)) return;
      state.region = name;
      draw();
      part("region").scrollIntoView();
    }
    part("earlier").addEventListener("click", () => go(state.date - 1));
    part("later").addEventListener("click", () => go(state.date + 1));
    part("date").addEventListener("input", (event) => go(Number(event.target.value)));
    part("model").addEventListener("change", (event) => { state.model = event.target.value; draw(); });
    part("rows").addEventListener("click", (event) => pick(event.target.closest("button")?.dataset.name));
    for (const map of maps) map.addEventListener("click", (event) => pick(event.target.closest("[data-region]")?.dataset.region));
    draw();
  }

  function images() {
    const digits = { rate_bits: 0, distortion_bits: 0, bits_per_dim: 3, rms_error: 2 };
    const chosen = { image: 0, file: null };

    const show = latest(say, async () => {
      const { image, file } = chosen;
      for (const button of part("tiles").querySelectorAll("button")) {
        button.setAttribute("aria-pressed", String(!file && Number(button.dataset.image) === image));
      }
      const body = file ?? await (await ask(`${base("a")}/images/${image}`)).blob();
      const headers = { "Content-Type": "application/octet-stream" };
      const found = await Promise.all(keys.map(async (key) => (
        (await ask(`${base(key)}/encode`, { method: "POST", headers, body })).json())));
      part("picture").src = found[0].picture;
      keys.forEach((key, index) => {
        part(`${key}-reconstruction`).src = found[index].reconstruction;
        for (const [name, number] of Object.entries(digits)) {
          const format = { minimumFractionDigits: number, maximumFractionDigits: number };
          const value = found[index][name];
          part(`${key}-${name}`).textContent = value === null ? "–" : value.toLocaleString("en", format).replace("-", "−");
        }
      });
      const bits = found.map((each) => (each.bits_per_dim === null ? "no" : each.bits_per_dim.toFixed(3)));
      say(`${file ? file.name : `Test image ${image + 1} of A`}: ${bits[0]} bits per dim by A, ${bits[1]} by B.`);
    });

    part("tiles").addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      [chosen.image, chosen.file] = [Number(button.dataset.image), null];
      show();
    });
    takeFile(part("own-file"), part("own-drop"), (file) => { chosen.file = file; show(); });
    for (const key of keys) {
      for (const name of key === "a" ? ["picture", "a-reconstruction"] : ["b-reconstruction"]) {
        const scale = Math.max(1, Math.floor(256 / data[key].width), Math.floor(256 / data[key].height));
        [part(name).width, part(name).height] = [scale * data[key].width, scale * data[key].height];
        if (scale > 1) part(name).classList.add("pixelated");
      }
    }
    show();
  }

  if (data.kind.startsWith("trend ") && data.a.dates) trends();
  if (data.kind === "vae run") images();
})();
