"""An addon that waits for its option is passed over until then, and no longer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mitmproxy import http
from mitmproxy.addonmanager import AddonManager
from mitmproxy.addons import blocklist, default_addons, stickycookie
from mitmproxy.io import FlowWriter
from mitmproxy.proxy.layers.http import (
    HttpRequestHeadersHook,
    HttpRequestHook,
    HttpResponseHook,
)
from mitmproxy.test import taddons, tflow

from everbearer.proxy.speed import hooks, idle


@pytest.fixture(params=[AddonManager, hooks.HookIndex])
async def master(request) -> AsyncIterator[Any]:
    """Give a master with all of mitmproxy's addons."""
    with taddons.context(loadcore=False) as context:
        if request.param is not AddonManager:
            hooks.HookIndex.of(context.master.addons)
        context.master.addons.add(*default_addons())
        yield context.master


async def through(master: Any) -> http.HTTPFlow:
    """Let a request and its answer go through all addons."""
    flow = tflow.tflow(resp=True)
    answer, flow.response = flow.response, None
    flow.request.headers.update({"If-None-Match": "x", "Accept-Encoding": "gzip"})
    await master.addons.handle_lifecycle(HttpRequestHeadersHook(flow))
    await master.addons.handle_lifecycle(HttpRequestHook(flow))
    if flow.response is None:
        flow.response = answer
        flow.response.headers["set-cookie"] = "a=b"
    await master.addons.handle_lifecycle(HttpResponseHook(flow))
    return flow


async def test_an_option_set_while_it_runs_is_in_force(master, tmp_path: Path):
    """Each of them, from the next request on, and not after it was unset."""
    saved, har = tmp_path / "flows", tmp_path / "flows.har"
    before = await through(master)
    assert before.request.headers["Accept-Encoding"] == "gzip"
    assert "If-None-Match" in before.request.headers

    master.options.update(anticache=True, anticomp=True)
    flow = await through(master)
    assert "If-None-Match" not in flow.request.headers
    assert flow.request.headers["Accept-Encoding"] == "identity"
    master.options.update(anticache=False)
    assert "If-None-Match" in (await through(master)).request.headers

    master.options.update(block_list=["/~all/418"])
    assert (await through(master)).response.status_code == 418
    master.options.update(block_list=[])

    master.options.update(stickycookie=".")
    await through(master)
    assert (await through(master)).request.headers["cookie"] == "a=b"
    master.options.update(stickycookie=None)

    master.options.update(save_stream_file=str(saved), hardump=str(har))
    await through(master)
    master.options.update(save_stream_file=None)
    master.addons.get("savehar").done()
    assert saved.stat().st_size > 0
    assert "address" in har.read_text()

    master.options.update(proxyauth="alice:secret")
    assert (await through(master)).response.status_code == 407
    master.options.update(proxyauth=None)
    assert (await through(master)).response.status_code == 200


async def test_a_replay_loaded_by_a_command_is_in_force(master, tmp_path: Path):
    """There is no option that changes."""
    recorded = tflow.tflow(resp=True)
    recorded.response.status_code = 299
    recorded.request.headers["Accept-Encoding"] = "gzip"
    path = tmp_path / "recorded"
    with path.open("wb") as file:
        FlowWriter(file).add(recorded)
    await through(master)
    master.commands.execute(f"replay.server.file {path}")

    assert (await through(master)).response.status_code == 299


async def test_what_a_script_gives_an_addon_is_in_force(master):
    """It sets the addon's state itself, and no option changes."""
    await through(master)
    spec = blocklist.parse_spec("/~all/418")
    master.addons.get("blocklist").items.append(spec)

    assert (await through(master)).response.status_code == 418


def marks(_addon: object, flow: http.HTTPFlow) -> None:
    """Stand in for a hook of theirs."""
    flow.comment = "heard"


@pytest.mark.parametrize("kind", [blocklist.BlockList, stickycookie.StickyCookie])
async def test_a_hook_that_a_script_replaces_is_heard_at_once(
    master, kind: type, monkeypatch
):
    """On the class of an addon that had nothing to do, and whatever it waits for."""
    await through(master)
    monkeypatch.setattr(kind, "request", marks)
    assert (await through(master)).comment == "heard"

    monkeypatch.undo()
    assert (await through(master)).comment == ""


async def test_a_hook_that_a_script_had_replaced_before_is_heard(master, monkeypatch):
    """What stood there when it was first looked at is not mitmproxy's."""
    monkeypatch.setattr(blocklist.BlockList, "request", marks)

    assert (await through(master)).comment == "heard"


async def test_a_script_that_comes_later_is_heard(master):
    """The loader of scripts is passed over only as long as it has none."""

    class Script:
        def requestheaders(self, flow: http.HTTPFlow) -> None:
            flow.comment = "heard"

    await through(master)
    loader = master.addons.get("scriptloader")
    loader.addons.append(Script())
    assert (await through(master)).comment == "heard"

    loader.addons.clear()
    assert (await through(master)).comment == ""


async def test_an_option_set_while_a_hook_is_awaited_is_in_force(master, tmp_path):
    """Whose turn comes after that hook has work, for this very flow."""

    class Sets:
        async def response(self, _flow: http.HTTPFlow) -> None:
            master.options.update(hardump=str(tmp_path / "flows.har"))

    before = tmp_path / "flows.har"
    await through(master)
    chain = master.addons.chain
    master.addons.add(sets := Sets())
    chain.remove(sets)
    chain.insert(0, sets)
    await through(master)
    master.addons.get("savehar").done()

    assert before.read_text().count('"startedDateTime"') == 1


@pytest.mark.parametrize("kind", idle._HAS_WORK, ids=lambda kind: kind.__name__)
async def test_every_hook_of_theirs_may_be_passed_over(kind: type):
    """None has another event than flows', beside those of its own life."""
    with taddons.context(kind()) as context:
        addon = context.master.addons.get(kind.__name__.lower())
        assert idle.idles(addon, "request")
        assert not any(idle.idles(addon, name) for name in idle._LIFE)
        vars(addon)["request"] = lambda _: None
        assert not idle.idles(addon, "request")
