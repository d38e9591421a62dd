"""From a key to changed pixels: how long a learner waits for each widget, in a real JupyterLab.

    python benchmarks/bench_widgets.py [COUNT]

Each is driven COUNT times (default 40) with real keys and clicks in Debian's Chromium, without a
GPU. What is measured in the page goes from the event until the page is laid out with the change;
beside it, until that has been painted, at the end of its frame (a screen has one every 16.7 ms).
Printed in milliseconds: the median, and the 90th percentile; and the load: on a
busy machine the numbers say little.

Goals: a step at most 5 ms (it asks nobody), what asks Python at most 60 ms.

It needs an environment with JupyterLab, playwright and Chromium (`make browser` builds one).
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.browser.conftest import (
    ALL_RAN,
    CURRENT,
    FLAGS,
    Lab,
    write_notebook,
)

#: What is shown -> its cell. Every player is stepped with "why?" open, where there is one.
PLAYERS = {
    "player": "play(exchange)",
    "player: one kernel": "play(exchange, netns='node1')",
    "rule stepper": "step_rules(exchange.request, 'node1')",
    "bridge stepper": "step_bridge(exchange, 'node2')",
    "backends": "step_backends({n: c.connect('web2', 'backend', 8080) for n, c in all3.items()})",
    "MTU ruler": "step_mtu(all3)",
    "etcd timeline": "step_timeline(Cluster.example())",
    "race": "step_race(costs)",
}
CELLS = [
    "from k8snetlib import Cluster\n"
    "from k8snetlib.cost import curve\n"
    "from k8snetlib.course import predict\n"
    "from k8snetlib.views import *\n"
    "exchange = Cluster.example().connect('web2', 'backend-svc', port=80, endpoint='backend')\n"
    "all3 = {name: Cluster.example(name) for name in ('udp', 'vxlan', 'host-gw')}\n"
    "costs = [c for mode in ('iptables', 'nftables', 'ipvs') for c in curve(mode, (6, 96, 996))]",
    *PLAYERS.values(),
    "entry_matrix(Cluster.example('host-gw'), 'backend-svc', 'backend-local')",
    "prompt(Cluster.example(), 'node1')",
    "build(Cluster.example())",
    "predict('03-ttl')",
]
#: Begins with the event; an observer sees the change in the element that shows it. What is
#: asked for after a frame's callback comes when the frame has been painted.
WATCH = """([shown, kind]) => {
    window.unwatch?.();
    window.times = [];
    let start = null;
    const element = document.querySelector(shown);
    const begin = (event) => {
        const key = event.key ?? 'Enter';
        if (['Enter', 'ArrowRight', 'ArrowLeft'].includes(key)) start = performance.now();
    };
    const observer = new MutationObserver(() => {
        if (start === null) return;
        element.getBoundingClientRect();
        const began = start, changed = performance.now() - began, channel = new MessageChannel();
        start = null;
        channel.port1.onmessage = () => window.times.push([changed, performance.now() - began]);
        requestAnimationFrame(() => channel.port2.postMessage(null));
    });
    document.addEventListener(kind, begin, true);
    observer.observe(element, { childList: true, subtree: true, characterData: true });
    window.unwatch = () => {
        observer.disconnect();
        document.removeEventListener(kind, begin, true);
    };
}"""


@contextmanager
def notebook() -> Iterator[Any]:
    """A page with the widgets, all cells run."""
    import shutil

    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        lab = Lab(Path(home))
        try:
            lab.wait()
            write_notebook(lab.folder / "bench.ipynb", CELLS)
            chromium = shutil.which("chromium")
            browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.goto(f"{lab.base}/doc/tree/bench.ipynb?token={lab.token}&reset")
            idle = f"{CURRENT}?.sessionContext?.session?.kernel?.status === 'idle'"
            page.wait_for_function(idle, timeout=120_000)
            run = "window.jupyterapp.commands.execute('notebook:run-all-cells')"
            page.evaluate(f"() => {{ {run} }}")
            page.wait_for_timeout(500)
            page.wait_for_function(ALL_RAN, timeout=120_000)
            page.wait_for_selector(".k8snet-card button")
            yield page
            browser.close()
        finally:
            lab.stop()


def measured(
    page: Any, shown: str, count: int, once: Callable[[int], None], kind: str = "keydown"
) -> list[list[float]]:
    """Does ``once`` so many times, each after the one before was painted; ``kind`` of event is what
    it begins with."""
    page.evaluate(WATCH, [shown, kind])
    for at in range(count):
        once(at)
        page.wait_for_function(f"window.times.length > {at}", timeout=30_000)
    times: list[list[float]] = page.evaluate("window.times")
    return times


def step(page: Any, count: int, at: int) -> list[list[float]]:
    """A player of the page: two steps on, one back."""
    player = page.locator(".k8snet-player").nth(at)
    player.evaluate("(player, at) => { player.id = `bench${at}` }", at)
    player.locator("details.whybox").evaluate("details => { details.open = true }")
    player.focus()
    player.press("Home")
    keys = ("ArrowRight", "ArrowRight", "ArrowLeft")
    limit = int(player.locator("input[type=range]").get_attribute("max")) - 2

    def once(n: int) -> None:
        # At the end there is no step, so a short one goes to and fro.
        page.keyboard.press(keys[n % 3] if limit > count // 3 else keys[1 + n % 2])

    return measured(page, f"#bench{at} .says", count, once)


def choice(page: Any, count: int) -> list[list[float]]:
    """The matrix: another cell."""
    cells = page.locator(".k8snet-table [role=gridcell]")
    cells.first.focus()
    return measured(
        page, ".k8snet-table .says", count,
        lambda at: page.keyboard.press(("ArrowRight", "ArrowLeft")[at % 2]),
    )  # fmt: skip


def prediction(page: Any, count: int) -> list[list[float]]:
    """A card: another choice."""
    buttons = page.locator(".k8snet-card button")
    # The element that says it is made anew; what is around it stays.
    return measured(
        page, ".k8snet-card", count, lambda at: buttons.nth(at % 3).click(), kind="click"
    )


def command(page: Any, count: int, line: str) -> list[list[float]]:
    """The prompt: Enter at the end of a command."""
    box = page.locator(".k8snet-prompt .line textarea")

    def once(_: int) -> None:
        box.fill(line)
        box.press("Enter")

    return measured(page, ".k8snet-prompt .log", count, once)


def refusal(page: Any, count: int) -> list[list[float]]:
    """The builder: Enter in the form, with a name that is taken."""
    builder = page.locator(".k8snet-builder")
    builder.get_by_label("Name", exact=True).fill("web1")
    name = builder.get_by_label("Name", exact=True)
    return measured(page, ".k8snet-builder .status", count, lambda _: name.press("Enter"))


def pod(page: Any, count: int) -> list[list[float]]:
    """The builder: a pod more, plugged in and drawn; taken away between two."""
    builder = page.locator(".k8snet-builder")
    name = builder.get_by_label("Name", exact=True)

    def once(at: int) -> None:
        if at:
            builder.get_by_role("button", name=f"Remove pod/p{at - 1}").click()
            builder.get_by_text(f'pod "p{at - 1}" deleted.').wait_for()
        name.fill(f"p{at}")
        name.press("Enter")

    return measured(page, ".k8snet-builder .status", count, once)


def node(page: Any, count: int) -> list[list[float]]:
    """The builder: a node more, the cluster built anew; the cluster put back between two."""
    builder = page.locator(".k8snet-builder")
    builder.get_by_label("New").select_option("node")
    name = builder.get_by_label("Name", exact=True)

    def once(at: int) -> None:
        if at:
            builder.get_by_role("button", name="Reset the cluster").click()
            builder.get_by_text("The cluster was put back to how it was.").wait_for()
        name.press("Enter")

    return measured(page, ".k8snet-builder .status", count, once)


def say(what: str, times: list[list[float]]) -> None:
    """Prints a line of the table: what was measured, and both its columns."""
    changed, painted = (sorted(column) for column in zip(*times, strict=True))
    cells = [
        f"{statistics.median(column):7.1f} {column[int(len(column) * 0.9)]:7.1f}"
        for column in (changed, painted)
    ]
    print(f"{what:<38} {cells[0]}   {cells[1]} {os.getloadavg()[0]:9.1f}", flush=True)


def main() -> None:
    """Measures all and prints a table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    print(f"{'ms; ' + str(count) + ' times each':<38} until laid out    until painted      load")
    print(f"{'':<38}  median     p90    median     p90")
    with notebook() as page:
        for at, name in enumerate(PLAYERS):
            say(f"{name}: a step", step(page, count, at))
        say("matrix: another cell", choice(page, count))
        say("prompt: hostname", command(page, count, "hostname"))
        page.get_by_role("button", name="Clear the log").click()
        say("prompt: iptables-save (long)", command(page, count, "iptables-save"))
        page.get_by_role("button", name="Clear the log").click()
        say("prompt: ping another node's pod", command(page, count, "ping -c 1 10.1.20.3"))
        say("builder: a refusal", refusal(page, count))
        say("builder: a pod more", pod(page, count))
        say("builder: a node more", node(page, count))
        say("prediction card: a choice", prediction(page, count))


if __name__ == "__main__":
    main()
