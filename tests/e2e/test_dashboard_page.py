"""The dashboard's page in a real browser, at a proxy and a sandbox that run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from browsing import chromium, kept, opened, violations
from harness import Place, Proxy, Sandbox

ME = "https://api.box.com/2.0/users/me"
TOKEN = "/oauth2/token"


@dataclass
class Seen:
    """The page of a proxy that serves the three profiles of its sandbox."""

    page: Page
    proxy: Proxy
    sandbox: Sandbox
    complaints: list[str]

    def card(self, name: str) -> Locator:
        """Return what the page shows of that profile."""
        return self.page.get_by_role("article", name=name, exact=True)

    def asks(self, profile: str) -> int:
        """Ask for something as that profile; return the status."""
        return self.proxy.curl(ME, "-H", f"Everbearer-Profile: {profile}").status

    @property
    def rows(self) -> Locator:
        """The requests, the newest first."""
        return self.page.locator("tbody tr")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start one browser for all tests here."""
    with chromium() as started:
        yield started


@pytest.fixture
def see(
    place: Place, sandbox: Sandbox, browser: Browser
) -> Iterator[Callable[..., Seen]]:
    """Open the page as a person does; it must complain of nothing."""
    stack = ExitStack()
    seen: list[Seen] = []

    def look(**wanted: object) -> Seen:
        config = sandbox.state / "all.toml"
        proxy = Proxy(place, config)
        told = place.everbearer("dashboard", "--no-browser", "-c", str(config))
        page, complaints = stack.enter_context(
            opened(browser, ignore_https_errors=True, **wanted)
        )
        page.goto(told.stdout.strip())
        expect(page.locator("#link")).to_have_text("live")
        seen.append(Seen(page, proxy, sandbox, complaints))
        return seen[-1]

    with stack:
        yield look
    assert [each.complaints for each in seen if each.complaints] == []


def test_three_profiles_are_shown_and_followed(see, place):
    """A first token, a renewal and a logout elsewhere show without reloading."""
    seen = see()
    page = seen.page
    expect(page.locator("#unreal")).to_contain_text("NOT THE REAL BOX")
    for name, grant in (
        *(("dev", "refresh_token"), ("jwt", "jwt_bearer")),
        ("ccg", "client_credentials"),
    ):
        expect(seen.card(name)).to_contain_text(grant)
    expect(page.get_by_text("No request yet")).to_be_visible()
    expect(page.locator("#request-list code")).to_contain_text(
        f"curl -x {seen.proxy.url}"
    )

    assert seen.asks("jwt") == 200
    expect(seen.rows).to_have_count(1)
    expect(seen.rows.first).to_contain_text("api.box.com/2.0/users/me")
    expect(seen.card("jwt").locator(".state")).to_have_text("fresh")
    token = seen.card("jwt").locator("dd.mono").last
    before = token.inner_text()

    config = str(seen.sandbox.state / "all.toml")
    place.everbearer("renew", "-c", config, "jwt")
    expect(token).not_to_have_text(before)
    place.everbearer("logout", "-c", config, "jwt")
    expect(seen.card("jwt").locator(".state")).to_have_text("no token")


def test_a_profile_is_renewed_and_revoked_by_its_buttons(see):
    """The server has another token, and then none; the page says so at once."""
    seen = see()
    assert seen.asks("dev") == 200
    dev, page = seen.card("dev"), seen.page
    renewed = page.locator("#picture .mark[data-kind=renewed]")
    before = len(seen.sandbox.token_requests())

    dev.get_by_role("button", name="Renew now").click()
    expect(dev.get_by_role("status")).to_contain_text("renewed, good for 6")
    assert len(seen.sandbox.token_requests()) == before + 1
    expect(renewed).not_to_have_count(0)
    expect(page.locator("#picture .life")).not_to_have_count(0)

    dev.get_by_role("button", name="Revoke").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(dev.get_by_role("status")).to_contain_text("revoked and deleted")
    expect(dev.locator(".state")).to_have_text("no token")
    expect(page.locator("#picture .mark[data-kind=revoked]")).to_have_count(1)
    assert seen.asks("dev") == 502
    expect(seen.rows.first).to_contain_text("refuse")


def test_a_replayed_request_is_explained(see, tmp_path):
    """The rule, the 401 in words, the renewal that it led to, and the replay."""
    seen = see(viewport={"width": 1280, "height": 1800})
    assert seen.asks("jwt") == 200
    seen.sandbox.revoke(profile="jwt")
    assert seen.asks("jwt") == 200
    page = seen.page
    replayed = seen.rows.filter(has_text="replayed")
    expect(replayed).to_have_count(1)
    expect(page.locator("#picture .mark[data-kind=rejected]")).to_have_count(1)
    marks = page.get_by_role("group", name="jwt").locator(".mark").all()
    kinds = [mark.get_attribute("data-kind") for mark in marks]
    assert kinds[-3:] == ["rejected", "renewed", "replayed"], "in their order"
    kept(page, "dashboard-replayed", tmp_path)

    replayed.get_by_role("button").press("Enter")
    dialog = page.get_by_role("dialog", name="GET api.box.com/2.0/users/me")
    happened, decided = map(dialog.get_by_role("list").nth, (0, 1))
    expect(dialog).to_contain_text("It was sent with a token of jwt")
    expect(dialog).to_contain_text("The rule that matched: box")
    told = happened.get_by_role("listitem")
    expect(told).to_have_count(4)
    expect(told.nth(0)).to_contain_text("invalid_token")
    expect(told.nth(1)).to_contain_text("the last one was answered 401")
    expect(told.nth(2)).to_contain_text("Sent once more, with the new token")
    expect(told.nth(3)).to_contain_text("got 200")
    expect(decided.get_by_role("listitem").first).to_contain_text("Who asks")
    kept(page, "dashboard-explanation", tmp_path)


def test_a_dead_refresh_token_asks_for_a_login_which_mends_it(see, tmp_path):
    """After invalid_grant: the cause, the command and the button; then all is well."""
    seen = see()
    page = seen.page
    assert seen.asks("dev") == 200
    problem = {"error": "invalid_grant", "error_description": "Invalid refresh token"}
    seen.sandbox.fault({"status": 400, "body": problem}, path=TOKEN)
    seen.sandbox.revoke(profile="dev")
    assert seen.asks("dev") == 502

    troubles = page.get_by_role("region", name="Something is wrong")
    expect(troubles).to_contain_text("invalid_grant")
    config = seen.sandbox.state / "all.toml"
    expect(troubles.locator("code").first).to_have_text(
        f"everbearer login -c {config} dev"
    )
    expect(troubles.get_by_role("button", name="Log in")).to_be_visible()
    expect(seen.card("dev")).to_contain_text("refused by the server")
    kept(page, "dashboard-dead", tmp_path)
    seen.sandbox.call("DELETE", "faults")
    with page.context.expect_page() as popup:
        troubles.get_by_role("button", name="Log in").click()
    popup.value.get_by_role("button", name="Grant access to Box").click()
    popup.value.get_by_role("heading", name="You are logged in").wait_for()

    expect(troubles).to_have_count(0)
    expect(seen.card("dev").locator(".state")).to_have_text("fresh")
    assert seen.asks("dev") == 200


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_the_page_as_it_is(see, scheme, tmp_path):
    """After a request of each profile, one of them refused by the server."""
    seen = see(color_scheme=scheme, viewport={"width": 1280, "height": 1800})
    seen.sandbox.fault({"status": 503}, path=TOKEN, times=1)
    for profile in ("dev", "jwt", "ccg"):
        seen.asks(profile)
    expect(seen.rows).to_have_count(3)
    assert violations(seen.page) == []
    kept(seen.page, f"dashboard-real-{scheme}", tmp_path)


def test_no_token_is_in_the_page(see):
    """Neither in what it shows nor in what it was told."""
    seen = see()
    for profile in ("dev", "jwt", "ccg"):
        assert seen.asks(profile) == 200
    expect(seen.rows).to_have_count(3)
    ids = [row.get_attribute("data-id") for row in seen.rows.all()]
    told = [f"/api/requests/{each}" for each in ids]
    whole = seen.page.content()
    for address in ("/api/state", *told):
        ask = "(address) => fetch(address).then((answer) => answer.text())"
        whole += seen.page.evaluate(ask, address)
    secrets = seen.sandbox.call("GET", "secrets")
    hidden = [*secrets["tokens"], *secrets["client_secrets"]]
    assert hidden
    assert not any(secret in whole for secret in hidden)
    assert not re.search(r"ticket=|code=", whole)
