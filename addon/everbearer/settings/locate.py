"""Where the configuration lies."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE: Final = "EVERBEARER_CONFIG"

_TAKES_FILE: Final = re.compile(
    r"\beverbearer (?:ca|check|dashboard|doctor|env|exec|explain|init|login|logout"
    r"|renew|serve|status|token|import (?:box-cli|box-jwt|postman)"
    r"|store (?:migrate|path|verify))"
    r"(?![\w-])(?! (?:-c|--config|(?:-- )?--help)\b)"
)
"""A command of ours that reads a configuration, where it is not told which."""


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
    # Imported here: it takes longer than all else that --help needs of ours.
    import platformdirs  # noqa: PLC0415 - see above

    folder = user_config_dir or platformdirs.user_config_path()
    return folder / "everbearer" / "config.toml"


def in_full(text: str, source: Path | None) -> str:
    """
    Return *text* with commands of ours that work on *source* wherever it is pasted.

    None, like the user's own file, needs no naming.
    """
    # Asked of every line that is told, one a request: the cheap question first.
    if source is None or "everbearer " not in text or source == locate(None, {}):
        return text
    option = f" -c {shlex.quote(str(source))}"
    return _TAKES_FILE.sub(lambda found: f"{found[0]}{option}", text)


def _absolute(path: Path) -> Path:
    try:
        return path.expanduser().absolute()
    except RuntimeError:  # a home folder that is not known: no such file, then
        return path.absolute()
