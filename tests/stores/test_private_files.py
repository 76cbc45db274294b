"""What a file is that is made here: whole, on disk, and never seen before that."""

import os

import pytest

from everbearer.stores import private


@pytest.mark.parametrize("replace", [False, True])
def test_a_file_is_on_disk_before_it_has_its_name(tmp_path, replace):
    """Content is synced, then named, then the name is synced: a power cut is safe."""
    path = tmp_path / "f"
    if replace:
        path.write_bytes(b"old")
    synced = []

    def sync(descriptor):
        here = os.fstat(descriptor)
        named = path.read_bytes() if path.exists() else None
        if os.path.samestat(here, tmp_path.stat()):
            synced.append(("folder", named))
        else:
            synced.append((here.st_size, named))

    private.make_file(path, b"new content", replace=replace, sync=sync)

    before = b"old" if replace else None
    assert synced == [(len(b"new content"), before), ("folder", b"new content")]


def test_what_syncs_is_the_operating_system():
    """Nobody who makes a file says otherwise."""
    for function in private.make_file, private.sync_folder:
        assert function.__kwdefaults__["sync"] is os.fsync
