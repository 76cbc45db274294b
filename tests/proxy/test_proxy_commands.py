"""mitmproxy's command line knows everbearer, in every interface."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from mitmproxy import exceptions
from mitmproxy.addons.view import View
from mitmproxy.types import CommandTypes

from everbearer.errors import TokenEndpointUnavailable, TokenRequestRejected
from everbearer.policy.hosts import HostPattern
from everbearer.proxy.shown.commands import EverbearerCommands
from everbearer.proxy.shown.profile_name import ProfileName
from everbearer.proxy.shown.status_lines import status_lines
from everbearer.renewal.status import Notice, ProfileStatus
from everbearer.secret import fingerprint
from everbearer.settings.load import load
from everbearer.settings.model import Address, ConnectTo
from everbearer.stores.contract import Trouble, TroubleKind
from proxy.flows import asked
from proxy.shown_stage import CONFIG, TOKEN, Shown, answer, shown_stage


@pytest.fixture
async def here(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> AsyncIterator[Shown]:
    """Give hooks whose flows are looked at, and a log that is read."""
    async with shown_stage(tmp_path) as here:
        caplog.set_level(logging.INFO)
        here.context.master.addons.add(View())
        yield here


async def done(here: Shown, command: str) -> None:
    """Run a command, and wait for what it does in the background."""
    here.context.master.commands.execute(command)
    await here.part(EverbearerCommands)._broker._tasks.drain()


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("status", "the status"),
        ("reload", "the reload"),
        ("renew ccg", "the renewal of ccg"),
        ("revoke ccg", "the revocation of ccg"),
    ],
)
async def test_who_stops_is_told_what_is_under_way(
    here: Shown, command: str, told: str
):
    """By its name; nothing of it where nothing is waited for."""
    broker = here.broker
    here.context.master.commands.execute(f"everbearer.{command}")
    assert f" this has ended: {told}; " in broker.awaited
    await asyncio.sleep(0)
    for work in broker._tasks._running:
        work.cancel()
    await broker._tasks.drain()
    assert broker.awaited == ""


def completions(here: Shown, command: str) -> list[str]:
    """Return what mitmproxy offers for the first argument of a command."""
    manager = here.context.master.commands
    _, [parameter] = manager.parse_partial(f"{command} ")
    known = CommandTypes.get(parameter.type)
    return list(known.completion(manager, parameter.type, ""))


@pytest.mark.parametrize("name", ["renew", "revoke", "use"])
async def test_profiles_are_completed(here: Shown, name: str):
    """As the configuration in force names them."""
    assert completions(here, f"everbearer.{name}") == ["ccg", "devtoken"]


@pytest.mark.parametrize("name", ["renew", "revoke", "use"])
async def test_an_unknown_profile_is_told_with_the_one_that_was_meant(
    here: Shown, name: str
):
    """Before anything is done."""
    said = "there is no profile 'cgc'; write: \"ccg\"$"
    with pytest.raises(exceptions.CommandError, match=said):
        here.context.master.commands.execute(f"everbearer.{name} cgc")


async def test_use_sets_the_default(here: Shown, caplog):
    """Requests that ask for no profile get that one's token from now on."""
    await done(here, "everbearer.use devtoken")

    assert here.broker.rules.default_profile == "devtoken"
    flow = asked()
    await here.out(flow)
    assert flow.request.headers["authorization"].endswith("developer-token-0123456789")
    assert "devtoken is the default from now on" in caplog.text


async def test_status_is_told_in_the_log(here: Shown, caplog):
    """A line for each profile, without asking any server, and without a secret."""
    await done(here, "everbearer.status")

    token = fingerprint(TOKEN)
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0] == (
        f"everbearer: ccg (default): fresh, 2 h left · token {token}"
        " · client_credentials"
    )
    assert lines[1].startswith("everbearer: devtoken: fresh, no known end · token ")
    assert TOKEN not in caplog.text


async def test_status_tells_of_a_file_that_is_not_in_force(here: Shown, caplog):
    """Who changed it wonders why nothing happens."""
    here.config.write_text("nonsense")
    await here.broker.reload()

    await done(here, "everbearer.status")

    assert "everbearer: not in force: " in caplog.text


async def test_the_consoles_log_is_shown(here: Shown):
    """There the answer is not seen otherwise."""
    shown: list[bool] = []
    here.context.master.commands.add(
        "console.view.eventlog", lambda: shown.append(True)
    )

    await done(here, "everbearer.status")

    assert shown == [True]


async def test_reload_puts_the_file_in_force(here: Shown, caplog):
    """Or says what is wrong with it."""
    await done(here, "everbearer.reload")
    assert f"everbearer: {here.config} is in force" in caplog.text

    here.config.write_text("nonsense")
    await done(here, "everbearer.reload")
    assert "everbearer: the old configuration stays in force" in caplog.text


async def test_what_goes_wrong_is_told_with_what_to_do(here: Shown, caplog):
    """By its message and hint, and not as a failure of the program."""
    await done(here, "everbearer.revoke devtoken")
    assert "make or revoke it in the provider's developer console" in caplog.text

    async def fails() -> None:
        raise TokenEndpointUnavailable("nobody answers")

    commands = here.part(EverbearerCommands)
    commands._do(fails(), "fail")
    await commands._broker._tasks.drain()
    assert "everbearer: nobody answers; try again later" in caplog.text

    async def breaks() -> None:
        raise RuntimeError(TOKEN)

    commands._do(breaks(), "break")
    await commands._broker._tasks.drain()
    assert "a command failed: RuntimeError" in caplog.text
    assert TOKEN not in caplog.text


async def test_a_command_does_not_wait(here: Shown, caplog):
    """The interface goes on; the store is asked in the background."""
    here.context.master.commands.execute("everbearer.status")
    assert caplog.text == ""

    await here.part(EverbearerCommands)._broker._tasks.drain()
    assert "ccg (default)" in caplog.text


async def test_explain_tells_the_steps_of_a_flow(here: Shown):
    """What was decided and why; mitmproxy shows rows of two columns."""
    flow = asked(everbearer_profile="prod")
    await here.out(flow)
    await here.back(flow)
    manager = here.context.master.commands

    rows = manager.execute(f"everbearer.explain @{flow.id}")

    told = dict(rows)
    assert rows[0] == ["request", "GET api.box.com/2.0/users/me: 400"]
    assert told["which profile"] == "Everbearer-Profile: 'prod' names no profile"
    assert told["verdict"] == "refuse (profile_unknown)"
    assert told["hint"].startswith("send Everbearer-Profile with one of: ")
    assert all(len(row) == 2 for row in rows)


async def test_explain_of_a_flow_that_is_not_ours(here: Shown):
    """It says so, with the comment if there is one."""
    flow = asked()
    here.context.master.addons.get("view").add([flow])
    manager = here.context.master.commands
    with pytest.raises(exceptions.CommandError, match="nothing is known of this flow"):
        manager.execute(f"everbearer.explain @{flow.id}")
    flow.comment = "ccg · injected"
    with pytest.raises(exceptions.CommandError, match="its comment: ccg · injected"):
        manager.execute(f"everbearer.explain @{flow.id}")


async def test_injected_flows_are_explained(here: Shown):
    """By the token's fingerprint, never by the token."""
    flow = asked()
    await here.out(flow)
    await here.back(flow, answer())

    rows = here.context.master.commands.execute(f"everbearer.explain @{flow.id}")

    assert dict(rows)["token"] == fingerprint(TOKEN)
    assert TOKEN not in str(rows)


def test_a_name_is_any_text():
    """The command itself says what is wrong with it."""
    known = CommandTypes.get(ProfileName)

    assert known.parse(None, ProfileName, "x") == "x"
    assert known.is_valid(None, ProfileName, "x")


def test_troubles_are_told_with_what_to_do(tmp_path: Path):
    """As `status` tells it, by this proxy's own command where it has one."""
    config = tmp_path / "x.toml"
    config.write_text(CONFIG)
    config.chmod(0o600)
    settings = load(config, {})
    trouble = Trouble(TroubleKind.UNAVAILABLE, "nobody answers", 0.0, 1, 5.0, "g")
    person = replace(trouble, kind=TroubleKind.REAUTHORIZE, message="no such app")
    wrong = replace(trouble, kind=TroubleKind.CONFIGURATION, message="invalid_client")
    base = ProfileStatus("ccg", "client_credentials", "none")
    led = (
        ConnectTo(HostPattern.parse("api.box.com"), 443, Address("127.0.0.1", 9)),
        ConnectTo(HostPattern.parse("upload.box.com"), 443, Address("127.0.0.1", 9)),
    )
    network = replace(settings.network, connect_to=led)
    states = (
        replace(base, trouble=trouble),
        replace(base, state="dead", trouble=person),
        replace(base, trouble=replace(wrong, hint="say another secret")),
        replace(base, trouble=wrong),
        replace(base, refresh_hint="run: everbearer renew ccg"),
        replace(base, notices=(Notice("a copy lies there", "keep it"),)),
    )

    lines = [*status_lines(states, replace(settings, network=network), "")]

    led_to = "connect_to leads api.box.com and 1 more to 127.0.0.1:9"
    assert lines[0] == f"NOT THE REAL BOX: {led_to}"
    assert lines[1] == "ccg: no token yet · client_credentials"
    assert lines[2] == "ccg: nobody answers; run: everbearer.renew ccg"
    assert lines[3] == "ccg: dead · client_credentials"
    assert lines[4].startswith("ccg: no such app; check client_id and client_secret,")
    assert lines[4].endswith(", then run: everbearer.renew ccg")
    assert lines[6] == "ccg: invalid_client; say another secret"
    assert lines[8] == f"ccg: invalid_client; {TokenRequestRejected.default_hint}"
    assert lines[10] == "ccg: run: everbearer.renew ccg"
    assert lines[12] == "ccg: a copy lies there; keep it"
