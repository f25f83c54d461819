// A table of one's own: how it is read, and what a trend run's model says of it. Both come from the server.
(() => {
  "use strict";
  const { add, long, number, time } = page;
  const part = (name) => document.getElementById(name);
  const run = JSON.parse(part("data")?.textContent ?? "{}").run;
  const tellTable = (text) => { part("table-status").textContent = text; };
  const tellForecast = (text) => { part("forecast-status").textContent = text; };
  const plural = (count, noun) => `${number(count)} ${noun}${count === 1 ? "" : "s"}`;
  let file = null;

  async function send(address) {
    const headers = { "Content-Type": "application/octet-stream" };
    const answer = await fetch(`${address}?name=${encodeURIComponent(file.name)}`, { method: "POST", headers, body: file });
    const found = await answer.json();
    if (!answer.ok) throw new Error(found.message);
    return found;
  }

  function list(name, texts) {
    part(name).replaceChildren();
    for (const text of texts) add(part(name), "li", {}, text);
  }

  function tell(found) {
    const step = found.step_days === 1 ? "day" : "week";
    const some = found.regions.slice(0, 8).join(", ") + (found.regions.length > 8 ? ", …" : "");
    const columns = Object.entries(found.columns).map(([role, names]) => `${role}: ${names.join(", ")}`).join("; ");
    const rows = {
      Layout: found.layout,
      Columns: columns,
      Dates: `${number(found.dates)}, ${long.format(time(found.first))} to ${long.format(time(found.last))}, one per ${step}`,
      Regions: `${number(found.regions.length)}: ${some}`,
      Counts: `${found.kind === "cumulative" ? "running totals" : "new cases"}; ${number(found.cases)} cases in all`
        + (found.filled ? `; ${plural(found.filled, "cell")} filled in` : ""),
    };
    part("table-about").replaceChildren();
    for (const [label, text] of Object.entries(rows)) {
      const pair = add(part("table-about"), "div");
      add(pair, "dt", {}, label);
      add(pair, "dd", {}, text);
    }
    const refused = Object.entries(found.problems).map(([name, why]) => `twofold trend ${name} would refuse it, ${why}`);
    list("table-notes", [...found.suspicions.map((text) => `Suspicion: ${text}`), ...refused, ...found.notes]);
    part("table-commands").replaceChildren();
    for (const words of Object.values(found.commands)) {
      const quoted = words.map((word) => (/^[\w.:=/+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`));
      add(add(part("table-commands"), "p"), "code", {}, quoted.join(" "));
    }
    part("table-found").hidden = false;
    tellTable(`${found.file}: ${plural(found.regions.length, "region")}, ${plural(found.dates, step)}, `
      + `${plural(found.suspicions.length, "suspicion")}.`);
  }

  const look = latest(tellTable, async () => {
    part("table-found").hidden = true;
    if (run) part("forecast-found").hidden = true;
    tellTable(`${file.name}: being read …`);
    if (run) forecast();
    tell(await send("/api/look"));
  });

  const forecast = latest(tellForecast, async () => {
    tellForecast("The forecast is being made …");
    const found = await send(`/api/runs/${encodeURIComponent(run)}/forecast`);
    const [{ origin, target_date: target }] = found.regions;
    tellForecast(`Forecast for ${long.format(time(target))}, from counts up to ${long.format(time(origin))}.`);
    list("forecast-notes", found.notes);
    const figure = part("own-map");
    figure.hidden = found.map === null;
    if (found.map) {
      const drawn = new DOMParser().parseFromString(found.map, "image/svg+xml").documentElement;
      figure.querySelector("div").replaceChildren(document.importNode(drawn, true));
    }
    part("forecast-rows").replaceChildren();
    for (const row of found.regions) {
      const line = add(part("forecast-rows"), "tr");
      add(line, "th", { scope: "row" }, row.region);
      add(line, "td", { class: "number" }, `${Math.round(100 * row.probability)}\u00a0%`);
      add(line, "td", { class: "number" }, number(row.last_value).replace("-", "−"));
      add(line, "td", {}, row.in_c ? "yes" : "no");
    }
    part("forecast-found").hidden = false;
  });

  takeFile(part("table-file"), part("table-drop"), (given) => { file = given; look(); });
})();
