"""What `serve` says when it is ready: where, who, whom to trust, what to try."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from everbearer import __version__
from everbearer.policy.rules import Action
from everbearer.policy.users import REVERSE_FIELD
from everbearer.settings.real_box import EXAMPLE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from everbearer.settings.model import Listener, Settings


def banner(settings: Settings, authority: Path) -> Iterator[str]:
    """Yield the lines; *authority* is the certificate that tools have to trust."""
    yield f"version {__version__}, configuration {settings.source}"
    for listener in settings.listeners:
        yield f"listening on {listener.address}, {_purpose(listener)}"
    yield f"profiles: {', '.join(_profiles(settings))}"
    yield f"tools have to trust the proxy's CA: {authority}"
    explicit = [listener for listener in settings.listeners if not listener.reverse]
    for listener in explicit[:1]:
        yield f"try: {by_proxy(settings, listener, authority)}"
    for listener in settings.listeners:
        if listener.reverse == urlsplit(EXAMPLE).hostname:
            yield f"try: {in_place(settings, listener)}"


def by_proxy(settings: Settings, listener: Listener, authority: Path) -> str:
    """Return a command that asks for something by an explicit proxy."""
    return (
        f"curl -x http://{listener.address} "
        f"--cacert {shlex.quote(str(authority))}"
        f"{_user(settings, '--proxy-user NAME')}"
        f"{_profile_field(settings, listener)} {EXAMPLE}"
    )


def in_place(settings: Settings, listener: Listener) -> str:
    """Return a command that asks a reverse listener for something."""
    return (
        f"curl{_user(settings, _REVERSE_USER)}"
        f"{_profile_field(settings, listener)} "
        f"http://{listener.address}{urlsplit(EXAMPLE).path}"
    )


_REVERSE_USER: Final = f"-H '{REVERSE_FIELD}: Basic ...'"


def _user(settings: Settings, words: str) -> str:
    """Return what lets somebody in, where there are users."""
    return f" {words}" if settings.proxy.users else ""


def _purpose(listener: Listener) -> str:
    what = f"in place of {listener.reverse}" if listener.reverse else "as a proxy"
    return f"{what}, profile {listener.profile}" if listener.profile else what


def _profiles(settings: Settings) -> Iterator[str]:
    for profile in settings.profiles.values():
        grant = profile.grant.name if profile.grant else "access_token"
        default = ", default" * (profile.name == settings.default_profile)
        yield f"{profile.name} ({grant}{default})"


def _profile_field(settings: Settings, listener: Listener) -> str:
    """Return what makes a request unambiguous, "" where it is that already."""
    if listener.profile or settings.default_profile:
        return ""
    serving = {
        name
        for rule in settings.rules
        if rule.action is Action.INJECT
        for name in rule.profiles
    }
    if len(serving) <= 1:
        return ""
    return f" -H 'Everbearer-Profile: {min(serving)}'"
