"""`everbearer demo`: the main job, in front of the reader."""

from __future__ import annotations

import click

from everbearer.cli import voice


@click.command(epilog="\b\nExample:\n  everbearer demo")
def command() -> int:
    """
    Show what everbearer does, with a local Box: no account, no network.

    A sandbox, the proxy and curl run in a temporary folder, which is gone in
    the end. The exit code is 1 if anything is not as claimed.
    """
    from everbearer.cli.narrator import Narrator
    from everbearer.cli.stage import Stage, require_curl
    from everbearer.cli.story import Story

    require_curl()
    narrator = Narrator()
    with Stage() as stage:
        voice.result(f"everything happens in {stage.folder}, and is gone afterwards")
        story = Story(stage, narrator)
        for scene in (
            story.open,
            story.without,
            story.grants,
            story.placeholder,
            story.short_life,
            story.expiry,
            story.revocation,
            story.restart,
            story.numbers,
        ):
            scene()
    count = len(narrator.kept) + len(narrator.broken)
    narrator.title(f"{len(narrator.kept)} of {count} claims kept")
    for claim in narrator.broken:
        voice.error(f"not as claimed: {claim}")
    return 1 if narrator.broken else 0
