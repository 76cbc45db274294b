"""What `init` and `import` share: their options, and how a profile gets written."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import click

from everbearer.cli import voice
from everbearer.cli.configuration import file_option, located, make_idle_broker
from everbearer.oauth.authorization import LOOPBACK_REDIRECT

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path
    from typing import Literal

    from everbearer.providers.foreign import ForeignProfile
    from everbearer.settings.model import Settings

HEAD: Final = """\
# The configuration of everbearer. What is wrong in it is told by: everbearer check
# A running proxy takes a change over by itself.
"""
TAIL: Final = """
# More can stand here, for example a listener for tools without proxy settings:
# [[listeners]]
# address = "127.0.0.1:8080"
# [[listeners]]
# address = "127.0.0.1:8082"
# reverse = "https://api.box.com"
"""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the options say of the profile to be written."""

    config: Path | None
    profile: str | None
    secrets: Literal["keyring", "file"] | None
    dry_run: bool
    again: bool = field(default=False)

    def carry_out(
        self,
        identity: ForeignProfile,
        comment: str,
        fallback: str,
        handover: AbstractContextManager[object] | None = None,
        leaving: str = "",
    ) -> None:
        """
        Show what changes and, but for a dry run, write it.

        *fallback* is the profile's name where neither the options nor the
        identity has one; *leaving* tells what became of where it came from.
        Raises ConfigError, and nothing is written then.
        """
        path = located(self.config)
        name = self.profile or _name(identity.name) or fallback
        made = not path.exists()
        from everbearer.settings.adopt import Text, adopt

        adoption = adopt(
            path,
            os.environ,
            identity,
            name,
            Text(comment, HEAD, TAIL),
            again=self.again,
            kind=self.secrets,
        )
        # Whatever a start would find, as for `check`.
        make_idle_broker(adoption.settings)
        for line in adoption.difference.splitlines():
            voice.result(voice.printable(line))
        if self.dry_run:
            for place in adoption.places:
                voice.say(f"a secret would go to {place}")
            voice.say(f"a dry run: {path} is as it was")
            return
        adoption.write(handover)
        for place in adoption.places:
            voice.say(f"a secret is in {place}")
        voice.say(f"{'made' if made else 'changed'} {path}: profile {name}")
        if adoption.default and not made:
            voice.say(
                f"default_profile is {adoption.default}: what it served, it serves"
            )
        if leaving:
            voice.say(leaving)
        for place in adoption.unused:
            voice.say(
                f"{place} is not used any more; remove it, if nothing else has it"
            )
        _tell_next(identity, name, adoption.settings)


def _tell_next(identity: ForeignProfile, name: str, settings: Settings) -> None:
    if identity.grant == "refresh_token" and identity.refresh_token is None:
        voice.say(
            "in Box's developer console, the application's OAuth 2.0 Redirect URIs"
            f" must have {LOOPBACK_REDIRECT}"
        )
        voice.say(f"next: everbearer login {name}")
    elif settings.default_profile == name or len(settings.profiles) == 1:
        voice.say("next: everbearer serve")
    else:
        voice.say(
            f"next: everbearer exec -p {name} --"
            " curl -s https://api.box.com/2.0/users/me"
        )


def options(default_profile: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that adds the options of a Wish."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in (
            click.option(
                "--dry-run", is_flag=True, help="Show the change, write nothing."
            ),
            click.option(
                "--secrets",
                type=click.Choice(["keyring", "file"]),
                help="Where secrets go: the system's keyring (default where there is "
                "one), or files of mode 0600 in the folder secrets beside the "
                "configuration.",
            ),
            click.option(
                "--profile",
                metavar="NAME",
                help=f"What the profile is called; default: {default_profile}.",
            ),
            file_option,
        ):
            command = option(command)
        return command

    return decorate


replace_option = click.option(
    "--replace",
    "again",
    is_flag=True,
    help="Give the profile that is there these credentials, and keep the rest.",
)


def _name(text: str) -> str:
    """Return the name that another program has for it, as a profile may have it."""
    return re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("-.")[:64]
