// What the browser sides of all controls share. It stands before each of them in one script, as
// there is nothing to fetch modules from.

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// A mark for ids that no other control of the page has. A widget's script is loaded anew for each
// widget, so a count of the script's own would begin at 1 each time.
function newMark(kind) {
  globalThis.k8snetMarks = (globalThis.k8snetMarks ?? 0) + 1;
  return `${kind}${globalThis.k8snetMarks}`;
}

// Makes an element's children say what the new ones say, and leaves alone what says it already: to
// style and lay out new elements is most of what a step costs, and from step to step little changes.
function put(element, ...children) {
  const old = [...element.childNodes];
  children.forEach((child, at) => {
    const was = old[at];
    const now = typeof child === "string" ? document.createTextNode(child) : child;
    if (!was) element.append(now);
    else if (was.nodeName !== now.nodeName) was.replaceWith(now);
    else if (!(now instanceof Element)) {
      if (was.data !== now.data) was.data = now.data;
    } else if (!was.isEqualNode(now)) {
      for (const name of was.getAttributeNames()) if (!now.hasAttribute(name)) was.removeAttribute(name);
      for (const { name, value } of now.attributes) if (was.getAttribute(name) !== value) was.setAttribute(name, value);
      put(was, ...now.childNodes);
    }
  });
  for (const extra of old.slice(children.length)) extra.remove();
}

// A picture comes as text with ids; two controls on a page must not share them.
function parsePicture(text, mark) {
  const holder = make("div");
  holder.innerHTML = text;
  const svg = holder.querySelector("svg");
  for (const element of svg.querySelectorAll("[id]")) element.id = `${element.id}-${mark}`;
  const labels = (svg.getAttribute("aria-labelledby") ?? "").split(" ").filter(Boolean);
  svg.setAttribute("aria-labelledby", labels.map((id) => `${id}-${mark}`).join(" "));
  return svg;
}

// A key in a control is no shortcut of JupyterLab (b: a new cell). It asks the focused element itself.
function keepKeys(root, selector) {
  for (const element of root.querySelectorAll(selector)) element.setAttribute("data-lm-suppress-shortcuts", "true");
}

// What a control that asks Python does once, however often it is shown: takes in what is new
// (news() in live.py says in which form).
function initialize({ model }) {
  model.on("msg:custom", (news) => {
    const data = { ...model.get("data") };
    for (const [key, value] of Object.entries(news)) {
      data[key] = value?.more ? data[key].slice(value.gone).concat(value.more) : value;
    }
    model.set("data", data);
  });
}

// How a control asks Python: send(), and free() once everything that it sent is answered.
//
// Jupyter's server leaves Nagle's algorithm on: of Python's two messages (that it is busy; the
// answer) the second waits until the browser's kernel acknowledges the first, and that takes its
// time, 40 ms on Linux. Whatever we send takes the acknowledgement along. So as soon as the first is
// there we send a nudge, for which Python does nothing.
function asker(model, status) {
  const kernel = model.widget_manager?.kernel;
  const answers = () => model.get("data").answer.n;
  let waiting = 0;
  let late = null;
  let nudged = true;

  function nudge() {
    if (nudged) return;
    nudged = true;
    model.send({ do: "nothing" });
  }
  kernel?.iopubMessage?.connect(nudge);

  return {
    free: () => answers() >= waiting,
    send(message) {
      waiting = Math.max(waiting, answers()) + 1;
      clearTimeout(late);
      late = setTimeout(() => { status.textContent = "Waiting for Python: is the kernel busy, or was it restarted?"; }, 1500);
      model.send(message);
      nudged = false;
    },
    answered() {
      if (answers() >= waiting) clearTimeout(late);
      nudged = true;
    },
    close() {
      clearTimeout(late);
      kernel?.iopubMessage?.disconnect(nudge);
    },
  };
}

