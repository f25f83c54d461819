// A sweep: a point of the rate-distortion plane opens that run's pictures.
(() => {
  "use strict";
  const points = JSON.parse(document.getElementById("data").textContent);
  const marks = [...document.querySelectorAll("[data-point]")];
  const part = (name) => document.getElementById(name);

  function open(number) {
    const point = points[number];
    const name = encodeURIComponent(point.run);
    for (const mark of marks) mark.setAttribute("aria-pressed", String(Number(mark.dataset.point) === number));
    for (const image of document.querySelectorAll("[data-sheet]")) image.src = `/api/runs/${name}/sheets/${image.dataset.sheet}`;
    part("open").href = `/runs/${name}`;
    part("status").textContent = `beta ${point.beta}, seed ${point.seed}: rate ${point.rate.toFixed(1)}, `
      + `distortion ${point.distortion.toFixed(1).replace("-", "−")} nats, ${point.used} units in use.`;
  }

  marks.forEach((mark, index) => {
    mark.addEventListener("click", () => open(index));
    mark.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
      if (event.key !== "Enter" && event.key !== " " && !step) return;
      event.preventDefault();
      const next = Math.min(Math.max(index + (step || 0), 0), marks.length - 1);
      marks[next].focus();
      open(next);
    });
  });
  open(marks.findIndex((mark) => mark.getAttribute("aria-pressed") === "true"));
})();
