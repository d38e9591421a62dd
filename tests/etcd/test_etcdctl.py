"""``etcdctl`` typed at our prompt on the store, beside the real one on a real server.

One script is typed on both, line by line, and what is printed must be the same. Ids, the member's
numbers and times are masked; of a refusal only the line that says why is compared.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import tempfile
import time

import pytest

from k8snetlib.errors import BadCommand
from k8snetlib.etcd import api, etcdctl
from k8snetlib.etcd.store import Store
from tests.conftest import require_tool

#: What is typed, word by word; LEASE stands for the lease granted last.
SCRIPT = """
put /coreos.com/network/config {"Network":"10.1.0.0/16"}
put /a 1
put /a 2 --prev-kv
put /a 3 --prev-kv -w fields
put /a 4 --prev-kv -w json
put /b x -w json
put /b x -w fields
put /empty ''
put /c one two
put -- -dash v
put '/sp ace' 'va"lue\\ with	tab'
put /c
put '' x
put /nope --ignore-value
put /nope v --ignore-value
put /a --ignore-value
put /a 5 --ignore-lease
put /a 5 --ignore-lease --lease 7
put /a 5 --lease 99
put /a 5 --lease xyz
get /a
get /a -w json
get /a -w=fields
get -wjson /a
-w json get /a
get '/sp ace' -w fields
get -- -dash
get /nope
get /nope -w json
get /nope -w fields
get --prefix /
get --prefix=true /
get --prefix=false /
get / --prefix --keys-only
get / --prefix --keys-only -w json
get / --prefix --print-value-only
get / --prefix --print-value-only -w json
get / --prefix --limit 2
get / --prefix --limit 2 -w json
get / --prefix --limit=2 -w fields
get / --prefix --limit x
get / --prefix --order DESCEND
get / --prefix --order ascend
get / --prefix --order up
get / --prefix --sort-by MODIFY
get / --prefix --sort-by version --order DESCEND
get / --prefix --sort-by VALUE --limit 2
get / --prefix --sort-by key --order ASCEND --limit 1
get / --prefix --sort-by colour
get '' --prefix
get '' --from-key
get /b --from-key
get /a /c
get /c /a
get /a /b --prefix
get /a --prefix --from-key
get /a --rev 3
get /a --rev 99
get /a --frobnicate
get /a -x
get /a -w table
get /a -w xml
get
watch /a --rev 3
watch /a --rev 3 --prev-kv
watch /a --rev 3 -w json
watch /a --rev 3 --prev-kv -w fields
watch / --prefix --rev 6
watch /a /b --rev 6
watch /b /a --rev 6
watch
lease grant 1000
put /leased 1 --lease LEASE
get /leased -w json
lease timetolive LEASE
lease timetolive LEASE --keys
lease timetolive LEASE --keys -w json
lease timetolive LEASE -w json
lease timetolive LEASE --keys -w fields
put /leased2 1 --lease=LEASE
lease timetolive 77
lease timetolive 77 -w json
lease timetolive xyz
lease timetolive
lease list
lease list -w json
lease list -w fields
lease list -w table
lease keep-alive --once LEASE
lease keep-alive --once LEASE -w json
lease keep-alive --once LEASE -w fields
lease keep-alive --once 77
lease keep-alive --once
lease grant 50 -w json
lease grant 0 -w fields
lease grant x
lease grant
lease grant 9000000001
lease grant 99999999999999999999
lease revoke LEASE
lease revoke LEASE
lease revoke
get /leased --prefix
watch /leased --prefix --rev 6 --prev-kv
lease grant 60
lease revoke LEASE -w fields
lease grant 60
lease revoke LEASE -w json
del /b
del /b
del /b --prev-kv
del /c --prev-kv
del /a --prev-kv -w json
del /sp --prefix --prev-kv -w fields
del /x /y /z
del
del /a --prefix --from-key
watch /a --rev 6 -w json
watch /a --rev 6 --prev-kv -w json
compaction 8
compaction 8
compaction 99
compaction x
compaction
compaction 9 --physical
get /a --rev 5
watch /a --rev 5
del -- -dash
del '' --from-key
version
endpoint status
endpoint status -w table
endpoint status -w json
endpoint status -w fields
endpoint health
endpoint health -w json
endpoint health -w table
member list
member list -w table
frob
"""

TXNS = [
    'version("/n") = "0"\n\nput /n first\nget /n\n\nget /n\n\n',
    'version("/n") = "0"\n\nput /n second\n\nget /n\ndel /n --prev-kv\nput /n third\n\n',
    'value("/n") = "third"\nmod("/n") > "1"\n\nget / --prefix --keys-only\ndel /zzz\n\n\n',
    'create("/n") < "2"\n\n\n\n',
    'frob("/n") < "2"\n\n\n\n',
    'nonsense\n\n\n\n',
    'mod("/n") > "1"\n\nfrob /n\n\n\n',
]  # fmt: skip

MASKS = [
    (r'"(cluster_id|member_id|leader|lease|ID|id)":\d+', r'"\1":*'),
    (r'("(?:ClusterID|MemberID|Leader|ID)" :) (?!0$)\d+', r"\1 *"),
    (r'"(raftIndex|raftAppliedIndex|dbSize|dbSizeInUse)":\d+', r'"\1":*'),
    (r'("(?:RaftIndex|RaftAppliedIndex|DBSize|TTL)" :) \d+', r"\1 *"),
    (r"remaining\(\d+s\)", "remaining(*)"),
    (r'"ttl":\d+', '"ttl":*'),
    (r"\b[0-9a-f]{14,16}\b", "*"),
    (r"(127\.0\.0\.1|localhost):\d+", "HOST"),
    (r"took = [\d.]+[mµ]?s", "took = *"),
    (r'"took":"[\d.]+[mµ]?s"', '"took":"*"'),
    (r"\| +[\d.]+[mµ]?s +\|", "| * |"),
    (r"\d+ kB, true, false, 2, \d+, \d+", "*"),
    (r"\d+ kB \| +true \| +false \| +2 \| +\d+ \| +\d+", "*"),
    (r"[-+]{20,}", "---"),
    (r"(?<=[|\w]) {2,}|  +(?=\|)", " "),
    (r", (k8snet|default), ", ", NAME, "),
    (r"\| (k8snet|default) \|", "| NAME |"),
]


def masked(text: str) -> str:
    for pattern, mask in MASKS:
        text = re.sub(pattern, mask, text, flags=re.MULTILINE)
    return "\n".join(line.rstrip() for line in text.splitlines()).rstrip("\n")


def ours(store: api.Etcd, words: list[str], stdin: str = "") -> str:
    try:
        return etcdctl.run(store, words, stdin)
    except BadCommand as error:
        return error.message


def real(address: str, words: list[str], stdin: str = "") -> str:
    """What the real etcdctl prints; of a refusal, what it says at last."""
    command = [require_tool("etcdctl"), *words]
    environment = dict(os.environ, ETCDCTL_API="3", ETCDCTL_ENDPOINTS=address)
    if words[:1] == ["watch"] and "--rev" in words:
        return watched(command, environment)
    ran = subprocess.run(
        command, env=environment, text=True, input=stdin, capture_output=True, timeout=20
    )
    if ran.returncode:
        told = [line for line in ran.stderr.splitlines() if line.startswith("Error: ")]
        before = "" if ran.stdout.startswith("NAME:") else ran.stdout  # how it is used
        return (before + told[-1]) if told else ran.stdout + ran.stderr
    return ran.stdout + ran.stderr * (words == ["endpoint", "health"])


def watched(command: list[str], environment: dict[str, str]) -> str:
    """It would go on for ever: ends when it has printed something, and then nothing for a while."""
    with tempfile.TemporaryFile("w+") as told:
        process = subprocess.Popen(command, env=environment, stdout=told, stderr=told)
        size, give_up = 0, time.monotonic() + 20
        while process.poll() is None and time.monotonic() < give_up:
            time.sleep(0.3)
            before, size = size, os.fstat(told.fileno()).st_size
            if 0 < size == before:
                break
        process.kill()
        process.wait()
        told.seek(0)
        return told.read()


@pytest.fixture
def fresh_address(tmp_path):
    from k8snetlib.etcd.server import running

    with running(tmp_path, require_tool("etcd")) as address:
        yield address


def test_as_the_real_one(fresh_address):
    store, wrong = Store(), []
    lease = ("", "")
    lines = [line for line in SCRIPT.splitlines() if line]
    for line in lines:
        words = shlex.split(line)
        mine = ours(store, [word.replace("LEASE", lease[0]) for word in words])
        theirs = real(fresh_address, [word.replace("LEASE", lease[1]) for word in words])
        if "granted with" in mine and words[:2] == ["lease", "grant"]:
            lease = (mine.split()[1], theirs.split()[1])
        if masked(mine) != masked(theirs):
            wrong.append(f"$ etcdctl {line}\n--- ours\n{masked(mine)}\n--- real\n{masked(theirs)}")
    for text in TXNS:
        for form in ("simple", "json", "fields"):
            words = ["txn", "-w", form]
            mine, theirs = ours(store, words, text), real(fresh_address, words, text)
            if masked(mine) != masked(theirs):
                wrong.append(f"txn {form} {text!r}\n--- ours\n{mine}\n--- real\n{theirs}")
    assert not wrong, f"{len(wrong)} of {len(lines)} differ\n" + "\n\n".join(wrong)


# -- what only our prompt has ----------------------------------------------------------------------


def test_a_prompt_cannot_wait():
    store = Store()
    for words, hint in ((["watch", "a"], "--rev"), (["lease", "keep-alive", "1"], "--once")):
        with pytest.raises(BadCommand, match="prompt cannot") as caught:
            etcdctl.run(store, words)
        assert hint in caught.value.hint
    with pytest.raises(BadCommand, match="nothing to read"):
        etcdctl.run(store, ["txn"])


def test_put_reads_its_value():
    store = Store()
    assert etcdctl.run(store, ["put", "a"], "from a text") == "OK"
    assert etcdctl.run(store, ["get", "a"]) == "a\nfrom a text"


AWAY = ["get a", "put a b", "del a", "compaction 3", "lease grant 5", "lease revoke 5",
        "endpoint status", "endpoint health", "member list"]  # fmt: skip


@pytest.mark.parametrize("line", AWAY)
def test_nobody_answers_as_the_real_one(line):
    # Port 1 of this machine: nothing listens there.
    where = ["--endpoints=127.0.0.1:1", "--command-timeout=200ms", "--dial-timeout=200ms"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ETCDCTL_")}
    ran = subprocess.run(
        [require_tool("etcdctl"), *where, *line.split()],
        env=environment | {"ETCDCTL_API": "3"}, text=True, capture_output=True, timeout=20,
    )  # fmt: skip
    told = [each for each in ran.stderr.splitlines() if not each.startswith("{")]
    with pytest.raises(BadCommand) as caught:
        etcdctl.run(Store().client(lambda: False), [where[0], *line.split()])
    assert caught.value.message.splitlines() == told
    assert "the way to it is cut" in caught.value.hint


@pytest.mark.parametrize("line", ["lease list", "lease timetolive 1", "watch a --rev 1"])
def test_where_the_real_one_would_wait_for_ever(line):
    with pytest.raises(BadCommand, match="context deadline exceeded"):
        etcdctl.run(Store().client(lambda: False), line.split())


def test_count_only_came_with_3_5():
    store = Store()
    store.put(api.Put(b"/a")), store.put(api.Put(b"/b"))
    told = etcdctl.run(store, ["get", "/", "--prefix", "--count-only", "-w", "fields"])
    assert told.splitlines()[-2:] == ['"More" : false', '"Count" : 2']
    with pytest.raises(BadCommand, match="count-only is only for"):
        etcdctl.run(store, ["get", "/", "--count-only"])


def test_help():
    told = etcdctl.run(Store(), ["--help"])
    assert etcdctl.run(Store(), []) == etcdctl.run(Store(), ["help"]) == told
    for name, command in etcdctl.COMMANDS.items():
        assert f"\t{name} " in told
        words = [*name.split(), "--help"]
        about = etcdctl.run(Store(), words)
        assert all(f"--{flag}" in about for flag in command.flags)
    assert "a prompt cannot wait" in etcdctl.run(Store(), ["watch", "-h"])


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("gett a", "Did you mean get?"),
        ("lease grunt", "lease grant"),
        ("get a --prefx", "--prefix"),
        ("get a -w yaml", "json"),
    ],
)
def test_a_hint(words, hint):
    with pytest.raises(BadCommand) as caught:
        etcdctl.run(Store(), words.split())
    assert hint in caught.value.hint


def test_in_a_namespace():
    from k8snetlib.linux.netns import Netns

    store, ns = Store(), Netns("node1")
    ns.commands["etcdctl"] = lambda here, words, stdin: etcdctl.run(store, words, stdin)
    text = 'version("/a") = "0"\n\nput /a "one two"\n\n\n'
    assert ns.sh("etcdctl txn; etcdctl --endpoints=x:1 get /a", stdin=text) == (
        "SUCCESS\n\nOK\n/a\none two"
    )
    assert ns.sh("etcdctl --endpoints x:1 endpoint health").startswith("x:1 is healthy")
