// A vae run at work: sliders, ways between two images, samples, an image of one's own. Pictures come from the server.
(() => {
  "use strict";
  const data = JSON.parse(document.getElementById("data").textContent);
  const part = (name) => document.getElementById(name);
  const base = `/api/runs/${encodeURIComponent(data.run)}`;
  const state = { image: -1, code: null, z: null };
  const sheetImages = 16;

  const say = (text) => { part("status").textContent = text; };

  async function ask(address, options) {
    const answer = await fetch(base + address, options);
    if (answer.ok) return answer;
    const problem = await answer.json().catch(() => ({ message: `the server answered ${answer.status}` }));
    throw new Error(problem.message);
  }

  const post = (address, body) =>
    ask(address, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

  async function show(image, answer) {
    const old = image.src;
    image.src = URL.createObjectURL(await answer.blob());
    if (old.startsWith("blob:")) URL.revokeObjectURL(old);
  }

  const codes = new Map();
  async function codeOf(image) {
    if (!codes.has(image)) codes.set(image, (await (await ask(`/images/${image}/code`)).json()).z);
    return codes.get(image);
  }

  const decode = latest(say, async () => show(part("decoded"), await post("/decode", { z: state.z })));

  function write(slider, value) {
    slider.parentNode.querySelector("output").textContent = Number(value).toFixed(2).replace("-", "−");
  }

  function setSliders() {
    for (const { unit, reach } of data.units) {
      const slider = part(`unit-${unit}`);
      const most = Math.max(reach, Math.ceil(Math.abs(state.z[unit])));
      [slider.min, slider.max, slider.value] = [-most, most, state.z[unit]];
      write(slider, state.z[unit]);
    }
    decode();
  }

  function begin(code, source) {
    state.code = code;
    state.z = [...code];
    part("original").src = source;
    setSliders();
  }

  const choose = latest(say, async () => {
    const image = state.image;
    for (const button of part("images").querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.image) === image));
    }
    if (image < 0) return;
    begin(await codeOf(image), `${base}/images/${image}`);
    say(`Test image ${image + 1}.`);
  });

  part("images").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    state.image = Number(button.dataset.image);
    choose();
  });
  for (const { unit } of data.units) {
    part(`unit-${unit}`).addEventListener("input", (event) => {
      if (!state.z) return;
      state.z[unit] = Number(event.target.value);
      write(event.target, event.target.value);
      decode();
    });
  }
  part("back").addEventListener("click", () => { if (state.code) { state.z = [...state.code]; setSliders(); } });
  part("zero").addEventListener("click", () => { state.z = new Array(data.latent).fill(0); setSliders(); });

  const walk = latest(say, async () => {
    const [start, end] = [await codeOf(Number(part("from").value)), await codeOf(Number(part("to").value))];
    await show(part("between-strip"), await post("/interpolate", { start, end, steps: 9, path: part("path").value }));
  });
  part("way").addEventListener("change", walk);

  const tiles = Array.from({ length: sheetImages }, () => part("sheet").appendChild(document.createElement("canvas")));
  for (const tile of tiles) [tile.width, tile.height] = [data.width, data.height];
  const draw = latest(say, async () => {
    const asked = { number: sheetImages, seed: Number(part("seed").value) };
    for (const name of ["spread", "noise"]) asked[name] = Number(part(name).value);
    const strip = await createImageBitmap(await (await post("/sample", asked)).blob());
    tiles.forEach((tile, index) => tile.getContext("2d").drawImage(strip, -index * data.width, 0));
    strip.close();
  });
  part("draw").addEventListener("input", (event) => {
    if (event.target.type === "range") write(event.target, event.target.value);
    draw();
  });
  part("draw").addEventListener("submit", (event) => { event.preventDefault(); draw(); });
  part("next").addEventListener("click", () => { part("seed").value = Number(part("seed").value) + 1; draw(); });

  let own = null;
  async function encode(file) {
    if (!file) return;
    const tell = (text) => { part("own-status").textContent = `${file.name}: ${text}`; };
    tell("being read …");
    try {
      const headers = { "Content-Type": "application/octet-stream" };
      own = await (await ask("/encode", { method: "POST", headers, body: file })).json();
    } catch (error) {
      part("own-found").hidden = true;
      tell(error.message);
      return;
    }
    part("own-picture").src = own.picture;
    part("own-reconstruction").src = own.reconstruction;
    const digits = { rate_bits: 0, distortion_bits: 0, bits_per_dim: 3, rms_error: 2 };
    for (const [name, number] of Object.entries(digits)) {
      const format = { minimumFractionDigits: number, maximumFractionDigits: number };
      part(`own-${name}`).textContent = own[name] === null ? "–" : own[name].toLocaleString("en", format).replace("-", "−");
    }
    part("own-found").hidden = false;
    const cost = own.bits_per_dim === null ? "" : `${own.bits_per_dim.toFixed(3)} bits per dim, `;
    tell(`${cost}rate ${own.rate_bits.toFixed(0)} bits.`);
  }
  part("file").addEventListener("change", (event) => encode(event.target.files[0]));
  for (const kind of ["dragover", "drop"]) {
    part("drop").addEventListener(kind, (event) => {
      event.preventDefault();
      if (kind === "drop") encode(event.dataTransfer.files[0]);
    });
  }
  part("own-move").addEventListener("click", () => {
    state.image = -1;
    choose();
    begin(own.z, own.picture);
    part("units").scrollIntoView();
  });

  for (const name of ["spread", "noise"]) write(part(name), part(name).value);
  state.image = 0;
  choose();
  if (data.images > 1) walk();
  draw();
})();
