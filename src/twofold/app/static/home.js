// The list of runs: two of one kind that are ticked can be compared.
(() => {
  "use strict";
  const part = (name) => document.getElementById(name);
  const boxes = [...document.querySelectorAll("[data-compare]")];

  function tell() {
    const ticked = boxes.filter((box) => box.checked);
    const kinds = new Set(ticked.map((box) => box.dataset.kind));
    const ready = ticked.length === 2 && kinds.size === 1;
    part("compare").disabled = !ready;
    part("compare-status").textContent = ready ? `${ticked.map((box) => box.dataset.name).join(" and ")}.`
      : ticked.length === 2 ? "These two are of different kinds." : `Tick two runs of one kind; ${ticked.length} ticked.`;
  }

  for (const box of boxes) box.addEventListener("change", tell);
  part("compare").addEventListener("click", () => {
    const [a, b] = boxes.filter((box) => box.checked).map((box) => encodeURIComponent(box.dataset.compare));
    location.href = `/compare?a=${a}&b=${b}`;
  });
  for (const hidden of document.querySelectorAll(".scripted")) hidden.hidden = false;
  tell();
})();
