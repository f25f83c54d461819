// A file of one's own, chosen in a field or dropped on the area around it.
"use strict";

function takeFile(field, area, take) {
  const found = ([file]) => { if (file) take(file); };
  field.addEventListener("change", () => found(field.files));
  for (const kind of ["dragover", "drop"]) {
    area.addEventListener(kind, (event) => {
      event.preventDefault();
      if (kind === "drop") found(event.dataTransfer.files);
    });
  }
}
