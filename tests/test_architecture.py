"""The layers of the package: imports go strictly downward, and stay where they may."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import everbearer

PACKAGE = Path(everbearer.__file__).parent

# From the top down. A layer imports what stands below it, and itself.
LAYERS = (
    "cli",
    "doctor",  # looks at everything below, and is printed above
    "proxy",
    "dashboard",  # below it only so that it cannot import it
    "login",
    "metrics",
    "notify",
    "audit",
    "broker",
    "schemes",
    "renewal",
    "settings",
    "clients",
    "workers",
    "users",
    "stores",
    "subscribers",
    "stories",
    "events",
    "providers",
    "oauth",
    "policy",
    "leaves",
)
LEAVES = {
    "certificates",
    "collector",
    "dying",
    "errors",
    "everbearer",
    "recent",
    "report",
    "secret",
    "spans",
    "tasks",
}
SANDBOX_KNOWS = {
    "everbearer.certificates": "one way to make an authority, constrained to names"
}
"""What the sandbox shares with the rest, with the reason."""

PURE = {
    "policy": set(),
    # Signing is the library's work.
    "oauth": {"jwt", "cryptography"},
    "schemes": set(),
    "providers": set(),
}
IMPURE_STDLIB = {
    "asyncio",
    "http.client",
    "http.server",
    "logging",
    "os",
    "pathlib",
    "random",
    "secrets",
    "select",
    "shutil",
    "signal",
    "socket",
    "sqlite3",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "urllib.request",
}
ONLY_HERE = {
    "mitmproxy": ("proxy",),
    "httpx": ("renewal",),
    "pydantic": ("settings",),
    "tomli": ("settings",),
    "tomlkit": ("settings",),
    "click": ("cli",),
    "rich": ("cli",),
    "filelock": ("stores",),
    "sqlite3": ("stores",),
    "argon2": ("users",),
    "keyring": ("stores",),
    "prometheus_client": ("metrics",),
    "psycopg": ("stores",),
    "tornado": ("sandbox", "login", "dashboard"),
}

BEHIND_THE_DOOR = {"renewal", "settings", "stores"}
PAST_THE_DOOR = {
    "audit": {
        "everbearer.settings.model": "the values that broker.settings is made of",
        "everbearer.settings.files": "a log is judged as the configuration's files are",
        "everbearer.settings.problems": "and what is wrong with it is told as of them",
    },
    "proxy": {
        "everbearer.settings.model": "the values that broker.settings is made of",
        "everbearer.renewal.trust": "mitmproxy trusts whom token requests trust",
        "everbearer.renewal.client_redeem": "what broker.client_redeems lets out",
        "everbearer.renewal.endpoint": "answers are held up to the length it reads",
        "everbearer.renewal.status": "what broker.status() returns",
        "everbearer.settings.problems": "and what is mistyped is told as of the file",
        "everbearer.settings.real_box": "and where tokens go that are not Box's",
    },
    "login": {
        "everbearer.stores.passing": "the browser's page is private, and goes with us",
    },
    "dashboard": {
        "everbearer.settings.model": "the values that broker.settings is made of",
        "everbearer.renewal.status": "what broker.status() returns",
        "everbearer.stores.contract": "the words of a record's trouble",
        "everbearer.stores.passing": "where it is goes with it, and is private",
    },
    "metrics": {
        "everbearer.settings.model": "the values that broker.settings is made of",
        "everbearer.renewal.status": "what broker.status() returns",
    },
    "notify": {
        "everbearer.renewal.status": "what broker.status() returns",
    },
    "doctor": {
        "everbearer.settings.model": "the values that broker.settings is made of",
        "everbearer.settings.load": "a configuration is judged before any broker",
        "everbearer.stores": "a store is looked at only where there is one",
        "everbearer.stores.keys": "what the keyring says is told by itself",
        "everbearer.stores.memory": "a configuration is judged without a store",
        "everbearer.stores.private": "modes are judged as the store judges them",
        "everbearer.renewal.wire": "questions are asked as token requests go",
        "everbearer.renewal.rotation": "and the one that redeems under the lock",
        "everbearer.renewal.clock": "the clock that token requests go by",
        "everbearer.renewal.endpoint": "servers are reached as by token requests",
        "everbearer.renewal.exchange": "and what they answered",
        "everbearer.renewal.status": "what broker.status() returns",
    },
    "cli": {
        "everbearer.settings.model": "the values that broker.settings is made of",
        "everbearer.settings.load": "a configuration is read before there is a broker",
        "everbearer.settings.adopt": "and written, for the first time or with more",
        "everbearer.settings.foreign": "from what other programs keep",
        "everbearer.settings.locate": "and looked for before that",
        "everbearer.settings.listeners": "--listen is written as in the file",
        "everbearer.settings.problems": "and what is mistyped is told as of the file",
        "everbearer.settings.real_box": "where tokens go is told with every answer",
        "everbearer.stores": "status opens a store only where there is one",
        "everbearer.stores.keys": "store path tells where the key is",
        "everbearer.stores.memory": "check and explain decide without a store",
        "everbearer.stores.contract": "the words of a record's trouble",
        "everbearer.renewal.status": "what broker.status() returns",
        "everbearer.renewal.consent": "what broker.consent() returns",
        "everbearer.renewal.wire": "what --live asks by",
    },
}
"""What a shell imports although `broker` is its one door, with the reason."""

LONGEST = 300
"""Lines of a module; more are two ideas."""

MODULES = sorted(PACKAGE.rglob("*.py"))


def layer_of(module: Path) -> str:
    """Return the layer that a file belongs to."""
    first = module.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "leaves" if first in LEAVES or first.startswith("__") else first


def imports_of(module: Path) -> set[str]:
    """Return the dotted names that a module imports, at run time or for types."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            assert node.module is not None
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def our_layer(name: str) -> str | None:
    """Return the layer that an imported name of ours belongs to."""
    parts = name.split(".")
    if parts[0] != "everbearer" or len(parts) == 1:
        return None
    first = parts[1]
    if (PACKAGE / first).is_dir() or (PACKAGE / f"{first}.py").exists():
        return "leaves" if first in LEAVES else first
    return None


def module_of(name: str) -> str:
    """Return the module that an imported name of ours is, or is in."""
    parts = name.split(".")
    path = PACKAGE.joinpath(*parts[1:])
    is_module = path.with_suffix(".py").exists() or path.is_dir()
    return name if is_module else ".".join(parts[:-1])


@pytest.mark.parametrize("module", MODULES, ids=lambda m: str(m.relative_to(PACKAGE)))
def test_imports_go_strictly_downward(module: Path):
    """A module imports from its own layer and from those below, nothing else."""
    layer = layer_of(module)
    if module.name == "__main__.py" and module.parent == PACKAGE:
        return  # `python -m everbearer` is the command itself
    for name in imports_of(module):
        other = our_layer(name)
        if other is None or other == layer:
            continue
        if layer == "sandbox":
            if module_of(name) in SANDBOX_KNOWS:
                continue
            pytest.fail(
                f"{module} imports {name}: the sandbox knows nothing of the rest"
            )
        if other == "sandbox":
            assert layer == "cli", f"{module} imports {name}: only cli starts a sandbox"
            continue
        assert LAYERS.index(other) > LAYERS.index(layer), f"{module} imports {name}"


@pytest.mark.parametrize("module", MODULES, ids=lambda m: str(m.relative_to(PACKAGE)))
def test_libraries_stay_in_their_layer(module: Path):
    """Each outside library is imported by the one layer that is its edge."""
    layer = layer_of(module)
    for name in imports_of(module):
        owners = ONLY_HERE.get(name.split(".")[0])
        assert owners is None or layer in owners, f"{module} imports {name}"


@pytest.mark.parametrize(
    "module",
    [m for m in MODULES if layer_of(m) in PURE],
    ids=lambda m: str(m.relative_to(PACKAGE)),
)
def test_pure_layers_do_no_io(module: Path):
    """Pure layers get time, randomness and files as arguments."""
    allowed = PURE[layer_of(module)]
    for name in imports_of(module):
        top = name.split(".")[0]
        assert top not in IMPURE_STDLIB, f"{module} imports {name}"
        assert name not in IMPURE_STDLIB, f"{module} imports {name}"
        if top in {"everbearer", "__future__"}:
            continue
        assert top in allowed or _is_stdlib(top), f"{module} imports {name}"


@pytest.mark.parametrize("shell", PAST_THE_DOOR)
def test_shells_go_by_the_door(shell: str):
    """What lies behind the broker is imported by name and with a reason, or not."""
    imported = {
        module_of(name)
        for module in MODULES
        if layer_of(module) == shell
        for name in imports_of(module)
        if our_layer(name) in BEHIND_THE_DOOR
    }

    assert imported == set(PAST_THE_DOOR[shell])


def test_every_folder_is_a_layer():
    """A new folder takes a place in the order before it is used."""
    folders = {p.name for p in PACKAGE.iterdir() if (p / "__init__.py").exists()}

    assert folders <= {*LAYERS, "sandbox"}


def test_inject_is_an_import_and_a_list():
    """What `mitmdump -s` loads holds nothing that a script's namespace could break."""
    tree = ast.parse((PACKAGE.parent / "inject.py").read_text())

    kinds = {type(node).__name__ for node in tree.body}

    assert kinds == {"Expr", "Import", "ImportFrom", "Assign"}


@pytest.mark.parametrize("module", MODULES, ids=lambda m: str(m.relative_to(PACKAGE)))
def test_a_module_is_one_idea(module: Path):
    """A file beyond 300 lines is two ideas."""
    assert len(module.read_text().splitlines()) <= LONGEST


def _is_stdlib(name: str) -> bool:
    return name in sys.stdlib_module_names
