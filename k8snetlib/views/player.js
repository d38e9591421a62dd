// The step player's browser side. It decides nothing: all texts, places and changes come from
// player_data() in player.py, whose docstring describes the data.

const SVG = "http://www.w3.org/2000/svg";
const SECONDS_PER_STEP = 1.6;
const ICONS = {
  first: "M3 3h2v10H3zM13 3v10L6 8z",
  back: "M11 3v10L4 8z",
  play: "M4 2.5v11l9-5.5z",
  pause: "M4 3h3v10H4zM9 3h3v10H9z",
  forward: "M5 3v10l7-5z",
  last: "M3 3v10l7-5zM11 3h2v10h-2z",
};
function makeSvg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function icon(name) {
  return makeSvg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, makeSvg("path", { d: ICONS[name] }));
}

// A small envelope; a second sheet behind it says that one packet carries another.
function makeToken() {
  return makeSvg("g", { class: "token", "aria-hidden": "true" },
    makeSvg("circle", { class: "halo", r: 17 }),
    makeSvg("rect", { class: "outer", x: -17, y: -12.5, width: 34, height: 25, rx: 5 }),
    makeSvg("rect", { x: -12, y: -8.5, width: 24, height: 17, rx: 2.5 }),
    makeSvg("path", { d: "M-10 -6 L0 2 L10 -6" }),
    makeSvg("path", { class: "cross", d: "M-15 -15 L15 15 M15 -15 L-15 15" }));
}

function headerBox(layer, index, step, overlay, withBytes) {
  const kind = layerKind(layer, index, overlay);
  const box = make("div", { class: `layer ${kind}` });
  const side = overlay && layer.name === "IPv4" ? `${kind} ` : "";
  const line = make("div", { class: "line" }, make("b", {}, side + layer.name));
  if (step.added.includes(index)) {
    box.classList.add("new");
    line.append(make("span", { class: "mark" }, "new"));
  }
  layer.fields.forEach(([name, value, owner], at) => {
    const was = step.was[`${index}.${at}`];
    line.append(fieldText(name, value, owner, was));
  });
  box.append(line);
  if (withBytes && layer.hex) box.append(make("code", { class: "hex" }, layer.hex));
  return box;
}

// The rules that matched, in order; the last one decided.
function rulesBox(rules) {
  const list = make("ol", {});
  for (const rule of rules) {
    const policy = rule.startsWith(":");
    list.append(make("li", {}, policy ? "policy of " : "", make("code", {}, policy ? rule.slice(1) : rule)));
  }
  const many = rules.length > 1 ? `Rules matched, in order (${rules.length}; the last decides):` : "Rule matched:";
  return make("div", { class: "rules" }, make("p", {}, many), list);
}

// A table: its head, and rows of which some are marked ("hit", "new", "gone"). A mark is never
// alone: the row says it in words, too.
function makeTable({ caption, head, rows, marks = [], code = 1 }) {
  const line = (cells, tag, scope) => cells.map((cell, at) => {
    const words = tag === "td" && at === code && cell ? make("code", {}, cell) : cell;
    return make(tag, scope ? { scope } : { "data-head": head[at] }, words);
  });
  const body = rows.map((cells, at) => make("tr", marks[at] ? { class: marks[at] } : {}, ...line(cells, "td")));
  return make("table", {}, make("caption", {}, caption),
    make("thead", {}, make("tr", {}, ...line(head, "th", "col"))), make("tbody", {}, ...body));
}

// Why?: the entry that decided, the chains around the rules, and the commands that show them.
function whyBox(why) {
  const parts = [];
  if (why.entry) parts.push(make("p", {}, "The entry that decided: ", make("code", {}, why.entry)));
  const commands = [...why.commands, ...new Set(why.chains.map((one) => one.command))];
  const list = make("ul", {}, ...commands.map((one) => make("li", {}, make("code", {}, one))));
  parts.push(make("p", {}, `See it yourself, on ${why.netns}:`), list);
  for (const chain of why.chains) {
    const marks = chain.rows.map((_, at) => (at === chain.hit ? "hit" : ""));
    parts.push(makeTable({ caption: chain.name, head: ["No.", "Rule", "What became of it"], rows: chain.rows, marks }));
  }
  return parts;
}

function fieldText(name, value, owner, was) {
  // A MAC address is told by its owner; the number stays within reach.
  const isMac = /^([0-9a-f]{2}:){5}/.test(value) && owner;
  const shown = isMac ? owner : owner ? `${value} (${owner})` : value;
  const field = make("span", { class: "f" }, make("em", {}, `${name} `), shown);
  if (isMac) field.title = value;
  if (was !== undefined) {
    field.classList.add("changed");
    field.append(isMac ? " (changed)" : ` (changed, was ${was})`);
  }
  return field;
}

function layerKind(layer, index, overlay) {
  if (layer.name === "payload") return "data";
  if (!overlay) return "plain";
  return index < overlay ? "outer" : "inner";
}

// How many layers an overlay put around the packet: all before the inner one's first header.
function overlayDepth(layers) {
  const ips = layers.flatMap((layer, at) => (layer.name === "IPv4" ? [at] : []));
  if (ips.length < 2) return 0;
  return layers[ips[1] - 1].name === "Ethernet" ? ips[1] - 1 : ips[1];
}

function render({ model, el }) {
  const data = model.get("data");
  const mark = newMark("p");
  let packet = data.start;
  let step = 0;
  let timer = null;
  let bytes = false;
  let waiting = null; // the packet and step that the reader left to watch a question

  const root = make("div", {
    class: "k8snet k8snet-player", tabindex: "0", role: "group",
    "aria-label": `Step player: ${data.title}`, "data-lm-suppress-shortcuts": "true",
  });

  // -- which packet ------------------------------------------------------------------------
  const select = make("select", { id: `${mark}-packet` });
  data.packets.forEach((one, at) => {
    const role = one.role ? ` (${one.role})` : "";
    select.append(make("option", { value: at }, `${at + 1}. ${one.title}${role}`));
  });
  const which = make("div", { class: "which" }, make("label", { for: select.id }, data.which ?? "Packet"), select);

  // -- the picture -------------------------------------------------------------------------
  const scene = parsePicture(data.scene, mark);
  const future = makeSvg("path", { class: "future" });
  const travelled = makeSvg("path", { class: "travelled" });
  const token = makeToken();
  scene.append(future, travelled, token);
  let others = []; // more packets at once: a flood, or one packet of every backend
  const anchors = new Map();
  for (const thing of scene.querySelectorAll("[data-anchor]")) anchors.set(thing.dataset.anchor, thing);
  const stage = make("div", { class: "stage", tabindex: "0", role: "group", "aria-label": data.picture }, scene);

  // -- buttons and slider --------------------------------------------------------------------
  const buttons = {};
  const row = make("div", { class: "buttons", role: "group", "aria-label": "Steps" });
  const names = { first: "First step", back: "Step back", play: "Play", forward: "Step forward", last: "Last step" };
  for (const [name, words] of Object.entries(names)) {
    buttons[name] = make("button", { type: "button", class: name, "aria-label": words, title: words }, icon(name));
    row.append(buttons[name]);
  }
  const slider = make("input", { type: "range", id: `${mark}-step`, min: "1", step: "1", value: "1" });
  const count = make("label", { for: slider.id });
  const controls = make("div", { class: "controls" }, which, row, make("div", { class: "slide" }, count, slider));

  // -- what happens here -----------------------------------------------------------------------
  const says = make("div", { "aria-live": "polite", "aria-atomic": "true" });
  const stack = make("div", { class: "stack" });
  const tick = make("input", { type: "checkbox" });
  const stackTitle = make("div", { class: "stacktitle" });
  const headers = make("div", { class: "card headers" }, stackTitle, stack,
    make("label", { class: "bytes" }, tick, "Show the bytes"));
  const see = make("button", { type: "button", class: "see" }, "Watch that question");
  const whyTitle = make("summary", {});
  const whyBody = make("div", { class: "because", tabindex: "0", role: "group", "aria-label": "Why" });
  const whyDetails = make("details", { class: "card whybox" }, whyTitle, whyBody);
  whyDetails.hidden = !data.packets.some((one) => one.steps.some((now) => now.why));
  const tables = make("div", { class: "card tables", tabindex: "0", role: "group", "aria-label": "Tables" });
  const panel = make("div", { class: "panel" }, make("div", { class: "card says" }, says), headers, tables, whyDetails);
  const outcome = data.foot ? make("span", {}, data.foot)
    : make("span", {}, "Outcome of the exchange: ", make("b", {}, data.outcome), `, ${data.reason}.`);
  const help = make("span", {}, "Keys: ← → one step, Home and End first and last, space play or pause.");
  const keys = make("p", { class: "keys" }, outcome, help);
  root.append(stage, controls, panel, keys);

  const steps = () => data.packets[packet].steps;

  function showPath() {
    const all = steps().map((one) => one.path);
    const begin = steps().findLastIndex((one, at) => at <= step && one.fresh);
    const end = steps().findIndex((one, at) => at > step && one.fresh);
    travelled.setAttribute("d", all.slice(Math.max(begin, 0), step + 1).join(""));
    future.setAttribute("d", all.slice(step + 1, end < 0 ? undefined : end).join(""));
    for (const thing of scene.querySelectorAll(".here")) thing.classList.remove("here");
    const now = steps()[step];
    for (const name of [now.anchor, ...(now.anchors ?? [])]) anchors.get(name)?.classList.add("here");
    for (const old of others) old.remove();
    others = (now.tokens ?? []).map(([x, y, verdict]) => {
      const other = makeToken();
      other.classList.toggle("bad", ["drop", "error"].includes(verdict));
      other.setAttribute("transform", `translate(${x} ${y})`);
      return other;
    });
    scene.append(...others, token);
    token.classList.toggle("bad", ["drop", "error"].includes(now.verdict));
    token.setAttribute("transform", `translate(${now.at[0]} ${now.at[1]})`);
    token.style.transform = `translate(${now.at[0]}px, ${now.at[1]}px)`;
  }

  // A second sheet behind an envelope: this packet carries another one.
  function showOuter() {
    const now = steps()[step];
    const looks = now.columns ? now.columns.map((one) => one.state) : [now.state];
    [token, ...others].forEach((one, at) => {
      const look = data.packets[packet].states[looks[at]];
      one.querySelector(".outer").style.display = look && overlayDepth(look.layers) ? "" : "none";
    });
  }

  // Asks for sizes, so it comes after all changes: the page is laid out once a step, not twice.
  function keepInSight() {
    const now = steps()[step];
    if (stage.scrollWidth > stage.clientWidth + 2) {
      const x = (now.at[0] / scene.viewBox.baseVal.width) * stage.scrollWidth;
      stage.scrollLeft = x - stage.clientWidth / 2;
    }
    if (stage.scrollHeight > stage.clientHeight + 2) {
      const y = (now.at[1] / scene.viewBox.baseVal.height) * stage.scrollHeight;
      stage.scrollTop = y - stage.clientHeight / 2;
    }
  }

  function showWords() {
    const now = steps()[step];
    const parts = [
      make("p", { class: "where" }, [`Step ${step + 1} of ${steps().length}`, now.netns, now.place].filter(Boolean).join(" · ")),
      make("p", { class: "box" }, make("b", {}, now.stage), data.stages[now.stage] ? `: ${data.stages[now.stage]}` : ""),
      make("p", { class: "why" }, now.reason),
    ];
    if (now.by) {
      const at = now.by.indexOf(": ");
      parts.push(make("p", { class: "by" }, `${now.by.slice(0, at)}: `, make("code", {}, now.by.slice(at + 2))));
    }
    if (now.rules.length) parts.push(rulesBox(now.rules));
    parts.push(make("span", { class: `verdict ${now.verdict}` }, make("i", { "aria-hidden": "true" }, now.sign), now.word));
    if (now.note) parts.push(make("p", { class: "note" }, now.note));
    if (now.change) parts.push(make("p", { class: "change" }, make("b", {}, "Changed: "), now.change, "."));
    put(says, ...parts);
    see.remove();
    if (now.see !== null || waiting !== null) {
      see.textContent = waiting === null ? "Watch that question" : "Back to the packet that waits";
      says.after(see);
    }
  }

  // Stays open from step to step, and stays where it is: to hide it and show it again costs more
  // than all the words of a step. It is no part of what is announced, and filled only when open.
  function showWhy() {
    const why = steps()[step].why;
    const titles = why ? (why.chains.length ? "Why? Show me the rules" : "Why? Show me the entry") : "Why? No entry decided";
    put(whyTitle, titles);
    whyTitle.classList.toggle("none", !why);
    if (!whyDetails.open) return;
    put(whyBody, ...(why ? whyBox(why) : [make("p", {}, "This step asked no table, route or rule.")]));
  }

  function showTables() {
    const found = steps()[step].tables ?? [];
    tables.hidden = !found.length;
    put(tables, ...found.map(makeTable));
  }

  function fill(into, look, now) {
    const overlay = overlayDepth(look.layers);
    const gone = now.removed.map((name) => make("span", { class: "gone" }, make("s", {}, name), " taken off"));
    let outer = null;
    let inner = null;
    look.layers.forEach((layer, index) => {
      const box = headerBox(layer, index, now, overlay, bytes);
      if (inner) inner.append(box);
      outer ??= box;
      inner = box;
    });
    put(into, ...gone, outer);
  }

  // One stack of headers to every packet of the step: mostly one, side by side where more.
  function column(one, states) {
    const into = make("div", { class: "stack" });
    const look = states[one.state];
    if (look) fill(into, look, one);
    const size = look ? `${look.bytes} bytes` : "";
    return make("div", { class: "column" },
      make("div", { class: "stacktitle" }, one.title, make("span", {}, size)), make("p", { class: "note" }, one.note), into);
  }

  function showHeaders() {
    const now = steps()[step];
    const { states } = data.packets[packet];
    headers.hidden = !now.columns && now.state === undefined;
    headers.classList.toggle("wide", Boolean(now.columns));
    says.parentElement.classList.toggle("wide", headers.hidden || Boolean(now.columns));
    if (headers.hidden) return;
    if (now.columns) {
      put(stackTitle, "The same packet, side by side");
      put(stack, ...now.columns.map((one) => column(one, states)));
      return;
    }
    const look = states[now.state];
    put(stackTitle, "The packet here", make("span", {}, `${look.bytes} bytes`));
    fill(stack, look, now);
  }

  function show() {
    const last = steps().length - 1;
    step = Math.min(Math.max(step, 0), last);
    select.value = String(packet);
    slider.max = String(last + 1);
    slider.value = String(step + 1);
    const now = steps()[step];
    slider.setAttribute("aria-valuetext", `${step + 1} of ${last + 1}: ${[now.netns, now.place].filter(Boolean).join(", ")}`);
    count.textContent = `Step ${step + 1} of ${last + 1}`;
    for (const name of ["first", "back"]) buttons[name].setAttribute("aria-disabled", String(step === 0));
    for (const name of ["forward", "last"]) buttons[name].setAttribute("aria-disabled", String(step === last));
    showPath();
    showOuter();
    showWords();
    showWhy();
    showTables();
    showHeaders();
    keepInSight();
  }

  function go(to) {
    step = to;
    show();
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    showPlaying();
  }

  function showPlaying() {
    const words = timer === null ? "Play" : "Pause";
    buttons.play.replaceChildren(icon(words.toLowerCase()));
    buttons.play.setAttribute("aria-label", words);
    buttons.play.title = words;
  }

  function playPause() {
    if (timer !== null) return stop();
    if (step === steps().length - 1) go(0);
    timer = setInterval(() => {
      go(step + 1);
      if (step === steps().length - 1) stop();
    }, SECONDS_PER_STEP * 1000);
    showPlaying();
  }

  const moves = {
    first: () => go(0), back: () => go(step - 1), forward: () => go(step + 1), last: () => go(steps().length - 1),
  };
  for (const [name, move] of Object.entries(moves)) buttons[name].addEventListener("click", () => { stop(); move(); });
  buttons.play.addEventListener("click", playPause);
  slider.addEventListener("input", () => { stop(); go(Number(slider.value) - 1); });
  select.addEventListener("change", () => { stop(); waiting = null; packet = Number(select.value); go(0); });
  whyDetails.addEventListener("toggle", showWhy);
  tick.addEventListener("change", () => { bytes = tick.checked; showHeaders(); });
  see.addEventListener("click", () => {
    stop();
    const goal = waiting ?? { packet: steps()[step].see, step: 0 };
    waiting = waiting === null ? { packet, step } : null;
    packet = goal.packet;
    go(goal.step);
    see.isConnected ? see.focus() : root.focus();
  });
  root.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    // The slider's keys too: inside JupyterLab 4.6 the browser's own handling does not reach it.
    const plain = event.target === slider || !["SELECT", "INPUT"].includes(event.target.tagName);
    const move = { ArrowLeft: moves.back, ArrowRight: moves.forward, Home: moves.first, End: moves.last }[event.key];
    if (move && plain) {
      stop();
      move();
    } else if (event.key === " " && plain && !["BUTTON", "SUMMARY"].includes(event.target.tagName)) {
      playPause();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });

  show();
  el.append(root);
  requestAnimationFrame(keepInSight);
  return () => clearInterval(timer);
}

export default { render };
