"""Who else may read or change a file, by its permissions and those of its folder."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

_OTHERS_READ: Final = stat.S_IRGRP | stat.S_IROTH
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


def list_file_warnings(file: Path) -> list[str]:
    """Return what is wrong with a file's permissions and its folder's; a missing file has none.

    On Windows the home folder's access list says who may read: permissions are not looked at.
    """
    if _is_windows():
        return []
    warnings = []
    for path, forbidden in ((file, _OTHERS_READ | _OTHERS_WRITE), (file.parent, _OTHERS_WRITE)):
        try:
            found = path.stat()
        except OSError:
            continue
        if found.st_mode & forbidden and not _is_shared_safely(found):
            what = _what_others_do(found.st_mode & forbidden)
            mend = "700" if path is not file else "600"
            warnings.append(
                f"others can {what} {path} (mode {stat.S_IMODE(found.st_mode):o}): chmod {mend}"
            )
        if found.st_uid not in (os.geteuid(), 0):
            warnings.append(f"{path} belongs to another user (uid {found.st_uid})")
    return warnings


def _is_windows() -> bool:
    return os.name == "nt"


def _is_shared_safely(found: os.stat_result) -> bool:
    """Whether it is a folder where each may change only what is theirs, such as /tmp."""
    return stat.S_ISDIR(found.st_mode) and bool(found.st_mode & stat.S_ISVTX)


def _what_others_do(mode: int) -> str:
    reads, writes = bool(mode & _OTHERS_READ), bool(mode & _OTHERS_WRITE)
    return "read and change" if reads and writes else "read" if reads else "change"
