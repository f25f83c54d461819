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

  const ends = [...part("ends").querySelectorAll("button")];
  const roles = { from: "the start", to: "the end" };
  let next = "from"; // the end that a click chooses

  const walk = latest(say, async () => {
    const chosen = Object.fromEntries(Object.keys(roles).map((name) => [name, Number(part(name).value)]));
    ends.forEach((button, image) => {
      const held = Object.keys(roles).filter((name) => chosen[name] === image);
      button.setAttribute("aria-pressed", String(held.length > 0));
      button.dataset.role = held[0] ?? "";
      button.setAttribute("aria-label", [`Test image ${image + 1}`, ...held.map((name) => roles[name])].join(", "));
    });
    const [start, end] = [await codeOf(chosen.from), await codeOf(chosen.to)];
    await show(part("between-strip"), await post("/interpolate", { start, end, steps: 9, path: part("path").value }));
  });
  part("way").addEventListener("change", walk);
  function chooseEnd(name, image) {
    part(name).value = image;
    next = name === "from" ? "to" : "from";
  }
  ends.forEach((button, image) => {
    button.addEventListener("click", () => { chooseEnd(next, image); walk(); });
    button.addEventListener("dragstart", (event) => event.dataTransfer.setData("text/x-test-image", String(image)));
    button.addEventListener("dragover", (event) => {
      if (event.dataTransfer.types.includes("text/x-test-image")) event.preventDefault();
    });
    button.addEventListener("drop", (event) => {
      const start = event.dataTransfer.getData("text/x-test-image");
      if (start === "") return;
      event.preventDefault();
      chooseEnd("from", Number(start));
      chooseEnd("to", image);
      walk();
    });
  });

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

  const sent = (file) => ({ method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: file });
  let [file, own] = [null, null];
  const tellOwn = (text) => { part("own-status").textContent = text; };
  const tellNear = (text) => { part("near-status").textContent = text; };

  const encode = latest(tellOwn, async () => {
    const tell = (text) => tellOwn(`${file.name}: ${text}`);
    part("own-found").hidden = true;
    tell("being read …");
    try {
      own = await (await ask("/encode", sent(file))).json();
    } catch (error) {
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
    findNearest();
  });

  const findNearest = latest(tellNear, async () => {
    part("near").replaceChildren();
    tellNear("being looked for …");
    const found = await (await ask("/nearest", sent(file))).json();
    tellNear("Distance: root mean square difference of pixels, 0 to 1; 0 is the same image. "
      + `In the median a test image's closest one has ${found.typical.toFixed(3)}.`);
    part("near").replaceChildren(...found.images.map(({ name, distance, picture }) => {
      const figure = document.createElement("figure");
      const image = figure.appendChild(document.createElement("img"));
      [image.src, image.alt, image.width, image.height] = [picture, `Training image ${name}`, data.width, data.height];
      if (data.width < 256) image.className = "pixelated";
      figure.appendChild(document.createElement("figcaption")).textContent = `${name}: ${distance.toFixed(3)}`;
      return figure;
    }));
  });

  takeFile(part("file"), part("drop"), (given) => { file = given; encode(); });
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
