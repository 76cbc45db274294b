"""The page's list of requests, and the explanation of one."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

import canned
from hours import busy

MOST = 1000


def test_a_request_is_told_in_every_column(visit):
    """Time, client and user, method, where, profile, verdict, reason, status, ms."""
    seen = visit(busy)
    row = seen.row("/2.0/folders/301/items")
    for words in ("127.0.0.1", "GET", "api.box.com", "dev", "inject", "replayed"):
        expect(row).to_contain_text(words)
    expect(row).to_contain_text("the request has no Authorization")
    expect(row).to_contain_text("431 ms")
    expect(seen.row("/2.0/files/77")).to_contain_text("carl")
    expect(seen.page.locator("#count")).to_have_text("304 requests")


def test_new_requests_come_on_top_of_those_that_stay(visit):
    """Rows are added, not drawn anew; no more than 1,000 are kept."""
    seen = visit(
        lambda now: canned.document(
            now, requests=[canned.row(number, now) for number in range(MOST, 0, -1)]
        )
    )
    page = seen.page
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(MOST)
    kept = page.evaluate_handle("document.querySelector('tbody tr')")

    new = [canned.row(number, seen.now) for number in (MOST + 1, MOST + 2)]
    seen.server.push("requests", new)
    seen.server.push("requests", new)
    expect(rows.first).to_contain_text(f"/2.0/folders/{MOST + 2}/items")
    expect(rows).to_have_count(MOST)
    expect(rows.last).to_contain_text("/2.0/folders/3/items")
    third = "(row) => row === document.querySelectorAll('tbody tr')[2]"
    assert kept.evaluate(third)


def test_the_filter_finds_words_of_any_column(visit):
    """All words must be there, in any case; new rows are filtered as well."""
    seen = visit(busy)
    page, count = seen.page, seen.page.locator("#count")
    box = page.get_by_role("searchbox", name="Filter")
    rows = page.locator("tbody tr:visible")

    for words, found in (("404", 1), ("REFUSE", 1), ("replayed dev", 1), ("carl", 1)):
        box.fill(words)
        expect(count).to_have_text(f"{found} of 304 requests")
        expect(rows).to_have_count(found)
    box.fill("carl")
    new = [canned.row(n, seen.now, user=user) for n, user in ((901, "carl"), (902, ""))]
    seen.server.push("requests", new)
    expect(rows).to_have_count(2)
    expect(count).to_have_text("2 of 306 requests")

    box.fill("no such word")
    expect(page.get_by_text("Every column is searched")).to_be_visible()
    box.fill("")
    expect(rows).to_have_count(306)


@pytest.mark.parametrize("by", ["click", "Enter"])
def test_a_replayed_request_is_explained(visit, by):
    """The rule, the steps, the challenge in words, the renewal, the replay."""
    seen = visit(busy)
    page, row = seen.page, seen.row("/2.0/folders/301/items")
    request = seen.server.document["requests"][3]
    seen.server.stories["r301"] = canned.healed(request)
    if by == "click":
        row.get_by_text("inject").click()
    else:
        row.get_by_role("button").press("Enter")

    dialog = page.get_by_role("dialog", name="GET api.box.com/2.0/folders/301/items")
    happened, decided = map(dialog.get_by_role("list").nth, (0, 1))
    expect(dialog).to_contain_text("It was sent with a token of dev")
    expect(dialog).to_contain_text("The rule that matched: box: API")
    expect(happened.get_by_role("listitem")).to_contain_text(
        [
            "401 for token 51be07aaBearer, invalid_token (the token has ended",
            "Renewed in 212 mstoken 8f3ac21d: the last one was answered 401",
            "Sent once more, with the new tokenanswered 200 in 96 ms",
            "The clientgot 200, the answer to the second attempt, after 431 ms",
        ]
    )
    expect(decided.get_by_role("listitem")).to_have_count(7)
    expect(decided.locator(".last")).to_contain_text("Its own credential")

    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(row.get_by_role("button")).to_be_focused()


def test_a_refused_request_says_what_to_do(visit):
    """The reason, the failed renewal, and the command that mends it."""
    seen = visit(busy)
    request = seen.server.document["requests"][2]
    seen.server.stories["r302"] = canned.story(
        request,
        hint="run: everbearer login dev, and grant access",
        failure={
            "at": seen.now,
            "code": "reauthorization_required",
            "message": "the server says invalid_grant",
            "hint": "run: everbearer login dev",
        },
    )
    seen.row("/api/2.1/files/content").click()

    dialog = seen.page.get_by_role("dialog")
    expect(dialog).to_contain_text("It was refused and not sent")
    expect(dialog.get_by_role("heading", name="What to do")).to_be_visible()
    expect(dialog.locator("code").first).to_have_text("everbearer login dev")
    expect(dialog).to_contain_text("the server says invalid_grant (reauthorization_req")
    expect(dialog).to_contain_text("got 400")


def test_a_request_that_is_not_kept_any_more_is_told(visit):
    """What the server has forgotten is said to be forgotten."""
    seen = visit(busy)
    seen.row("/2.0/files/77").click()

    dialog = seen.page.get_by_role("dialog")
    expect(dialog).to_contain_text("This request is not kept any more")
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()
    assert all("404" in each for each in seen.complaints)
    seen.complaints.clear()


def test_a_click_beside_the_explanation_closes_it(visit):
    """One into its empty part does not."""
    seen = visit(busy, viewport={"width": 1280, "height": 2000})
    seen.server.stories["r304"] = canned.story(seen.server.document["requests"][0])
    seen.row("/2.0/files/77").click()
    dialog = seen.page.get_by_role("dialog")
    expect(dialog.locator(".story")).to_have_count(2)

    seen.page.mouse.click(1200, 1950)
    expect(dialog).to_be_visible()
    seen.page.mouse.click(100, 1950)
    expect(dialog).to_be_hidden()


def test_the_list_is_walked_by_keys(visit):
    """One stop of Tab; the arrows, PageDown, Home and End go from row to row."""
    seen = visit(busy)
    rows = seen.page.locator("tbody tr")
    expect(rows.locator("button[tabindex='0']")).to_have_count(1)
    rows.first.get_by_role("button").focus()
    for key, place in (
        *(("ArrowDown", 1), ("PageDown", 16), ("ArrowUp", 15), ("ArrowUp", 14)),
        *(("End", 303), ("ArrowDown", 303), ("Home", 0), ("PageUp", 0)),
    ):
        seen.page.keyboard.press(key)
        expect(rows.nth(place).get_by_role("button")).to_be_focused()
    expect(rows.locator("button[tabindex='0']")).to_have_count(1)
