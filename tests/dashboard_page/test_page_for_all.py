"""The page for everybody: by keyboard, on a phone, in the dark, read aloud."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

import canned
from browsing import kept, violations
from hours import busy


def wrong(now):
    """Return a busy state with a dead profile, in front of the sandbox."""
    document = busy(now)
    document["requests"] = document["requests"][:30]
    document["profiles"][0] = canned.dead("dev", now)
    document["troubles"] = [
        canned.DEAD | {"since": now - 300},
        canned.DEAD | {"level": "warning", "text": "something else", "since": None},
    ]
    document["instance"]["not_the_real_box"] = "NOT THE REAL BOX"
    return document


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", [wrong, canned.document])
def test_axe_finds_nothing_serious(visit, scheme, state):
    """On the page, in the dialog of a revocation, and in an explanation."""
    seen = visit(state, color_scheme=scheme, reduced_motion="reduce")
    seen.page.get_by_text("The same in words").click()
    assert violations(seen.page) == []

    seen.card("dev").get_by_role("button", name="Revoke").click()
    assert violations(seen.page) == []
    seen.page.keyboard.press("Escape")
    for request in seen.server.document["requests"][3:4]:
        seen.server.stories["r301"] = canned.healed(request)
        seen.row("/2.0/folders/301/items").click()
        expect(seen.page.get_by_role("dialog")).to_contain_text("Sent once more")
        assert violations(seen.page) == []


@pytest.mark.parametrize("state", [wrong, canned.document])
def test_nothing_is_wider_than_the_screen(visit, state):
    """No scrolling to the side, on a phone either, with an explanation open or not."""
    seen = visit(state)
    for width in (320, 360, 768, 1280, 360):
        seen.page.set_viewport_size({"width": width, "height": 740})
        sideways = "document.documentElement.scrollWidth - innerWidth"
        assert seen.page.evaluate(sideways) <= 0, width
        hidden = "(list) => list.scrollWidth - list.clientWidth"
        assert seen.page.locator(".scroller").evaluate(hidden) <= 0, width
    for request in seen.server.document["requests"][3:4]:
        seen.server.stories["r301"] = canned.healed(request)
        seen.row("/2.0/folders/301/items").click()
        dialog = seen.page.get_by_role("dialog")
        expect(dialog).to_contain_text("Sent once more")
        assert dialog.evaluate("(d) => d.scrollWidth - d.clientWidth") <= 0


def test_tab_leads_through_everything_that_can_be_done(visit):
    """From the way past the head to the last line to copy, always in sight."""
    seen = visit(wrong, viewport={"width": 1280, "height": 900})
    page = seen.page
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        name, has_ring = page.evaluate(
            """() => {
              const at = document.activeElement;
              const name = at.ariaLabel || at.textContent || at.id || at.value;
              const ring = (node) => getComputedStyle(node).outlineStyle !== "none";
              const within = at.closest("tr, label, .mark, .life") ?? at;
              const drawn = ring(at) || ring(within) || at.matches(".mark, .life");
              return [at === document.body ? "" : name.trim(), drawn];
            }"""
        )
        if not name:
            break
        assert has_ring, f"no ring around {name!r}"
        reached.append(name)

    assert reached[0] == "Skip to what matters"
    for name in (
        *("Profiles", "Log in", "Copy the command", "Renew now: dev", "Log in: dev"),
        *("Revoke the tokens of dev", "3600", "The same in words", "filter"),
        "Copy line of The CA",
    ):
        assert name in reached, reached
    assert any(name.startswith("Explain GET") for name in reached)
    assert len([name for name in reached if name.startswith("Explain")]) == 1


def test_the_page_is_told_in_landmarks_and_headings(visit):
    """One main, one banner, a named region for each part, headings without a gap."""
    page = visit(wrong).page
    for role in ("banner", "main", "navigation", "contentinfo"):
        expect(page.get_by_role(role)).to_have_count(1)
    for name in ("Something is wrong", "Profiles", "Timeline", "Requests", "Set-up"):
        expect(page.get_by_role("region", name=name)).to_have_count(1)
        expect(page.get_by_role("heading", name=name, level=2)).to_have_count(1)
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    expect(page.get_by_role("columnheader")).to_have_count(9)


def test_nothing_moves_where_nothing_should(visit):
    """Who wants less motion gets none."""
    moves = """() => {
      document.getElementById("explanation").showModal();
      return document.getAnimations().length;
    }"""
    assert visit(reduced_motion="reduce").page.evaluate(moves) == 0
    assert visit().page.evaluate(moves) == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_picture_of_the_page_is_kept(visit, tmp_path, scheme):
    """For whoever wants to see what the tests saw."""
    seen = visit(wrong, color_scheme=scheme, viewport={"width": 1280, "height": 2000})
    expect(seen.row("/2.0/folders/301/items")).to_be_visible()
    picture = kept(seen.page, f"dashboard-{scheme}", tmp_path)
    assert picture.read_bytes().startswith(b"\x89PNG")
