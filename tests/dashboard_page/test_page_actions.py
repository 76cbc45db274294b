"""What the buttons of the dashboard's page do: renew, revoke, log in."""

from __future__ import annotations

import time

from playwright.sync_api import expect

import canned


def test_a_renewal_is_asked_for_and_its_result_stands_beside(visit):
    """One POST with the field that no other site can send; the words of the answer."""
    seen = visit()
    seen.server.answers["renew"] = {"ok": True, "words": "renewed, good for 60 min"}
    jwt = seen.card("jwt")
    jwt.get_by_role("button", name="Renew now").click()

    expect(jwt.get_by_role("status")).to_have_text("✓ renewed, good for 60 min")
    assert seen.server.asked == [("renew", "jwt", "1")]
    expect(seen.card("dev").get_by_role("status")).to_have_text("")


def test_what_could_not_be_done_says_what_to_do(visit):
    """The words and the hint of the answer, its command to be copied."""
    seen = visit()
    seen.server.answers["renew"] = {
        "ok": False,
        "words": "the server says invalid_client",
        "hint": "run: everbearer check",
    }
    dev = seen.card("dev")
    dev.get_by_role("button", name="Renew now").click()

    expect(dev.get_by_role("status")).to_contain_text(
        "✗ the server says invalid_client"
    )
    expect(dev.get_by_role("status").locator("code")).to_have_text("everbearer check")
    expect(dev.get_by_role("button", name="Renew now")).to_be_focused()


def test_a_revocation_is_asked_about_first(visit):
    """Who keeps the tokens sends nothing; the focus comes back to the button."""
    seen = visit()
    seen.server.answers["revoke"] = {"ok": True, "words": "the tokens are revoked"}
    dev = seen.card("dev")
    button = dev.get_by_role("button", name="Revoke")
    dialog = seen.page.get_by_role("dialog", name="Revoke the tokens of dev?")

    for keep in ("button", "Escape"):
        button.click()
        expect(dialog).to_contain_text("a person has to log in again")
        if keep == "button":
            dialog.get_by_role("button", name="Keep them").click()
        else:
            seen.page.keyboard.press(keep)
        expect(dialog).to_be_hidden()
        expect(button).to_be_focused()
    assert seen.server.asked == []

    button.click()
    dialog.get_by_role("button", name="Revoke").click()
    expect(dev.get_by_role("status")).to_have_text("✓ the tokens are revoked")
    assert seen.server.asked == [("revoke", "dev", "1")]


def test_what_cannot_be_done_has_no_button(visit):
    """No login for a grant that needs none, no revocation where there is nothing."""
    seen = visit()
    names = seen.card("ccg").get_by_role("button")
    expect(names).to_have_text(["Renew now"])
    expect(seen.card("jwt").get_by_role("button")).to_have_text(
        ["Renew now", "Revoke …"]
    )


def test_a_login_opens_in_a_page_of_its_own(visit):
    """The server's, which learns nothing of this one; what comes of it is told."""
    seen = visit()
    url = f"{seen.server.url}/icon.svg"
    seen.server.answers["login"] = {"ok": True, "url": url, "words": "go on there"}
    dev = seen.card("dev")
    with seen.page.context.expect_page() as popup:
        dev.get_by_role("button", name="Log in").click()

    popup.value.wait_for_url(url)
    assert popup.value.evaluate("[opener, document.referrer]") == [None, ""]
    told = dev.get_by_role("status")
    expect(told.get_by_role("link")).to_have_attribute("href", url)

    at, words = time.time() + 60, "a person logged in"
    last = {"at": at, "outcome": "renewed", "cause": "login", "words": words}
    _, *others = canned.three(seen.now)
    dev = canned.three(seen.now)[0] | {"last": last}
    seen.server.push("profiles", [dev, *others])
    expect(told).to_have_text("✓ a person logged in")


def test_an_address_that_is_none_is_not_opened(visit):
    """What is no https or http URL is neither opened nor linked."""
    seen = visit()
    url = "javascript:document.title='mine'"
    seen.server.answers["login"] = {"ok": True, "url": url, "words": "go on there"}
    dev = seen.card("dev")
    dev.get_by_role("button", name="Log in").click()

    expect(dev.get_by_role("status")).to_have_text("✓ go on there")
    assert len(seen.page.context.pages) == 1
