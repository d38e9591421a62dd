// The cluster builder's browser side. It decides nothing: what to show is Builder.data in build.py,
// whose docstring describes it, and every wish goes to Python as it was written.

let builders = 0;

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// The picture comes as text with ids; two builders on a page must not share them.
function parsePicture(text, mark) {
  const holder = make("div");
  holder.innerHTML = text;
  const svg = holder.querySelector("svg");
  for (const element of svg.querySelectorAll("[id]")) element.id = `${element.id}-${mark}`;
  const labels = (svg.getAttribute("aria-labelledby") ?? "").split(" ").filter(Boolean);
  svg.setAttribute("aria-labelledby", labels.map((id) => `${id}-${mark}`).join(" "));
  return svg;
}

const FIELDS = {
  node: [["name", "Name", "the next one"]],
  pod: [["name", "Name", ""], ["port", "Port", "80"], ["node", "Node", null], ["labels", "Labels", "app=NAME"]],
  service: [["name", "Name", ""], ["selector", "Selector", "app=web"], ["port", "Port", "80"],
    ["target_port", "Target port", "the same"], ["type", "Type", null]],
};
const KINDS = { node: "Node", pod: "Pod", service: "Service" };

function render({ model, el }) {
  const mark = `k8snet-builder-${++builders}`;
  const inputs = {};
  let kind = "pod";
  let waiting = 0;
  let late = null;

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
  const add = make("button", { type: "button", class: "add" }, "Add");
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
  const root = make("div", { class: "k8snet k8snet-builder", role: "group", "aria-label": "Cluster builder" },
    make("div", { class: "parts" }, form, status, picture, objects));

  function send(message) {
    if (model.get("answer").n < waiting) return;
    waiting = model.get("answer").n + 1;
    clearTimeout(late);
    late = setTimeout(() => { status.textContent = "Waiting for Python: is the kernel busy, or was it restarted?"; }, 1500);
    model.send(message);
  }

  function options(select, pairs) {
    const old = select.value;
    select.replaceChildren(...pairs.map(([value, title]) => make("option", { value }, title)));
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
    keepKeys();
  }

  // A key here is no shortcut of JupyterLab (b: a new cell). It asks the focused element itself.
  function keepKeys() {
    for (const element of root.querySelectorAll("button, select, input, pre, .picture")) element.setAttribute("data-lm-suppress-shortcuts", "true");
  }

  function showObject() {
    const found = model.get("data").objects.find(([key]) => key === select.value);
    yaml.textContent = found ? found[1] : "";
    yaml.setAttribute("aria-label", `${select.value} as YAML`);
    remove.setAttribute("aria-label", `Remove ${select.value}`);
  }

  function show() {
    const data = model.get("data");
    picture.replaceChildren(parsePicture(data.picture, mark));
    options(select, data.objects.map(([key]) => [key, key]));
    fill();
    showObject();
  }

  function answer() {
    const { n, says, refused, made } = model.get("answer");
    clearTimeout(late);
    show(); // The two values come together, in any order.
    status.classList.toggle("refused", refused);
    status.replaceChildren(...(refused ? [make("span", { "aria-hidden": "true" }, "✗ ")] : []), says);
    // Of several new objects (a Service and its slice) the one of this kind was asked for.
    const own = made?.find((key) => key.startsWith(`${kind}/`));
    if (own) {
      select.value = own;
      showObject();
    }
    if (n === waiting && !refused && own) inputs.name.value = "";
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
  model.on("change:answer", answer);

  what.value = kind;
  choose();
  show();
  el.append(root);
  return () => {
    clearTimeout(late);
    model.off("change:data", show);
    model.off("change:answer", answer);
  };
}

export default { render };
