// A hub's backtest: the report's explorer, which asks the server for each place and model.
(() => {
  "use strict";
  const data = JSON.parse(document.getElementById("data").textContent);
  const kept = new Map();

  async function find(place, other) {
    const address = `/api/runs/${encodeURIComponent(data.run)}/hub/places/${place}?other=${other}`;
    if (!kept.has(address)) {
      const answer = await fetch(address);
      const found = await answer.json();
      if (!answer.ok) throw new Error(found.message);
      kept.set(address, found);
    }
    return kept.get(address);
  }

  const explorer = page.explore(data, find);
  const table = document.getElementById("by-place");
  for (const button of table?.querySelectorAll("button") ?? []) button.hidden = false;
  table?.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    explorer.pick(Number(button.dataset.row));
    document.getElementById("season").scrollIntoView();
  });
})();
