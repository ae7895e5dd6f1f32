"use strict";
(() => {
  const all = (query, within = document) => [...within.querySelectorAll(query)];
  const scripted = all("[data-scripted]");
  scripted.forEach((element) => { element.hidden = false; });

  // Tables: a click on a heading sorts, numbers from the highest, text from A; the next click turns it round.
  const isNumber = (text) => /^[-+]?[.\d]/.test(text);

  function sortBy(heading) {
    const table = heading.closest("table"), body = table.tBodies[0], column = heading.cellIndex;
    const rows = [...body.rows], text = (row) => row.cells[column].textContent.trim();
    const known = rows.map(text).filter((cell) => cell !== "-");
    const numeric = known.length > 0 && known.every(isNumber);
    const first = numeric ? "descending" : "ascending", second = numeric ? "ascending" : "descending";
    const order = heading.getAttribute("aria-sort") === first ? second : first;
    const sign = order === "ascending" ? 1 : -1;
    rows.sort((one, other) => {
      const [a, b] = [text(one), text(other)];
      if (a === "-" || b === "-") return (a === "-") - (b === "-"); // what can't be had is last
      return sign * (numeric ? parseFloat(a) - parseFloat(b) : a.localeCompare(b, "en", { numeric: true }));
    });
    all("th[aria-sort]", table.tHead).forEach((other) => other.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", order);
    body.append(...rows);
  }

  for (const heading of all("thead th")) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    button.addEventListener("click", () => sortBy(heading));
    heading.append(button);
  }

  // Clips: those that hold every chosen value; values of one kind are a line each.
  const form = document.getElementById("filter"), clips = all("article.clip");
  const chosen = () => all("select", form).filter((select) => select.value !== "");

  function filter() {
    const wanted = chosen();
    for (const clip of clips) {
      clip.hidden = !wanted.every(({ name, value }) => clip.dataset[name].split("\n").includes(value));
    }
    for (const machine of all("section.machine")) {
      machine.hidden = !["", machine.dataset.machine].includes(form.elements.machine.value);
    }
    const shown = clips.filter((clip) => !clip.hidden).length;
    form.querySelector("output").textContent = `${shown} of ${clips.length} clips shown`;
  }

  function reveal(hash) {
    const clip = clips.find((one) => `#${one.id}` === hash);
    if (!clip) return;
    if (clip.hidden) {
      form.reset();
      form.elements.machine.value = clip.dataset.machine;
      filter();
    }
    clip.scrollIntoView();
    clip.focus({ preventScroll: true });
  }

  form.addEventListener("change", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(filter));
  if (form.elements.machine.options.length > 1) form.elements.machine.selectedIndex = 1; // one machine at a time
  filter();
  addEventListener("hashchange", () => reveal(location.hash));
  for (const link of all("a[href^='#clip-']")) {
    link.addEventListener("click", () => reveal(link.getAttribute("href")));
  }
  reveal(location.hash);

  // Sounds: one at a time.
  document.addEventListener("play", ({ target }) => {
    all("audio").forEach((audio) => audio !== target && audio.pause());
  }, true);

  // Thresholds: the slider stands between two neighbours among the scores, the clips above it by their rank.
  const share = (count, of, what) => `${count} of ${of} ${what} (${((100 * count) / of).toFixed(1)} %)`;

  function slider(panel, { anomaly, systems }) {
    const [select, range, button, said, strip] =
      ["select", "input", "button", "output", "svg"].map((query) => panel.querySelector(query));
    const own = () => systems[select.selectedIndex];
    const ladder = () => [...new Set(own().scores)].sort((a, b) => a - b);
    const line = strip.querySelector("line");

    function tell(threshold, place, steps) {
      const count = (label, above) =>
        own().scores.filter((score, i) => anomaly[i] === label && score > threshold === above).length;
      const of = (label) => anomaly.filter((one) => one === label).length;
      const parts = [`Threshold ${threshold.toPrecision(4)}:`];
      if (of(0)) parts.push(share(count(0, true), of(0), "normal clips are false alarms"));
      if (of(1)) parts.push(share(count(1, false), of(1), "anomalies are missed"));
      if (of(null)) parts.push(share(count(null, true), of(null), "unlabelled clips are above"));
      said.textContent = `${parts[0]} ${parts.slice(1).join(", ")}.`;
      range.setAttribute("aria-valuetext", said.textContent);
      for (const end of ["x1", "x2"]) line.setAttribute(end, (300 * place) / steps);
    }

    function move() {
      const scores = ladder(), place = Number(range.value), last = scores.length - 1;
      const middle = (scores[Math.max(place - 1, 0)] + scores[Math.min(place, last)]) / 2;
      tell(place === 0 ? scores[0] - 1e-9 - Math.abs(scores[0]) * 1e-6 : middle, place, scores.length);
    }

    function decided() {
      const scores = ladder(), { threshold } = own();
      range.max = scores.length;
      range.value = scores.filter((score) => score <= threshold).length;
      tell(threshold, Number(range.value), scores.length);
    }

    function draw() {
      const scores = ladder();
      all("circle", strip).forEach((circle) => circle.remove());
      own().scores.forEach((score, i) => {
        const dot = document.createElementNS(strip.namespaceURI, "circle"); // names no address
        dot.setAttribute("cx", (300 * (scores.indexOf(score) + 0.5)) / scores.length);
        dot.setAttribute("cy", anomaly[i] === 1 ? 12 : 28);
        dot.setAttribute("r", 3);
        dot.setAttribute("class", { 0: "normal", 1: "anomalous" }[anomaly[i]] ?? "unlabelled");
        strip.append(dot);
      });
      decided();
    }

    range.addEventListener("input", move);
    button.addEventListener("click", decided);
    select.addEventListener("change", draw);
    draw();
  }

  const thresholds = JSON.parse(document.getElementById("thresholds").textContent);
  all(".threshold").forEach((panel, i) => slider(panel, thresholds[i]));
})();
