// The table control's browser side. It decides nothing: all texts and drawings come from Python;
// table.py describes the data.

function fillCell(td, cell) {
  for (const [sign, kind, words] of cell.lines) {
    const line = make("div", { class: kind });
    if (sign) line.append(make("span", { class: "sign" }, sign), " ");
    line.append(words);
    td.append(line);
  }
  if (cell.sub) td.append(make("small", {}, cell.sub));
}

function ruleItem({ where, said, by }) {
  const item = make("li", {}, make("b", {}, where), make("p", {}, said));
  for (const line of by.split("\n").filter(Boolean)) {
    item.append(line.startsWith("no rule") ? make("p", { class: "by" }, line) : make("code", {}, line));
  }
  return item;
}

function render({ model, el }) {
  const data = model.get("data");
  const mark = newMark("t");
  let chosen = null;
  let way = 0;

  const root = make("div", {
    class: "k8snet k8snet-table", role: "group", "aria-label": data.title, "data-lm-suppress-shortcuts": "true",
  });
  root.append(make("p", { class: "title" }, data.title));

  // -- the tables: one stop of the tab key each, arrows inside -------------------------------
  const places = new Map(); // a cell's number -> where it is
  const grids = make("div", { class: "grids" });
  data.grids.forEach((grid, g) => {
    const name = `${mark}-grid${g}`;
    const head = make("tr", {}, make("th", { scope: "col" }, grid.corner),
      ...grid.heads.map((words) => make("th", { scope: "col" }, words)));
    const body = make("tbody");
    grid.rows.forEach((row, r) => {
      const tr = make("tr", {}, make("th", { scope: "row" }, row.head));
      row.cells.forEach((n, c) => {
        const td = make("td", { role: "gridcell", tabindex: "-1" });
        if (n === null) td.append("–");
        else {
          fillCell(td, data.cells[n]);
          td.setAttribute("aria-selected", "false");
        }
        td.addEventListener("click", () => go(g, r, c));
        places.set(`${g} ${r} ${c}`, { td, n });
        tr.append(td);
      });
      body.append(tr);
    });
    const table = make("table", { role: "grid", "aria-labelledby": name },
      make("caption", { id: name }, grid.caption), make("thead", {}, head), body);
    grids.append(make("div", { class: "scroll" }, table));
  });

  // -- what the chosen cell stands for -------------------------------------------------------
  const says = make("div", { "aria-live": "polite", "aria-atomic": "true", class: "says" });
  const select = make("select", { id: `${mark}-way` });
  const which = make("div", { class: "which" }, make("label", { for: select.id }, "What can become of it"), select);
  const rules = make("ol", {});
  const why = make("div", { class: "rules" }, make("p", {}, "What decided, in this order:"), rules);
  const card = make("div", { class: "card" }, make("div", {}, says, which), why);
  const stage = make("div", { class: "stage", tabindex: "0", role: "group", "aria-label": data.picture });
  const ink = document.createElementNS("http://www.w3.org/2000/svg", "g");
  const scene = parsePicture(data.scene, mark);
  const desc = scene.querySelector("desc");
  const standing = desc.textContent;
  scene.append(ink);
  stage.append(scene);
  root.append(grids, card, stage, ...data.notes.map((note) => make("p", { class: "keys" }, note)));

  function showWay() {
    const cell = data.cells[chosen];
    const now = cell.ways[way];
    const facts = make("dl", {});
    for (const [name, words] of now.facts) facts.append(make("dt", {}, name), make("dd", {}, words));
    put(says, make("p", { class: "name" }, cell.name), make("p", {}, now.title), facts);
    put(rules, ...now.rules.map(ruleItem));
    why.hidden = !now.rules.length;
    ink.innerHTML = now.ink;
    desc.textContent = `${now.words}. ${standing}`;
    select.value = String(way);
    keepInSight();
  }

  // Where the picture is wider than its frame: the cross, or else where the walk begins.
  function keepInSight() {
    if (stage.scrollWidth <= stage.clientWidth + 2) return;
    const place = (ink.querySelector(".end") ?? ink.querySelector(".stop"))?.getBBox();
    if (!place) return;
    const x = ((place.x + place.width / 2) / scene.viewBox.baseVal.width) * stage.scrollWidth;
    stage.scrollLeft = x - stage.clientWidth / 2;
  }

  function show(n) {
    chosen = n;
    way = 0;
    for (const { td, n: other } of places.values()) {
      if (other !== null) td.setAttribute("aria-selected", String(other === n));
    }
    const { ways } = data.cells[n];
    put(select, ...ways.map((one, at) => make("option", { value: at }, one.title)));
    which.hidden = ways.length < 2;
    showWay();
  }

  // A cell without a client can be reached, and says so; the walk shown stays the one before.
  function go(g, r, c, focus = true) {
    const place = places.get(`${g} ${r} ${c}`);
    if (!place) return;
    for (const [key, other] of places) if (key.startsWith(`${g} `)) other.td.tabIndex = -1;
    place.td.tabIndex = 0;
    if (focus) place.td.focus();
    if (place.n !== null) show(place.n);
  }

  grids.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = [...places].find(([, { td }]) => td === event.target)?.[0].split(" ").map(Number);
    if (!at) return;
    const [g, r, c] = at;
    const last = data.grids[g].heads.length - 1;
    const to = {
      ArrowLeft: [r, c - 1], ArrowRight: [r, c + 1], ArrowUp: [r - 1, c], ArrowDown: [r + 1, c],
      Home: [r, 0], End: [r, last], Enter: [r, c], " ": [r, c],
    }[event.key];
    if (!to) return;
    go(g, ...to);
    event.preventDefault();
    event.stopPropagation();
  });
  select.addEventListener("change", () => { way = Number(select.value); showWay(); });

  data.grids.forEach((_, g) => go(g, 0, 0, false));
  show(0);
  el.append(root);
  requestAnimationFrame(keepInSight);
}

export default { render };
