"""What the tests of the settings share."""

import pytest

from settings.config_folder import ConfigFolder


@pytest.fixture
def folder(tmp_path):
    """Give an empty configuration folder that nobody else can write to."""
    path = tmp_path / "everbearer"
    path.mkdir(mode=0o700)
    return ConfigFolder(path)
