"""`everbearer export`: a file for another tool, and never over another file."""

from __future__ import annotations

import json

from everbearer.providers.box_postman import postman_environment


def test_the_environment_is_printed(type_in):
    """It needs no configuration: standard output has it and nothing else."""
    typed = type_in("export postman")
    assert (typed.code, typed.err) == (0, "")
    assert typed.json == postman_environment()


def test_the_environment_is_written(type_in, tmp_path):
    """With -o there is a file of the same, and a word about what to do with it."""
    typed = type_in("export postman -o box.json")
    assert (typed.code, typed.out) == (0, "")
    assert json.loads((tmp_path / "box.json").read_text()) == postman_environment()
    assert "newman run -e box.json" in typed.err


def test_no_file_is_overwritten(type_in, tmp_path):
    """What the user may have changed since stays, and the message says what to do."""
    (tmp_path / "box.json").write_text("mine")
    typed = type_in("export postman -o box.json")
    assert (typed.code, typed.out) == (2, "")
    assert "box.json exists, and is not overwritten; remove it" in typed.err
    assert (tmp_path / "box.json").read_text() == "mine"


def test_what_cannot_be_written_is_told(type_in):
    """The reason is the system's, without a traceback."""
    typed = type_in("export postman -o nowhere/box.json")
    assert typed.code == 2
    assert "nowhere/box.json cannot be written: No such file" in typed.err
