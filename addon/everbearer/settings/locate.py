"""Where the configuration lies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import platformdirs

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE: Final = "EVERBEARER_CONFIG"


def locate(
    option: Path | None,
    environ: Mapping[str, str],
    user_config_dir: Path | None = None,
) -> Path:
    """
    Return `--config`, else `$EVERBEARER_CONFIG`, else the user's own file.

    `user_config_dir` is the platform's folder for the configuration of all
    programs. A file that merely lies in the current folder is never taken: who
    could put one there would choose where tokens go. The result is absolute and
    may not exist.
    """
    if option is not None:
        return _absolute(option)
    if named := environ.get(VARIABLE):
        return _absolute(Path(named))
    folder = user_config_dir or platformdirs.user_config_path()
    return folder / "everbearer" / "config.toml"


def _absolute(path: Path) -> Path:
    try:
        return path.expanduser().absolute()
    except RuntimeError:  # a home folder that is not known: no such file, then
        return path.absolute()
