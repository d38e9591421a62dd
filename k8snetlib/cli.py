"""What lives here: the ``k8snet`` command.

Each subcommand reads its words, asks the library, prints. Exit status: 0 delivered, 1 not
delivered, 2 wrong usage or bad input, with one line on standard error.

What may not live here: anything a lesson could want to call; that belongs into ``cluster``.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

import k8snetlib
from k8snetlib.address import parse_ip
from k8snetlib.cli_grade import grade
from k8snetlib.cli_story import print_story, write_pictures
from k8snetlib.cluster import Cluster
from k8snetlib.errors import BadAddress, BadPacket, K8sNetError, UnknownName, nearest
from k8snetlib.kube.api import BACKENDS, PROXY_MODES, ClusterSpec, example_spec

PROTOCOLS = ("tcp", "udp", "icmp")
FIRST_LESSON = "notebooks/00_start_here.ipynb"
COURSE_COPY = "k8snet-course"


class OneLineErrors(click.Group):
    """A group whose errors are one line each, and whose commands return their exit status."""

    def main(self, *args: Any, **options: Any) -> Any:
        """As ``click.Group.main``, but with this command's exit statuses."""
        options["standalone_mode"] = False
        try:
            status = super().main(*args, **options)
        except click.exceptions.Abort:
            _complain("interrupted")
            sys.exit(130)
        except click.UsageError as error:
            path = error.ctx.command_path if error.ctx else "k8snet"
            _complain(f"{error.format_message()} See '{path} --help'.")
            sys.exit(2)
        except click.ClickException as error:
            _complain(error.format_message())
            sys.exit(2)
        except K8sNetError as error:
            _complain(str(error))
            sys.exit(2)
        sys.exit(status if isinstance(status, int) else 0)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, with the nearest command for an unknown one."""
        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            names = self.list_commands(ctx)
            near = nearest(args[0], names) or names
            ctx.fail(f"There is no command '{args[0]}'. Did you mean {' or '.join(near)}?")
        return super().resolve_command(ctx, args)


def _complain(message: str) -> None:
    click.echo(f"k8snet: {' '.join(message.split())}", err=True)


@click.group(
    cls=OneLineErrors,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(k8snetlib.__version__, prog_name="k8snet")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Follow packets through a Kubernetes cluster, and hear why each step happens.

    \b
    k8snet trace web2 10.1.20.3:8080            the walk of a TCP connection
    k8snet sh node1 "ip route"                  what a node's own tools say
    k8snet example --out cluster                the example cluster as manifests
    k8snet lab                                  the course, in JupyterLab
    """
    for stream in (sys.stdout, sys.stderr):
        # An arrow that the terminal cannot show must not end the program.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


_manifests = click.option(
    "--manifests", multiple=True, metavar="PATH",
    help="A manifest, or a folder of them; may be repeated. Without: the example cluster.",
)  # fmt: skip
_backend = click.option("--backend", type=click.Choice(BACKENDS), help="flannel's backend.")
_proxy_mode = click.option(
    "--proxy-mode", type=click.Choice(PROXY_MODES), help="kube-proxy's mode."
)
_dump = click.option(
    "--dump", "dumps", multiple=True, metavar="NAME=DIR",
    help="A real machine's dumps, instead of manifests; may be repeated. See docs/importing.md.",
)  # fmt: skip


def _cluster(
    manifests: Iterable[str], backend: str | None, proxy_mode: str | None, dumps: Iterable[str]
) -> Cluster:
    """The cluster that the options name: of manifests, or of real machines' dumps."""
    machines = {}
    for text in dumps:
        name, equals, folder = text.partition("=")
        if not (name and equals and folder):
            raise click.UsageError(f"'{text}' is no dump: write --dump NAME=DIR.")
        machines[name] = folder
    if not machines:
        return Cluster(_spec(manifests, backend, proxy_mode))
    if list(manifests) or backend or proxy_mode:
        raise click.UsageError("--dump excludes --manifests, --backend and --proxy-mode.")
    with _warnings_as_lines():
        return Cluster.from_dumps(machines)


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    """What the library warns of becomes one line each on standard error."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        _complain(str(warning.message))


def _spec(manifests: Iterable[str], backend: str | None, proxy_mode: str | None) -> ClusterSpec:
    paths = list(manifests)
    if paths:
        from k8snetlib.kube.manifests import read_manifests

        with _warnings_as_lines():
            spec = read_manifests(*paths)
    else:
        spec = example_spec()
    network = spec.network
    network = network._replace(
        backend=backend or network.backend, proxy_mode=proxy_mode or network.proxy_mode
    )
    return spec._replace(network=network)


# -- example --------------------------------------------------------------------------------------


@main.command()
@click.option("--out", required=True, metavar="DIR", help="The folder to write into.")
@click.option("--force", is_flag=True, help="Write even if the folder is not empty.")
@_backend
@_proxy_mode
def example(out: str, force: bool, backend: str | None, proxy_mode: str | None) -> None:
    """Write the example cluster as manifests.

    Nodes, pods, Services and EndpointSlices as Kubernetes has them, and a network.yaml for what
    Kubernetes has no object for. docs/manifests.md describes the files.

    \b
    k8snet example --out cluster
    k8snet trace web2 10.1.20.3:8080 --manifests cluster
    """
    from k8snetlib.kube.manifests import write_manifests

    folder = Path(out)
    try:
        occupied = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    except OSError as error:
        raise K8sNetError(f"Cannot read {out}: {error.strerror}.") from None
    if occupied and not force:
        what = "is not empty" if folder.is_dir() else "is not a folder"
        raise K8sNetError(f"{out} {what}.", "Name another folder, or add --force.")
    for path in write_manifests(_spec((), backend, proxy_mode), folder):
        click.echo(path)


# -- trace ----------------------------------------------------------------------------------------


@main.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO[:PORT]")
@click.option("--proto", type=click.Choice(PROTOCOLS), default="tcp", show_default=True)
@_manifests
@_dump
@_backend
@_proxy_mode
@click.option("--sport", type=int, metavar="N", help="Source port (icmp: identifier).")
@click.option("--endpoint", metavar="POD", help="The endpoint that a Service is to choose.")
@click.option("--ttl", type=int, metavar="N", help="The first TTL, 1 to 255.")
@click.option("--payload", type=int, metavar="BYTES", help="How many bytes to send.")
@click.option("--df/--no-df", default=None, help="Set the don't-fragment bit, or not.")
@click.option("--frames", is_flag=True, help="Print capture lines and nothing else.")
@click.option(
    "--rules",
    is_flag=True,
    help="Tell every firewall rule that was met, not only the one that decided.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--pcap", metavar="FILE", help="Write a pcapng file for Wireshark as well.")
@click.option("--html", metavar="FILE", help="Write a page with the step player as well.")
@click.option("--svg", metavar="FILE", help="Write a picture of the walk as well.")
@click.option("--png", metavar="FILE", help="The same picture as PNG (needs k8snetlib[png]).")
def trace(
    source: str, target: str, proto: str, manifests: tuple[str, ...], dumps: tuple[str, ...],
    backend: str | None,
    proxy_mode: str | None, frames: bool, rules: bool, as_json: bool, pcap: str | None,
    html: str | None, svg: str | None, png: str | None, **pinned: Any,
) -> int:  # fmt: skip
    """Send something, and tell the whole walk.

    FROM is a pod, a node or a host; TO a name or an address, with a port for tcp and udp. The exit
    status is 0 if the answer came back, 1 if it did not.

    \b
    k8snet trace web2 10.1.20.3:8080
    k8snet trace web2 backend:53 --proto udp --payload 512
    k8snet trace web2 backend --proto icmp --ttl 2
    k8snet trace web2 backend:8080 --frames | grep flannel0
    k8snet trace web2 backend:8080 --pcap walk.pcapng --html walk.html
    """
    if sum((frames, as_json, rules)) > 1:
        raise click.UsageError("--frames, --json and --rules exclude each other.")
    cluster = _cluster(manifests, backend, proxy_mode, dumps)
    name, port = _target(cluster.spec, target, proto)
    options = {key: value for key, value in pinned.items() if value is not None}
    if proto == "tcp":
        assert port is not None
        exchange = cluster.connect(source, name, port, **options)
    else:
        exchange = cluster.send(source, name, port, proto=proto, **options)
    if pcap is not None:
        count = exchange.to_pcap(pcap)
        click.echo(f"{count} packets written to {pcap}", err=True)
    write_pictures(exchange, html, svg, png)
    if frames:
        for frame in exchange.capture():
            click.echo(frame)
    elif as_json:
        click.echo(exchange.to_json())
    else:
        print_story(exchange, rules)
    return 0 if exchange.ok else 1


@main.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO[:PORT]")
@click.option("--proto", type=click.Choice(PROTOCOLS), default="tcp", show_default=True)
@_manifests
@_dump
@_backend
@_proxy_mode
def outcomes(
    source: str, target: str, proto: str, manifests: tuple[str, ...], dumps: tuple[str, ...],
    backend: str | None, proxy_mode: str | None,
) -> int:  # fmt: skip
    """Tell all that can become of a packet, with exact probabilities.

    One line a fate, the likeliest first. The exit status is 0 if every fate is delivered, else 1.

    \b
    k8snet outcomes web2 backend-svc:80
    """
    cluster = _cluster(manifests, backend, proxy_mode, dumps)
    name, port = _target(cluster.spec, target, proto)
    fates = cluster.outcomes(source, name, port, proto=proto)
    for fate in fates:
        click.echo(fate)
    return 0 if all(fate.exchange.ok for fate in fates) else 1


def _target(spec: ClusterSpec, text: str, proto: str) -> tuple[str, int | None]:
    """``backend:8080``, ``10.1.20.3:8080``, ``svc/backend-svc:http``: the name and the port."""
    name, colon, port = text.rpartition(":")
    if not colon:
        name, port = text, ""
    if not name:
        raise BadAddress(f"'{text}' has no host before the colon.", "Write HOST:PORT.")
    if re.fullmatch(r"[\d.]+", name):
        parse_ip(name)  # a wrong address is not an unknown name
    if proto == "icmp":
        if colon:
            raise BadPacket(f"ICMP has no ports, but '{text}' names one.", f"Write {name}.")
        return name, None
    if not port:
        raise BadPacket(
            f"{proto} needs a destination port.", f"Write {name}:PORT, or --proto icmp."
        )
    if port.isascii() and port.isdigit():
        return name, int(port)
    return name, _named_port(spec, name, port)


def _named_port(spec: ClusterSpec, name: str, port: str) -> int:
    plain = name.removeprefix("svc/").removeprefix("service/")
    for service in spec.services:
        if plain in (service.name, f"{service.namespace}/{service.name}"):
            ports = {p.name: p.port for p in service.ports}
            if port in ports:
                return ports[port]
            known = ", ".join(ports)
            raise UnknownName(f"Service {plain} has no port called '{port}'.", f"It has: {known}.")
    raise BadPacket(
        f"'{port}' is not a port.", "Only a Service's ports have names; write a number."
    )


# -- sh -------------------------------------------------------------------------------------------


@main.command()
@click.argument("netns")
@click.argument("commands", metavar="COMMAND...", nargs=-1, required=True)
@_manifests
@_dump
@_backend
@_proxy_mode
def sh(
    netns: str, commands: tuple[str, ...], manifests: tuple[str, ...], dumps: tuple[str, ...],
    backend: str | None, proxy_mode: str | None,
) -> None:  # fmt: skip
    """Type commands in a network namespace, and see what the real tools would print.

    The cluster is built anew each time; several commands see each other's changes. Put each command
    in quotation marks. docs/commands.md lists what is understood.

    \b
    k8snet sh node1 "ip route"
    k8snet sh web2 "ip -br addr" "ip neigh"
    k8snet sh node1 "ip link set flannel0 down" "ip route get 10.1.20.3"
    """
    namespace = _cluster(manifests, backend, proxy_mode, dumps)[netns]
    for command in commands:
        text = namespace.sh(command)
        if text:
            click.echo(text)


# -- the real kernel ------------------------------------------------------------------------------


@main.command()
@_manifests
@_backend
@_proxy_mode
@click.option("--prefix", default="", help="How the namespaces' names begin; random if not given.")
def script(
    manifests: tuple[str, ...], backend: str | None, proxy_mode: str | None, prefix: str
) -> None:
    """Print the shell script that builds this cluster in real network namespaces.

    Run it as root with the word up, and again with down. It touches nothing outside of the
    namespaces that it makes.

    \b
    k8snet script > cluster.sh
    sudo sh cluster.sh up
    """
    from k8snetlib.lab.cli import run_script

    click.echo(run_script(Cluster(_spec(manifests, backend, proxy_mode)), prefix), nl=False)


@main.command()
@_manifests
@_backend
@_proxy_mode
def verify(manifests: tuple[str, ...], backend: str | None, proxy_mode: str | None) -> int:
    """Build the cluster in the kernel, send the same packets, and say what differs.

    Needs root. Everything happens in network namespaces of its own, which are gone afterwards.

    \b
    sudo k8snet verify --backend vxlan
    """
    from k8snetlib.lab.cli import run_verify

    status, text = run_verify(Cluster(_spec(manifests, backend, proxy_mode)))
    click.echo(text)
    return status


# -- lab ------------------------------------------------------------------------------------------


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[JUPYTERLAB OPTIONS]...")
def lab(arguments: tuple[str, ...]) -> int:
    """Open the course in JupyterLab.

    In a checkout the notebooks are opened where they are. Installed from a package, the course is
    first copied to ./k8snet-course, where you can change it as you like; a copy that is there
    already is left as it is.

    \b
    k8snet lab
    k8snet lab --no-browser --port 8899
    """
    import importlib.util
    import subprocess

    if importlib.util.find_spec("jupyterlab") is None:
        raise K8sNetError(
            "JupyterLab is not installed here.", "Install it with: pip install 'k8snetlib[lab]'"
        )
    root = _course_folder()
    click.echo(f"The course is in {root}", err=True)
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={root}", *arguments]
    jupyter = subprocess.Popen([*command, FIRST_LESSON], cwd=root)
    while True:
        try:
            return 0 if jupyter.wait() == 0 else 1
        except KeyboardInterrupt:
            continue  # Jupyter has it as well, and asks whether it was meant


def _course_folder() -> Path:
    """Where the notebooks are: around here, beside the package, or in a fresh copy of its own."""
    package = Path(k8snetlib.__file__).resolve().parent
    here = Path.cwd()
    for folder in (here, *here.parents, package.parent, here / COURSE_COPY):
        if (folder / FIRST_LESSON).is_file():
            return folder
    shipped = package / "course" / "material"
    if not (shipped / FIRST_LESSON).is_file():
        raise K8sNetError(
            "The notebooks are not here.", "Clone the project, and call k8snet lab inside it."
        )
    import shutil

    copy = here / COURSE_COPY
    try:
        shutil.copytree(shipped, copy, dirs_exist_ok=True)
    except OSError as error:
        raise K8sNetError(f"Cannot copy the course to {copy}: {error.strerror or error}.") from None
    return copy


main.add_command(grade)
