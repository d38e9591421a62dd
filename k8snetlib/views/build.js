// The cluster builder's browser side. It decides nothing: what to show is Builder.data in build.py,
// whose docstring describes it, and the answer to the last wish (live_widget.py); every wish goes to Python as it was written.

const FIELDS = {
  node: [["name", "Name", "the next one"]],
  pod: [["name", "Name", ""], ["port", "Port", "80"], ["node", "Node", null], ["labels", "Labels", "app=NAME"]],
  service: [["name", "Name", ""], ["selector", "Selector", "app=web"], ["port", "Port", "80"],
    ["target_port", "Target port", "the same"], ["type", "Type", null]],
};
const KINDS = { node: "Node", pod: "Pod", service: "Service" };

function render({ model, el }) {
  const mark = newMark("k8snet-builder-");
  const inputs = {};
  let kind = "pod";
  let drawn = "";
  let asked = 0; // the number of the answer to what was asked here
  let seen = model.get("data").answer.n;

  function field([name, title, hint]) {
    const id = `${mark}-${kind}-${name}`;
    const input = hint === null ? make("select", { id })
      : make("input", { id, type: "text", placeholder: hint, spellcheck: "false", autocomplete: "off", autocapitalize: "off" });
    if (name.endsWith("port")) input.inputMode = "numeric";
    inputs[name] = input;
    return make("span", { class: "field" }, make("label", { for: id }, title), input);
  }

  const what = make("select", { id: `${mark}-kind` }, ...Object.entries(KINDS).map(([value, title]) => make("option", { value }, title)));
  const fields = make("div", { class: "fields" });
  const add = make("button", { type: "button", class: "go" }, "Add");
  const form = make("div", { class: "bar", role: "group", "aria-label": "Add to the cluster" },
    make("span", { class: "field" }, make("label", { for: what.id }, "New"), what), fields, add);
  const status = make("p", { class: "status", role: "status" });
  const picture = make("div", { class: "picture", tabindex: "0", role: "group", "aria-label": "Picture of the cluster" });
  const select = make("select", { id: `${mark}-object` });
  const remove = make("button", { type: "button" }, "Remove it");
  const reset = make("button", { type: "button", title: "Undo everything since this builder was made" }, "Reset the cluster");
  const yaml = make("pre", { tabindex: "0", role: "group" });
  const objects = make("div", { class: "objects" },
    make("div", { class: "bar" }, make("label", { for: select.id }, "Object"), select, remove, reset), yaml);
  const root = make("div", { class: "k8snet k8snet-live k8snet-builder", role: "group", "aria-label": "Cluster builder" },
    form, status, picture, objects);

  const asks = asker(model, status);

  function send(message) {
    if (!asks.free()) return;
    asked = model.get("data").answer.n + 1;
    asks.send(message);
  }

  function options(select, pairs) {
    const old = select.value;
    put(select, ...pairs.map(([value, title]) => make("option", { value }, title)));
    if (pairs.some(([value]) => value === old)) select.value = old;
  }

  function fill() {
    const data = model.get("data");
    if (inputs.node) options(inputs.node, [["", "any"], ...data.nodes.map((name) => [name, name])]);
    if (inputs.type) options(inputs.type, data.types.map((name) => [name, name]));
  }

  function choose() {
    kind = what.value;
    for (const name of Object.keys(inputs)) delete inputs[name];
    fields.replaceChildren(...FIELDS[kind].map(field));
    if (inputs.port) inputs.port.value = "80";
    add.textContent = `Add the ${KINDS[kind]}`;
    fill();
    keepKeys(root, "button, select, input, pre, .picture");
  }

  function showObject() {
    const found = model.get("data").objects.find(([key]) => key === select.value);
    yaml.textContent = found ? found[1] : "";
    yaml.setAttribute("aria-label", `${select.value} as YAML`);
    remove.setAttribute("aria-label", `Remove ${select.value}`);
  }

  function show() {
    const data = model.get("data");
    if (drawn !== data.picture) put(picture, parsePicture(data.picture, mark));
    drawn = data.picture;
    options(select, data.objects.map(([key]) => [key, key]));
    fill();
    showObject();
    if (data.answer.n !== seen) answer(data.answer);
  }

  function answer({ n, says, refused, made }) {
    seen = n;
    asks.answered();
    status.classList.toggle("refused", refused);
    status.replaceChildren(...(refused ? [make("span", { "aria-hidden": "true" }, "✗ ")] : []), says);
    // Of several new objects (a Service and its slice) the one of this kind was asked for.
    const own = made?.find((key) => key.startsWith(`${kind}/`));
    if (own) {
      select.value = own;
      showObject();
    }
    if (n === asked && own) inputs.name.value = "";
  }

  function wish() {
    const values = Object.entries(inputs).map(([name, input]) => [name, input.value]);
    send({ do: kind, ...Object.fromEntries(values) });
  }

  add.addEventListener("click", wish);
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.target.tagName !== "INPUT" || event.isComposing) return;
    event.preventDefault();
    wish();
  });
  what.addEventListener("change", choose);
  select.addEventListener("change", showObject);
  remove.addEventListener("click", () => send({ do: "remove", what: select.value }));
  reset.addEventListener("click", () => send({ do: "reset" }));
  model.on("change:data", show);

  what.value = kind;
  choose();
  show();
  el.append(root);
  return () => {
    asks.close();
    model.off("change:data", show);
  };
}

export default { initialize, render };
