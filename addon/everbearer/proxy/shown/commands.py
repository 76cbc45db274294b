"""
Commands for mitmproxy's command line, and for scripts.

What needs to wait is done in the background and told in mitmproxy's log, as the
errors are: by their message, and with what to do.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence  # noqa: TC003 - mitmproxy reads the signatures
from typing import TYPE_CHECKING, cast

from mitmproxy import ctx, exceptions
from mitmproxy.flow import Flow  # noqa: TC002 - same
from mitmproxy.log import ALERT
from mitmproxy.types import Data  # noqa: TC002 - same

from everbearer.errors import ConfigError, EverbearerError
from everbearer.proxy import internals
from everbearer.proxy.shown.profile_name import NAMES, ProfileName, ProfileNameType
from everbearer.proxy.shown.status_lines import status_lines
from everbearer.proxy.shown.telling import REQUEST
from everbearer.report import report
from everbearer.settings.problems import unknown_profile
from everbearer.spans import duration

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from mitmproxy.addonmanager import Loader

    from everbearer.broker import Broker
    from everbearer.proxy.shown.told import Told

logger = logging.getLogger(__name__)

_CONSOLES_LOG = "console.view.eventlog"
"""mitmproxy's command that shows the log; the console alone has it."""


class EverbearerCommands:
    """Needs no hook of requests; each command says in its first line what it does."""

    def __init__(self, broker: Broker, told: Told) -> None:
        self._broker = broker
        self._told = told

    def load(self, loader: Loader) -> None:
        """Make the commands known."""
        internals.learn_type(ProfileNameType())
        commands: dict[str, Callable[..., object]] = {
            NAMES: self.profiles,
            "everbearer.status": self.status,
            "everbearer.renew": self.renew,
            "everbearer.revoke": self.revoke,
            "everbearer.use": self.use,
            "everbearer.reload": self.reload,
            "everbearer.explain": self.explain,
        }
        for name, do in commands.items():
            loader.add_command(name, do)

    def profiles(self) -> Sequence[str]:
        """Return the names of the profiles."""
        return list(self._broker.settings.profiles)

    def status(self) -> None:
        """Tell in the log how each profile's token does. No server is asked."""
        self._do(self._tell_status(), "the status")

    def renew(self, profile: ProfileName) -> None:
        """Obtain a new token for the profile now."""
        self._do(self._renew(self._known(profile)), f"the renewal of {profile}")

    def revoke(self, profile: ProfileName) -> None:
        """Revoke the profile's tokens at the server, and delete them here."""
        self._do(self._revoke(self._known(profile)), f"the revocation of {profile}")

    def use(self, profile: ProfileName) -> None:
        """Make the profile the default, until another is or the proxy ends."""
        try:
            self._broker.use(profile)
        except EverbearerError as error:
            raise exceptions.CommandError(_told(error)) from error
        _say(f"{profile} is the default from now on, until the proxy ends")

    def reload(self) -> None:
        """Read the configuration again and put it in force."""
        self._do(self._reload(), "the reload")

    def explain(self, flow: Flow) -> Data:
        """Tell step by step what was decided about a flow, and what came of it."""
        asked = flow.metadata.get(REQUEST, flow.id)
        rows = [[*row] for row in self._told.of(asked)]
        if not rows:
            raise exceptions.CommandError(_nothing_known(flow))
        return cast("Data", rows)

    # -- inside -------------------------------------------------------------

    def _known(self, profile: str) -> str:
        known = self._broker.settings.profiles
        if profile not in known:
            raise exceptions.CommandError(_told(unknown_profile(profile, known)))
        return profile

    def _do(self, work: Coroutine[object, object, None], name: str) -> None:
        self._broker.keep(_guarded(work), name)

    async def _tell_status(self) -> None:
        broker = self._broker
        states = await broker.status()
        default = broker.rules.default_profile
        for line in status_lines(states, broker.settings, default):
            logger.info("everbearer: %s", broker.standing.in_full(line))
        for problem in broker.standing.problems:
            logger.error("everbearer: not in force: %s", problem)
        if _CONSOLES_LOG in ctx.master.commands.commands:
            ctx.master.commands.call(_CONSOLES_LOG)

    async def _renew(self, profile: str) -> None:
        token = await self._broker.manager(profile).renew()
        left = token.expires_at - self._broker.clock.now()
        _say(f"{profile}: renewed, good for {duration(left)}")

    async def _revoke(self, profile: str) -> None:
        _say(f"{profile}: its tokens are being revoked at the server")
        consent = self._broker.consent(profile)
        outcome = await consent.log_out(lambda: _waits(profile), ask=True)
        if not outcome.known:
            _say(f"{profile}: there was nothing to revoke")
        elif not outcome.revoked:
            _say(f"{profile}: the server had ended the tokens before; they are deleted")
        else:
            _say(f"{profile}: its tokens are revoked and deleted")

    async def _reload(self) -> None:
        if await self._broker.reload():
            _say(f"{self._broker.settings.source} is in force")
            return
        for problem in self._broker.standing.problems:
            logger.error("everbearer: %s", problem)
        logger.error("everbearer: the old configuration stays in force")


async def _guarded(work: Coroutine[object, object, None]) -> None:
    try:
        await work
    except EverbearerError as error:
        logger.error("everbearer: %s", _told(error))  # noqa: TRY400 - for people
    except Exception as error:
        report("a command failed", error)


def _say(text: str) -> None:
    logger.log(ALERT, "everbearer: %s", text)


def _waits(profile: str) -> None:
    _say(f"{profile}: waiting for another process to let go of the grant")


def _told(error: EverbearerError) -> str:
    if isinstance(error, ConfigError):
        return error.message  # every problem says what mends it
    return f"{error.message}; {error.hint}"


def _nothing_known(flow: Flow) -> str:
    if flow.comment:
        return f"nothing more is known of this flow than its comment: {flow.comment}"
    return (
        "nothing is known of this flow: no rule names its host, it is not over, or"
        " another proxy saw it"
    )
