"""`everbearer completion`: words for the shell's Tab key."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from everbearer.cli import voice
from everbearer.cli.main import everbearer


@click.command(epilog='\b\nExample:\n  eval "$(everbearer completion bash)"')
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """
    Print the completion script of a shell.

    For good, put the example's line into ~/.bashrc or ~/.zshrc; for fish, save
    the script as ~/.config/fish/completions/everbearer.fish.
    """
    script = get_completion_class(shell)
    assert script is not None
    words = script(everbearer, {}, "everbearer", "_EVERBEARER_COMPLETE")
    voice.result(words.source())
