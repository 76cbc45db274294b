"""The picture of the tokens' lives: pointed at, walked by keys, read as text."""

from __future__ import annotations

import re

from playwright.sync_api import expect

import canned
from hours import busy


def test_lives_and_marks_say_what_they_are(visit):
    """Each has its words for who cannot see it, and each kind its own shape."""
    seen = visit(busy)
    lane = seen.page.get_by_role("group", name="dev")
    lives, marks = lane.locator(".life"), lane.locator(".mark")

    expect(lives).to_have_count(2)
    label = lives.first.get_attribute("aria-label")
    assert label.startswith("dev, token 99cc00dd, issued ")
    assert "refused with a 401" in label
    assert ", 39 min left" in lives.last.get_attribute("aria-label")
    kinds = [mark.get_attribute("data-kind") for mark in marks.all()]
    assert kinds[:5] == ["rejected", "renewed", "replayed", "failed", "renewed"]
    shapes = {
        mark.get_attribute("data-kind"): mark.locator("path").get_attribute("d")
        for mark in seen.page.locator("#legend .mark").all()
    }
    assert len(set(shapes.values())) == len(shapes) == 6


def test_marks_of_a_kind_that_lie_together_are_one_with_a_number(visit):
    """Twelve replays at once: the number, and from when to when."""

    def twelve(now):
        # At one instant: else a border of what is put together may lie between.
        begin = now - 3600
        marks = [
            canned.mark("dev", begin, "replayed", "sent once more: 200", "r301")
            for _ in range(12)
        ]
        return canned.document(now, marks=marks)

    seen = visit(twelve)
    seen.page.get_by_label("6 h", exact=True).check()
    (mark,) = seen.page.locator("#picture .mark").all()
    expect(mark).to_have_text("12")
    expect(mark).to_have_attribute("aria-label", _of("12 times from"))


def test_what_is_pointed_at_says_what_it_is(visit):
    """Hover and focus show the words, Escape and leaving take them away."""
    seen = visit(busy)
    tip = seen.page.locator(".tip")
    mark = seen.page.locator("#picture .mark[data-kind=revoked]")

    mark.hover()
    expect(tip).to_contain_text("revoked: the tokens are revoked and deleted")
    seen.page.get_by_role("heading", name="Profiles").hover()
    expect(tip).to_be_hidden()
    mark.focus()
    expect(tip).to_be_visible()
    seen.page.keyboard.press("Escape")
    expect(tip).to_be_hidden()


def test_the_picture_is_walked_by_keys(visit):
    """One stop of Tab; the arrows walk in a lane and to another; Enter opens."""
    seen = visit(busy)
    page = seen.page
    seen.server.stories["r301"] = canned.healed(seen.server.document["requests"][3])
    expect(page.locator("#picture [tabindex='0']")).to_have_count(1)
    rejected = page.locator("#picture .mark[data-kind=rejected]")
    rejected.focus()
    dev = page.get_by_role("group", name="dev").locator(".mark")
    jwt = page.get_by_role("group", name="jwt")
    page.keyboard.press("ArrowRight")
    expect(dev.nth(1)).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowRight")
    expect(rejected).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(jwt.locator(":focus")).to_have_count(1)
    page.keyboard.press("End")
    expect(jwt.locator(".mark").last).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("group", name="dev").locator(":focus")).to_have_count(1)
    expect(page.locator("#picture [tabindex='0']")).to_have_count(1)

    rejected.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("401 for token 51be07aa")
    page.keyboard.press("Escape")
    expect(rejected).to_be_focused()


def test_another_time_shows_what_was_then(visit):
    """In 15 minutes are two lives and no revocation, in 6 hours six lives."""
    seen = visit(busy)
    lives = seen.page.locator("#picture .life")
    seen.page.get_by_label("15 min", exact=True).check()
    expect(lives).to_have_count(2)
    expect(seen.page.locator("#picture .mark[data-kind=revoked]")).to_have_count(0)
    seen.page.get_by_label("6 h", exact=True).check()
    expect(lives).to_have_count(6)


def test_what_comes_is_drawn_at_once(visit):
    """A revocation that is told of ends the life and leaves its mark."""
    seen = visit(busy)
    ended = {"ended_at": seen.now, "end": "revoked"}
    life = canned.life("jwt", "b07e11d9", seen.now - 1200, **ended)
    mark = canned.mark("jwt", seen.now, "revoked", "the tokens are revoked")
    seen.server.push("lives", {"lives": [life], "marks": [mark]})

    expect(seen.page.locator("#picture .life")).to_have_count(1)
    expect(seen.page.locator("#picture .life")).to_have_attribute(
        "aria-label", _of("revoked")
    )
    expect(seen.page.locator("#picture .mark")).to_have_count(1)


def test_the_focus_stays_when_others_go(visit):
    """Marks that leave the picture take the focus from none that stays."""
    seen = visit(busy)
    mark = seen.page.locator("#picture .mark[data-kind=revoked]")
    mark.focus()
    lives, marks = (seen.server.document[each] for each in ("lives", "marks"))
    seen.server.push("lives", {"lives": lives[-2:], "marks": marks[3:]})
    expect(seen.page.locator("#picture .mark[data-kind=rejected]")).to_have_count(0)
    expect(mark).to_be_focused()


def test_the_same_stands_there_in_words(visit):
    """A list that needs no picture, the newest first, brought up to date."""
    seen = visit(busy)
    told = seen.page.locator("#told-list")
    seen.page.get_by_text("The same in words").click()
    expect(told).to_contain_text("revoked: the tokens are revoked and deleted")
    expect(told).to_contain_text("token 99cc00dd")
    seen.server.push("lives", {"lives": [], "marks": []})
    expect(told.locator("p")).to_have_count(0)


def _of(words: str) -> re.Pattern[str]:
    return re.compile(re.escape(words))
