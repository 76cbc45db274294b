"""The configuration file → settings, or every problem at once."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import platformdirs

from everbearer.errors import ConfigError, Problem
from everbearer.oauth.grants import GRANTS
from everbearer.providers import PROVIDERS
from everbearer.settings.audit import build_audit
from everbearer.settings.dashboard import build_dashboard
from everbearer.settings.files import (
    Source,
    check_folders,
    parse_toml,
    read_configuration,
)
from everbearer.settings.listeners import build_listeners
from everbearer.settings.model import Settings
from everbearer.settings.network import build_network
from everbearer.settings.notify import build_notify
from everbearer.settings.problems import Mistake, Problems
from everbearer.settings.profiles import build_profiles
from everbearer.settings.proxy import build_proxy, doubts
from everbearer.settings.rules import (
    build_rules,
    check_profile,
    unserved,
    with_presets,
)
from everbearer.settings.secrets import SecretReader, Surroundings
from everbearer.settings.store import build_store
from everbearer.settings.structure import read_document
from everbearer.stores.keys import os_keyring

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from everbearer.policy.hosts import HostPattern
    from everbearer.policy.rules import Rule
    from everbearer.settings.document import Document
    from everbearer.stores.keys import Keyring

COMMAND_TIMEOUT: Final = 30.0
"""Seconds; a keyring that asks for a fingerprint needs a person's time."""


@dataclass(frozen=True, slots=True)
class Survey:
    """
    What a document stands for, as far as it is sound, and what is not.

    With `problems` the settings are there to be looked at only: they lack the
    profiles that have problems, and all rules.
    """

    settings: Settings
    problems: tuple[Problem, ...]


def load(
    path: Path,
    environ: Mapping[str, str],
    *,
    user_data_dir: Path | None = None,
    user_state_dir: Path | None = None,
    uid: int | None = None,
    keyring: Callable[[], Keyring] = os_keyring,
    command_timeout: float = COMMAND_TIMEOUT,
) -> Settings:
    """
    Read the configuration and everything that it names.

    Raises ConfigError with every problem; otherwise as `survey`.
    """
    found = survey(
        path,
        environ,
        user_data_dir=user_data_dir,
        user_state_dir=user_state_dir,
        uid=uid,
        keyring=keyring,
        command_timeout=command_timeout,
    )
    return _sound(found)


def survey(
    path: Path,
    environ: Mapping[str, str],
    *,
    user_data_dir: Path | None = None,
    user_state_dir: Path | None = None,
    uid: int | None = None,
    keyring: Callable[[], Keyring] = os_keyring,
    command_timeout: float = COMMAND_TIMEOUT,
    content: bytes | None = None,
) -> Survey:
    """
    Read the configuration and everything that it names, problems or not.

    Each problem has its place and the corrected form; neither a problem nor a
    warning holds a secret. `user_data_dir` and `user_state_dir` are the
    platform's folders for the data and the state of all programs, `uid` the user
    who (beside root) may own the files. With `content` the file is judged as if
    it held that, and need not exist.
    Blocks, for as long as programs and keyrings that are asked for secrets
    take. Raises ConfigError where nothing can be read at all.
    """
    path = path.absolute()
    owner = os.geteuid() if uid is None else uid
    try:
        if content is None:
            source = read_configuration(path, owner)
        else:
            check_folders(path, owner)
            source = Source(content, readable_by_others=False)
        toml = parse_toml(path, source.content)
    except Mistake as mistake:
        raise ConfigError(
            Problem("", mistake.message, mistake.fix), files=frozenset({path})
        ) from None
    around = Surroundings(
        path.parent, source.readable_by_others, environ, owner, keyring, command_timeout
    )
    data = user_data_dir or platformdirs.user_data_path()
    state = user_state_dir or platformdirs.user_state_path()
    return _examined(toml, path, around, data / "everbearer", state / "everbearer")


def build(
    toml: Mapping[str, Any],
    path: Path,
    around: Surroundings,
    data_folder: Path,
    state_folder: Path,
) -> Settings:
    """Return the settings that a parsed document stands for; ConfigError as `load`."""
    return _sound(_examined(toml, path, around, data_folder, state_folder))


def _sound(found: Survey) -> Settings:
    if found.problems:
        raise ConfigError(*found.problems, files=found.settings.watched)
    return found.settings


def _examined(
    toml: Mapping[str, Any],
    path: Path,
    around: Surroundings,
    data_folder: Path,
    state_folder: Path,
) -> Survey:
    problems = Problems()
    document = read_document(toml, problems)
    names = tuple(document.profiles)
    reader = SecretReader(around, problems)
    network = build_network(document.network, reader)
    profiles = build_profiles(document.profiles, reader, PROVIDERS, GRANTS, network)
    rules = with_presets(
        build_rules(document.rules, names, problems),
        {name: table.provider for name, table in document.profiles.items()},
        PROVIDERS,
    )
    if document.default_profile is not None:
        check_profile(("default_profile",), document.default_profile, names, problems)
    store = build_store(document.store, data_folder, state_folder, reader)
    proxy = build_proxy(document.proxy, names, problems)
    notify = build_notify(document.notify, around, problems)
    audit = build_audit(document.audit, state_folder, problems)
    listeners = build_listeners(
        document.listeners,
        names,
        _covered_hosts(rules, document, problems),
        problems,
        guarded=document.proxy.users is not None or problems.about("proxy", "users"),
    )
    dashboard = build_dashboard(document.dashboard, listeners, problems)
    settings = Settings(
        source=path,
        profiles=MappingProxyType(profiles),
        rules=rules,
        store=store,
        default_profile=document.default_profile or "",
        listeners=listeners,
        proxy=proxy,
        network=network,
        notify=notify,
        audit=audit,
        dashboard=dashboard,
        watched=frozenset({path, *reader.watched}),
        variables=frozenset(reader.variables),
        warnings=(*reader.warnings, *unserved(rules, profiles), *doubts(proxy)),
    )
    found = problems.ordered()
    return Survey(_to_look_at(settings, problems) if found else settings, found)


def _to_look_at(settings: Settings, problems: Problems) -> Settings:
    # Where the store is, and whose records it has: no wrong guesses.
    hidden = problems.about("store") or problems.about("network")
    profiles = {
        name: profile
        for name, profile in settings.profiles.items()
        if not hidden and not problems.about("profiles", name)
    }
    return replace(
        settings,
        profiles=MappingProxyType(profiles),
        rules=(),
        default_profile="",
        warnings=(),
    )


def _covered_hosts(
    rules: Iterable[Rule], document: Document, problems: Problems
) -> tuple[HostPattern, ...] | None:
    """Return the hosts of all rules, None where a mistake hides some of them."""
    hidden = (
        problems.lost("profiles")
        or problems.lost("rules")
        or any(t.provider not in PROVIDERS for t in document.profiles.values())
        or any(problems.about("rules", i, "hosts") for i in range(len(document.rules)))
    )
    return None if hidden else tuple(host for rule in rules for host in rule.hosts)
