"use strict";
(() => {
  const part = document.getElementById("score"), whose = part.querySelector("select");
  const chooser = part.querySelector("input"), said = part.querySelector("[role=status]");
  const region = part.querySelector("[role=region]"), rows = part.querySelector("tbody");
  const size = Number(part.dataset.size);
  let before = Promise.resolve(); // files are sent one after the other

  async function score(file, of) {
    if (file.size > size) throw new Error(`${file.name} is larger than ${size / 2 ** 20} MiB: cut it into pieces`);
    const query = new URLSearchParams({ ...of.dataset, name: file.name });
    const reply = await fetch(`score?${query}`, { method: "POST", body: file }).catch(() => {
      throw new Error(`${file.name} was not sent: is it a folder, or has the server been stopped?`);
    });
    if (!reply.ok) throw new Error((await reply.text()).replace(/^asd: /, "").trim());
    return reply.json();
  }

  function show(cells, style, notes) {
    const row = document.createElement("tr");
    row.append(...cells.map((text, i) => {
      const cell = document.createElement(i ? "td" : "th"), own = document.createElement("bdi");
      own.textContent = text;
      cell.append(own);
      return cell;
    }));
    row.cells[0].scope = "row";
    row.cells[1].firstChild.className = style;
    row.cells[1].append(...notes.map((note) => ` (${note})`));
    rows.prepend(row);
    region.hidden = false;
  }

  async function add(file, of) {
    said.textContent = `Scoring ${file.name}`;
    try {
      const made = await score(file, of);
      const decision = made.decision ? "anomalous" : "normal";
      const [own, threshold] = [made.score, made.threshold].map((value) => value.toPrecision(4));
      const style = made.decision ? "tag" : "tag plain";
      show([file.name, decision, own, threshold, of.textContent, made.nearest || "-"], style, made.notes);
      said.textContent = `${file.name} is called ${decision}: score ${own}, threshold ${threshold}.`;
    } catch (error) {
      show([file.name, `not scored: ${error.message}`, "-", "-", of.textContent, "-"], "", []);
      said.textContent = `Not scored: ${error.message}`;
    }
  }

  function all(files) {
    const [of] = whose.selectedOptions;
    for (const file of files) before = before.then(() => add(file, of));
  }

  const over = (shown) => document.documentElement.classList.toggle("over", shown);
  const dropped = (act) => (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault(); // a browser would leave the page for the file
    act(event);
  };
  addEventListener("dragover", dropped(() => over(true)));
  addEventListener("dragleave", (event) => event.relatedTarget || over(false));
  addEventListener("drop", dropped((event) => {
    over(false);
    all(event.dataTransfer.files);
  }));
  chooser.addEventListener("change", () => {
    all([...chooser.files]);
    chooser.value = ""; // so that the same file can be chosen again
  });
})();
