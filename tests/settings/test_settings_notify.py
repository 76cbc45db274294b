"""The table `[notify]`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from settings.config_folder import CANARY, DEV


def test_a_program_is_found_when_the_configuration_is_read(folder):
    """By its full path; later changes of PATH run no other."""
    assert folder.load(DEV).notify.command == ()
    settings = folder.load(f'{DEV}[notify]\ncommand = ["sh", "-c", "true"]\n')
    program, *rest = settings.notify.command
    assert Path(program).is_absolute()
    assert os.access(program, os.X_OK)
    assert rest == ["-c", "true"]


def test_a_relative_path_starts_at_the_configuration(folder):
    """As the other paths of the file do."""
    folder.write("tell-me", "#!/bin/sh\n", 0o700)
    settings = folder.load(f'{DEV}[notify]\ncommand = ["./tell-me"]\n')
    assert settings.notify.command == (str(folder.path / "tell-me"),)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("[]", "names no program"),
        ('[""]', "names no program"),
        ('["sh", "\\u0000"]', "holds what no argument can"),
        ('["no-such-program-here"]', 'there is no program "no-such-program-here"'),
        ('["/no/such/program"]', 'there is no program "/no/such/program"'),
        ('["/"]', 'there is no program "/"'),
        ('["./plain"]', 'the program "./plain" may not be run'),
        (f'["mail --password {CANARY}"]', 'there is no program "mail" on PATH'),
    ],
)
def test_what_cannot_be_run_is_told(folder, command, message):
    """With the corrected form, and without the arguments: one may be a secret."""
    folder.write("plain", "#!/bin/sh\n", 0o600)
    problem = folder.problem(f"{DEV}[notify]\ncommand = {command}\n")
    assert problem.path == "notify.command"
    assert message in problem.message
    assert problem.fix
