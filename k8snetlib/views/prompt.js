// The prompt's browser side. It decides nothing: what to show is Prompt.data in prompt.py, whose
// docstring describes it, and the answer to what was asked last (live_widget.py). All text goes in as text nodes, so nothing that a tool prints is HTML.

function entryBox(entry, cut) {
  const typed = make("div", { class: "typed" }, make("b", {}, `${entry.machine}$ `), make("code", {}, entry.command));
  const box = make("div", { class: entry.refused ? "entry refused" : "entry", "data-n": String(entry.n) });
  if (entry.fresh) box.append(make("p", { class: "note" }, "The cluster was put back to how it was."));
  box.append(typed);
  if (entry.output) {
    const sign = entry.refused ? [make("span", { class: "sign" }, "✗ refused: ")] : [];
    box.append(make("pre", {}, ...sign, entry.output));
  }
  if (cut) box.append(make("p", { class: "note" }, "… the rest is in log[-1].output."));
  if (entry.hint) box.append(make("p", { class: "hint" }, entry.hint));
  return box;
}

async function copy(area, status, what) {
  area.focus();
  area.select();
  try {
    await navigator.clipboard.writeText(area.value);
    status.textContent = `Copied: ${what}.`;
  } catch {
    status.textContent = "The browser does not let us copy. The text is selected: press Ctrl+C.";
  }
}

function render({ model, el }) {
  const mark = newMark("k8snet-prompt-");
  let at = null;     // place in the history while the arrow keys walk through it
  let draft = "";    // what was being typed before that
  let offered = null; // the machines in the list
  let seen = model.get("data").answer.n;

  const select = make("select", { id: `${mark}-machine` });
  const clear = make("button", { type: "button" }, "Clear the log");
  const reset = make("button", { type: "button", title: "Undo everything since this prompt was made" }, "Reset the cluster");
  const bar = make("div", { class: "bar" }, make("label", { for: select.id }, "Machine"), select, clear, reset);
  const earlier = make("p", { class: "note" });
  const list = make("div", {});
  const after = make("p", { class: "note" });
  const log = make("div", { class: "log", role: "log", "aria-live": "polite", "aria-label": "Commands and what they print", tabindex: "0" }, earlier, list, after);
  const sign = make("label", { for: `${mark}-command` });
  const input = make("textarea", { id: `${mark}-command`, rows: "1", spellcheck: "false", autocomplete: "off", autocapitalize: "off", autocorrect: "off", "aria-describedby": `${mark}-keys` });
  const run = make("button", { type: "button", class: "go" }, "Run");
  const line = make("div", { class: "line" }, sign, input, run);
  const status = make("p", { class: "status", role: "status" });
  const area = make("textarea", { readonly: "", rows: "5", "aria-label": "The log as a script" });
  const shell = make("button", { type: "button" }, "Copy as shell lines");
  const values = make("button", { type: "button" }, "Copy as a Python list");
  const script = make("details", {}, make("summary", {}, "The log as a script"), area, make("div", { class: "bar" }, shell, values));
  const keys = make("p", { class: "keys", id: `${mark}-keys` },
    "Enter runs the command, Shift+Enter begins a new line, ↑ and ↓ bring back earlier commands, Ctrl+L clears the log.");
  const root = make("div", { class: "k8snet k8snet-live k8snet-prompt", role: "group", "aria-label": "Prompt" },
    bar, log, line, status, keys, script);

  const asks = asker(model, status);

  function showMachines(data) {
    const now = select.value || data.machine;
    const known = data.machines.flatMap(([, names]) => names);
    if (offered !== data.machines) select.replaceChildren(...data.machines.map(([group, names]) =>
      make("optgroup", { label: group }, ...names.map((name) => make("option", { value: name }, name)))));
    offered = data.machines;
    select.value = known.includes(now) ? now : data.machine;
    sign.textContent = `${select.value}$`;
    input.setAttribute("aria-label", `${select.value}$ command`);
  }

  function showLog(data) {
    const there = new Map([...list.children].map((box) => [box.dataset.n, box]));
    const last = data.entries.length - 1;
    const shown = new Set(data.entries.map((entry) => String(entry.n)));
    for (const [n, box] of there) if (!shown.has(n)) box.remove();
    data.entries.forEach((entry, index) => {
      if (!there.has(String(entry.n))) list.append(entryBox(entry, data.cut && index === last));
    });
    earlier.textContent = data.earlier ? `${data.earlier} earlier commands are in the prompt's log.` : "";
    after.textContent = data.restored ? "The cluster was put back to how it was." : "";
    log.classList.toggle("empty", !data.entries.length && !data.restored);
    log.scrollTop = log.scrollHeight;
  }

  function show() {
    const data = model.get("data");
    showMachines(data);
    showLog(data);
    area.value = data.script.join("\n");
    if (data.answer.n === seen) return;
    seen = data.answer.n;
    asks.answered();
    status.textContent = data.answer.says;
  }

  function grow() {
    input.rows = Math.min(12, input.value.split("\n").length);
  }

  function put(text) {
    input.value = text;
    grow();
    input.setSelectionRange(text.length, text.length);
  }

  function submit() {
    const command = input.value.trim();
    if (!command || !asks.free()) return;
    asks.send({ do: "run", machine: select.value, command });
    at = null;
    put("");
  }

  function walk(step) {
    const history = model.get("data").history;
    if (at === null) {
      if (step > 0 || !history.length) return;
      draft = input.value;
      at = history.length;
    }
    at = Math.max(0, at + step);
    if (at >= history.length) {
      at = null;
      put(draft);
    } else put(history[at]);
  }

  input.addEventListener("input", () => { at = null; grow(); });
  input.addEventListener("keydown", (event) => {
    const before = input.value.slice(0, input.selectionStart);
    const behind = input.value.slice(input.selectionEnd);
    if (event.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey) submit();
    else if (event.key === "Enter") {
      // Inside JupyterLab 4.6 the browser's own new line does not come.
      input.setRangeText("\n", input.selectionStart, input.selectionEnd, "end");
      grow();
    } else if (event.key === "ArrowUp" && !before.includes("\n")) walk(-1);
    else if (event.key === "ArrowDown" && !behind.includes("\n")) walk(1);
    else if (event.key === "l" && event.ctrlKey) asks.send({ do: "clear" });
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  select.addEventListener("change", () => {
    showMachines(model.get("data"));
    status.textContent = "";
  });
  run.addEventListener("click", () => { submit(); input.focus(); });
  clear.addEventListener("click", () => asks.send({ do: "clear" }));
  reset.addEventListener("click", () => asks.send({ do: "reset" }));
  shell.addEventListener("click", () => { area.value = model.get("data").script.join("\n"); copy(area, status, "the script as shell lines"); });
  values.addEventListener("click", () => { area.value = `[\n${model.get("data").values.join("")}]`; copy(area, status, "the script as a Python list"); });
  model.on("change:data", show);
  keepKeys(root, "button, select, textarea, summary, .log");

  show();
  el.append(root);
  requestAnimationFrame(() => { log.scrollTop = log.scrollHeight; });
  return () => {
    asks.close();
    model.off("change:data", show);
  };
}

export default { initialize, render };
