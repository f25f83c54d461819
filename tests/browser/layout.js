// What is wrong with how a page lies on the screen: a list of words, empty where nothing is.
() => {
  const found = [];
  const root = document.documentElement;
  const told = (what, element) => {
    const id = element.closest("[id]")?.id ?? "";
    const name = `#${id} ${element.tagName.toLowerCase()}.${element.getAttribute("class") ?? ""}`;
    found.push(`${what}: ${name} “${element.textContent.trim().slice(0, 60)}”`);
  };
  const scrolls = (style) => ["auto", "scroll"].includes(style.overflowX);
  const inScroller = (element) => { // what lies in a box that the reader can move may be wider than the screen
    for (let box = element.parentElement; box; box = box.parentElement) if (scrolls(getComputedStyle(box))) return true;
    return false;
  };

  if (root.scrollWidth > root.clientWidth) found.push(`the page is ${root.scrollWidth} wide on ${root.clientWidth}`);
  for (const element of document.body.querySelectorAll(":not(svg *, script, style, datalist, option, .skip)")) {
    const box = element.getBoundingClientRect();
    if (!box.width || !box.height || !element.checkVisibility()) continue;
    if ((box.left < -1 || box.right > root.clientWidth + 1) && !inScroller(element)) told("beyond the screen", element);
    const around = element.closest(".scroll");
    if (element.parentElement.tagName === "CAPTION" && around && box.width > around.clientWidth + 1) told("a caption is wider than its box", element);
    const style = getComputedStyle(element);
    const own = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim());
    if (!own || style.display === "inline" || scrolls(style)) continue;
    if (element.scrollWidth > element.clientWidth + 1) told("text leaves its box", element);
    if (element.tagName === "TD" && box.height > 3 * box.width && box.height > 200) told("text is squeezed", element);
    if (style.overflowY !== "visible" && element.scrollHeight > element.clientHeight + 1) told("text is cut", element);
  }

  const luminance = (colour) => {
    const [red, green, blue] = colour.match(/[\d.]+/g).map((part) => part / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrast = (one, other) => {
    const [high, low] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  const paper = getComputedStyle(document.body).backgroundColor;
  const onCells = ["rgb(254, 254, 254)", "rgb(1, 1, 1)"]; // of twofold.page.drawing
  const slanted = (text) => { const { a, b } = text.getScreenCTM(); return Math.abs(a * b) > 1e-6; };
  for (const svg of document.querySelectorAll("svg")) {
    const frame = svg.getBoundingClientRect();
    if (!frame.width || !svg.checkVisibility()) continue;
    const texts = [...svg.querySelectorAll("text")].filter((text) => text.checkVisibility())
      .map((text) => ({ text, box: text.getBoundingClientRect(), level: !slanted(text) }));
    texts.forEach(({ text, box, level }, index) => {
      const beside = box.left < frame.left - 2 || box.right > frame.right + 2;
      if (beside || box.top < frame.top - 2 || box.bottom > frame.bottom + 2) told("text leaves its drawing", text);
      // axe measures the contrast of HTML only: it reads an element's color, and not the fill of a drawing's text.
      const { fill } = getComputedStyle(text);
      if (!onCells.includes(fill) && contrast(fill, paper) < 4.5) told(`pale text, ${fill}`, text);
      for (const other of texts.slice(index + 1)) { // the boxes of slanted texts overlap where the texts don't
        const width = Math.min(box.right, other.box.right) - Math.max(box.left, other.box.left);
        const height = Math.min(box.bottom, other.box.bottom) - Math.max(box.top, other.box.top);
        const words = other.text.textContent.trim();
        if (width > 1 && height > 3 && level && other.level) told(`text on “${words}”`, text);
      }
    });
  }
  return found;
}
