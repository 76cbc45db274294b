"""What a person sees on the dashboard's page."""

from __future__ import annotations

import json
import re
import time

import pytest
from playwright.sync_api import expect

import canned
from hours import busy


def test_each_profile_is_told_in_words(visit):
    """State, time left, grant, subject, the refresh token's last day, what it did."""
    seen = visit()
    dev, ccg = seen.card("dev"), seen.card("ccg")

    last = time.strftime("%Y-%m-%d", time.localtime(seen.now + 54 * 24 * canned.HOUR))
    for words in ("default", "fresh", "39 min left", "refresh_token", f"until {last}"):
        expect(dev).to_contain_text(words)
    expect(dev).to_contain_text("the last one was about to end")
    expect(dev).to_contain_text("8f3ac21d")
    expect(dev).to_contain_text("128 requests")
    expect(seen.card("jwt")).to_contain_text("enterprise 100001")
    expect(ccg).to_contain_text("No token yet")
    expect(seen.page.get_by_text("Nothing is wrong: 3 profiles")).to_be_visible()
    expect(seen.page.locator(".badge:visible")).to_have_count(1)


def test_the_time_left_is_by_the_clock_of_the_server(visit):
    """A browser whose clock is two hours slow shows what is left all the same."""
    seen = visit(lambda now: canned.document(now + 2 * canned.HOUR))

    meter = seen.card("jwt").get_by_role("meter")
    expect(meter).to_have_attribute("aria-valuetext", "39 min left")
    expect(meter).to_have_attribute("aria-valuenow", re.compile("^6[567]$"))


def test_a_token_ages_without_a_word_of_the_server(visit):
    """Past its time to be renewed it is stale, past its end expired."""

    def old(now):
        ends = {"stale_at": now - 60, "expired_at": now + 900}
        over = {"stale_at": now - 90, "expired_at": now - 3}
        profiles = [canned.fresh("dev", now, **ends), canned.fresh("jwt", now, **over)]
        return canned.document(now, profiles=profiles)

    seen = visit(old)
    expect(seen.card("dev").locator(".state")).to_have_text("stale")
    expect(seen.card("jwt").locator(".state")).to_have_text("expired")


def test_what_is_dead_is_told_at_the_top_with_what_mends_it(visit):
    """By an event, without reloading: the cause, the button, the exact command."""
    seen = visit()
    page = seen.page
    troubles = page.get_by_role("region", name="Something is wrong")
    expect(troubles).to_have_count(0)

    _, *others = canned.three(seen.now)
    seen.server.push("profiles", [canned.dead("dev", seen.now), *others])
    seen.server.push("troubles", [canned.DEAD | {"since": seen.now - 300}])

    expect(troubles).to_contain_text("dev: the server says invalid_grant")
    expect(troubles).to_contain_text("for 5 min")
    command = "everbearer login -c /home/olivia/box/all.toml dev"
    expect(troubles.locator("code")).to_have_text(command)
    expect(troubles.get_by_role("button", name="Log in")).to_be_visible()
    expect(page).to_have_title("(1) everbearer")
    expect(page.locator("#said")).to_contain_text("something is wrong: dev: the server")
    expect(seen.card("dev")).to_contain_text("The server refuses this token")

    seen.server.push("troubles", [])
    expect(troubles).to_have_count(0)
    expect(page).to_have_title("everbearer")


def test_a_profile_that_can_have_no_token_looks_dead(visit):
    """Not as one that has had none yet: its grant is refused, and so are requests."""
    seen = visit()
    stuck = canned.dead("dev", seen.now) | {"state": "none", "token": ""}
    stuck |= {"expires_at": None, "refresh_ends_at": seen.now + canned.HOUR}
    seen.server.push("profiles", [stuck])

    dev = seen.card("dev")
    expect(dev).to_have_attribute("data-state", "dead")
    expect(dev.locator(".left")).to_have_text("No token")
    expect(dev).to_contain_text("What mends it stands at the top of the page")
    expect(dev).to_contain_text("refused by the server")
    expect(dev).to_contain_text("5 min ago: failed")


def test_a_hint_has_its_commands_where_they_stand(visit):
    """Each can be copied whole; what stands around it is told around it."""
    hint = (
        "see what stands in between, then run: everbearer doctor -c /b/all.toml,"
        " and look at the line of dev; or run: everbearer renew dev"
    )

    def told(now):
        trouble = canned.DEAD | {"hint": hint, "action": "", "since": None}
        return canned.document(now, troubles=[trouble])

    shown = visit(told).page.locator(".trouble .hint")
    expect(shown.locator("code")).to_have_text(
        ["everbearer doctor -c /b/all.toml", "everbearer renew dev"]
    )
    expect(shown.locator("p")).to_have_text(
        [
            "See what stands in between, then run:",
            ", and look at the line of dev; or run:",
        ]
    )


def test_a_command_is_copied(visit):
    """The button puts the whole line into the clipboard and says so."""
    seen = visit(permissions=["clipboard-read", "clipboard-write"])
    seen.page.get_by_role("button", name="Copy line of The proxy").click()

    expect(seen.page.locator("#said")).to_have_text("copied line of The proxy")
    copied = seen.page.evaluate("navigator.clipboard.readText()")
    assert copied == "http://127.0.0.1:8080"


def test_what_others_wrote_is_text(visit):
    """Markup in a path, a reason, a name or a trouble is shown, not obeyed."""
    bad = "<img src=x onerror=\"document.title='mine'\"><b>bold</b>"

    def evil(now):
        rows = [canned.row(1, now, path=f"/{bad}", reason=bad, client=bad)]
        return canned.document(
            now,
            requests=rows,
            profiles=[canned.fresh(bad, now, subject=bad)],
            troubles=[canned.DEAD | {"text": bad, "hint": f"run: {bad}", "since": 0}],
            marks=[canned.mark(bad, now - 60, "failed", bad)],
            setup=[{"title": bad, "text": bad, "lines": [bad]}],
        )

    seen = visit(evil)
    (row,) = seen.server.document["requests"]
    seen.server.stories["r1"] = canned.story(row, note=bad, challenge=bad, hint=bad)
    seen.row("bold").click()
    expect(seen.page.locator("#explanation .story").first).to_contain_text(bad)

    # The page's own picture is the only one.
    assert seen.page.locator("main img, dialog img, main b:not(:empty)").count() == 0
    expect(seen.page).to_have_title("(1) everbearer")


def test_not_the_real_box_is_said_on_top(visit):
    """Where the sandbox stands in for Box the page says so before all else."""

    def sandboxed(now):
        document = canned.document(now)
        document["instance"]["not_the_real_box"] = "NOT THE REAL BOX"
        return document

    expect(visit(sandboxed).page.locator("#unreal")).to_have_text("NOT THE REAL BOX")
    expect(visit().page.locator("#unreal")).to_be_hidden()


def test_a_lost_connection_is_told_and_made_again(visit):
    """The page says that it shows the past, connects by itself, and shows what is."""
    seen = visit()
    page = seen.page
    changed = canned.document(seen.now)
    changed["profiles"][0]["served"] = 4711
    page.route("**/api/**", lambda route: route.abort())
    seen.server.cut()
    expect(page.get_by_text("The connection to everbearer is lost")).to_be_visible()
    expect(page.locator("#link")).to_have_text("connection lost")

    seen.server.document = changed
    page.unroute("**/api/**")
    expect(page.locator("#link")).to_have_text("live")
    expect(page.get_by_text("The connection to everbearer is lost")).to_be_hidden()
    expect(seen.card("dev")).to_contain_text("4,711 requests")
    # The browser tells of what failed, as it should.
    assert all("net::ERR_FAILED" in each for each in seen.complaints)
    seen.complaints.clear()


def test_a_session_that_ended_says_how_to_open_another(visit):
    """The command is told, nothing is asked again and again, and one can go on."""
    document = canned.document(time.time())
    document["instance"]["source"] = "/home/olivia/my box/all.toml"
    seen = visit(lambda _: document)
    page = seen.page
    seen.server.in_session = False
    seen.server.cut()

    lost = page.locator("#lost")
    expect(lost).to_contain_text("This session has ended")
    command = "everbearer dashboard -c '/home/olivia/my box/all.toml'"
    expect(lost.locator("code")).to_have_text(command)
    expect(page.get_by_text("Nothing is wrong: 3 profiles")).to_be_hidden()
    seen.server.in_session = True
    lost.get_by_role("button", name="Try again").click()
    expect(page.locator("#link")).to_have_text("live")
    expect(lost).to_be_hidden()
    assert all("403" in each for each in seen.complaints)
    seen.complaints.clear()


@pytest.mark.parametrize("lines", [0, 1])
def test_a_beginning_says_what_to_try(visit, lines):
    """Without a request the page has one that can be copied, if there is one."""
    seen = visit(lambda now: canned.document(now, setup=canned.SETUP[:lines]))
    empty = seen.page.locator("#request-list .empty")

    expect(empty).to_contain_text("No request yet")
    expect(empty.locator("code")).to_have_count(lines)
    expect(
        seen.page.get_by_text("No token has been issued in this time")
    ).to_be_visible()


def test_a_page_without_profiles_says_how_to_make_one(visit):
    """The command is told where there is nothing to show."""
    seen = visit(lambda now: canned.document(now, profiles=[]))
    expect(seen.page.get_by_text("everbearer init")).to_be_visible()


def test_nothing_is_kept_of_what_is_seen(visit):
    """The page leaves nothing in the browser's storage."""
    seen = visit(busy)
    kept = seen.page.evaluate(
        "JSON.stringify([{...localStorage}, {...sessionStorage}])"
    )
    assert json.loads(kept) == [{}, {}]
