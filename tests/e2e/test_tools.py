"""
Tools do their work by their recipes, each in both ways.

`everbearer exec` with nothing else, and what `everbearer env --for TOOL` prints.
The token that they start with is dead: none of them notices.
"""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from random import Random

import pytest

from everbearer.clients.recipes import PLACEHOLDER
from harness import Place, Sandbox
from needs import need, need_module
from programs import COLLECTION, JAVA, NODE, PYTHON, node_with_proxies
from running import ME
from table import WAYS, Table, need_httpie, path_of_tools

NODE_CLIENT = Path(__file__).with_name("box_node_client.cjs")


@pytest.fixture(params=WAYS)
def table(
    request: pytest.FixtureRequest, place: Place, sandbox: Sandbox, free_port: int
) -> Table:
    """Give a sandbox and a way to it."""
    return Table(place, sandbox, free_port, request.param)


@pytest.fixture
def by_hand(place: Place, sandbox: Sandbox, free_port: int) -> Table:
    """Give a way by what is printed; these tools' other is in test_exec_clients."""
    return Table(place, sandbox, free_port, "by hand")


@pytest.mark.parametrize("tool", ["curl", "wget"])
def test_a_printed_command_line_is_answered(by_hand: Table, tool: str):
    """It is run as it stands, and prints what the server answered."""
    need(tool)
    said = by_hand.run(by_hand.line(tool, ""))
    assert json.loads(said)["login"] == "olivia@example.com"
    assert by_hand.met_a_dead_token()


def test_newman(by_hand: Table):
    """Newman runs a collection that has no authorization."""
    need("node")
    newman = Path(need("newman"))
    (by_hand.place.root / "collection.json").write_text(json.dumps(COLLECTION))
    by_hand.run(
        by_hand.line("newman", ""), PATH=f"{newman.parent}:{os.environ['PATH']}"
    )
    assert by_hand.met_a_dead_token()


def test_python(by_hand: Table):
    """Python's libraries are answered (aiohttp where it is to trust variables)."""
    libraries = ("requests", "httpx", "aiohttp")
    scripts = [shlex.join(["python", "-c", PYTHON[each]]) for each in libraries]
    said = by_hand.run("\n".join([by_hand.line("python", ""), *scripts]))
    assert said.split() == ["200"] * 3
    assert by_hand.met_a_dead_token()


def test_node(by_hand: Table):
    """Node's own fetch and https are answered where it goes by proxies; axios too."""
    node, modules = node_with_proxies(), need_module("axios")
    scripts = [shlex.join([node, "-e", script]) for script in NODE.values()]
    said = by_hand.run(
        "\n".join([by_hand.line("node", ""), *scripts]), NODE_PATH=str(modules)
    )
    assert said.split() == ["200"] * 3
    assert by_hand.met_a_dead_token()


def test_java(by_hand: Table):
    """Java's HttpClient is answered: the trust store that was made is read."""
    need("java")
    (by_hand.place.root / "Get.java").write_text(JAVA)
    said = by_hand.run(f"{by_hand.line('java', '')}\njava Get.java")
    assert said.split() == ["200"]
    assert by_hand.met_a_dead_token()


def test_a_shell(by_hand: Table):
    """What is started from it is answered; git is told by the server, and trusts it."""
    need("curl"), need("git")
    of_sh = by_hand.line("shell", "").splitlines()[1]
    nothing = "https://api.box.com/2.0/nothing"

    said = by_hand.run(
        f"{of_sh}\ncurl -sS {ME}\n! git ls-remote {nothing} 2>&1",
        EVERBEARER_CONFIG=str(by_hand.config),
    )

    assert "olivia@example.com" in said
    assert "not found" in said or "501" in said
    assert by_hand.met_a_dead_token()


def test_httpie(table: Table):
    """HTTPie reads, and uploads a form."""
    need_httpie()
    (table.place.root / "small.txt").write_text("small")
    me = "api.box.com/2.0/users/me"
    https = table.line("httpie", f"https --ignore-stdin {me}").strip()
    form = (
        "--multipart upload.box.com/api/2.0/files/content"
        """ attributes='{"name":"a","parent":{"id":"0"}}' file@small.txt"""
    )

    said = table.run(f"{https}\necho\n{https.replace(me, form)}")

    user, uploaded = map(json.loads, said.splitlines())
    assert user["login"] == "olivia@example.com"
    assert uploaded["entries"][0]["size"] == len("small")
    assert table.met_a_dead_token()


def test_rclone(table: Table):
    """Rclone copies a folder there and back, and finds the hashes to be the same."""
    need("rclone")
    small = table.place.root / "there" / "deep" / "small.txt"
    small.parent.mkdir(parents=True)
    small.write_text("small")
    (table.place.root / "there" / "larger.bin").write_bytes(
        Random(2).randbytes(300_000)
    )
    rclone = table.line("rclone", "rclone lsd :box: --box-access-token '{placeholder}'")

    said = table.run(
        "\n".join(
            rclone.replace("lsd :box:", what).strip()
            for what in (
                "copy there :box:kept",
                "check there :box:kept",
                "copy :box:kept back",
                "lsf -R :box:",
            )
        )
    )

    assert said.split() == [
        *("kept/", "kept/deep/", "kept/larger.bin", "kept/deep/small.txt")
    ]
    for path in ("deep/small.txt", "larger.bin"):
        there, back = (table.place.root / each / path for each in ("there", "back"))
        assert there.read_bytes() == back.read_bytes()
    assert table.met_a_dead_token()


def test_rclone_goes_by_the_placeholder_before_a_login_of_its_own(
    place: Place, sandbox: Sandbox, free_port: int
):
    """Tokens that a remote has in rclone's configuration are not used or renewed."""
    need("rclone")
    table = Table(place, sandbox, free_port, "exec")
    (place.root / "rclone.conf").write_text(
        '[mine]\ntype = box\ntoken = {"access_token":"dead","token_type":"bearer",'
        '"refresh_token":"its own","expiry":"2020-01-01T00:00:00Z"}\n'
    )

    table.run(
        "rclone --config rclone.conf mkdir mine:new",
        RCLONE_BOX_ACCESS_TOKEN=PLACEHOLDER,
    )

    assert table.met_a_dead_token()
    assert sandbox.statuses("/2.0/folders") == [201]


@pytest.mark.parametrize(
    ("recipe", "sdk"),
    [
        ("box-node-sdk", "box-node-sdk"),
        ("box-cli", "box-node-sdk 4, manual"),
        ("box-cli", "box-node-sdk 4, typed"),
    ],
)
def test_the_box_sdks_for_node(table: Table, recipe: str, sdk: str):
    """They upload, list and download; the last two are what the Box CLI sends by."""
    need("node")
    modules = need_module("box-node-sdk")
    line = table.line(recipe, "").strip()
    script, box = (
        f"node {NODE_CLIENT} '{sdk}'",
        f"box users:get me --token '{PLACEHOLDER}'",
    )
    line = line.replace(box, script) if box in line else f"{line}\n{script}"

    said = table.run(line, NODE_PATH=str(modules))

    assert json.loads(said) == {"items": ["node.txt"], "same": True}
    assert table.met_a_dead_token()


def test_bruno(table: Table):
    """Its command line runs a collection: a request without a token, one with none."""
    need("node")
    bru = Path(need("bru"))
    collection = table.place.root / "collection"
    collection.mkdir()
    (collection / "bruno.json").write_text(
        '{"version": "1", "name": "box", "type": "collection"}'
    )
    for name, auth in (("bare", ""), ("unset", "auth:bearer {\n  token: {{token}}\n}")):
        (collection / f"{name}.bru").write_text(
            f"meta {{\n  name: {name}\n  type: http\n}}\n"
            f"get {{\n  url: {ME}\n  auth: {'bearer' if auth else 'none'}\n}}\n{auth}\n"
            "assert {\n  res.status: eq 200\n}\n"
        )
    line = table.line("bru", "bru run")

    table.run(f"cd collection\n{line}", PATH=f"{bru.parent}:{path_of_tools()}")

    assert sorted(table.sandbox.statuses("/2.0/users/me")) == [200, 200, 401]
    assert table.met_a_dead_token()
