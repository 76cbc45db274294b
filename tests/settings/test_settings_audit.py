"""The table `[audit]`."""

from __future__ import annotations

import pytest

from settings.config_folder import DEV


@pytest.mark.parametrize(("keep", "is_told"), [(0, True), (1, False), (1001, True)])
def test_at_least_one_older_file_stays(folder, keep: int, is_told: bool):
    """With none, a full file would take everything with it, or never end."""
    toml = f'{DEV}[audit]\nfile = "log"\nkeep = {keep}\n'
    if not is_told:
        assert folder.load(toml).audit.keep == keep
        return
    assert str(folder.problem(toml)) == (
        "audit.keep: expected how many older files stay, from 1 to 1000;"
        " write: keep = 5"
    )


def test_a_name_that_no_file_can_have_is_told(folder):
    """With its place, and not by whoever opens it."""
    problem = folder.problem(f'{DEV}[audit]\nfile = "a\\u0000b"\n')
    assert str(problem) == "audit.file: holds a NUL, which no name of a file can"
