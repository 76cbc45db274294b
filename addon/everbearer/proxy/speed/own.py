"""Whether a part of mitmproxy is its own, whatever that part says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import FunctionType
from typing import Final

from mitmproxy import version


def is_own(part: object) -> bool:
    """
    Tell whether *part* is mitmproxy's, or what this package has put in its place.

    By the file of its code: a decorator copies names and modules of what it wraps.
    """
    part = part.fget if isinstance(part, property) else part
    part = getattr(part, "__func__", part)  # of a method
    if not isinstance(part, FunctionType) or hasattr(part, "__wrapped__"):
        return False
    file = _file(part)
    return file == _INHERITED or file.startswith(_FOLDERS)


def _file(function: FunctionType) -> str:
    return function.__code__.co_filename


def _folder(function: FunctionType) -> str:
    # As the code names it, which is where it was compiled.
    file = _file(function)
    return file.removesuffix(Path(file).name)


_FOLDERS: Final = (_folder(version.get_dev_version), _folder(is_own))  # type: ignore[arg-type]
_INHERITED: Final = _file(Mapping.keys)  # type: ignore[arg-type]
