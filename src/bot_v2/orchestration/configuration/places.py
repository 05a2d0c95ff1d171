"""Where the settings are: what `BOT_V2_CONFIG` says, else the platform's folder for settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bot_v2.orchestration.optional_package import needing

CONFIG_VARIABLE: Final = "BOT_V2_CONFIG"
"""The variable that says where the settings are: the file, or its folder."""

FILE_NAME: Final = "brokers.json"
APPLICATION: Final = "bot-v2"


def settings_file(environ: Mapping[str, str]) -> Path:
    """Return where the settings are, or would be.

    Raises:
        MissingDependencyError: a package is needed to find the platform's folder.
    """
    said = environ.get(CONFIG_VARIABLE)
    if not said:
        return _platform_folder() / FILE_NAME
    path = Path(said).expanduser()
    # What does not exist yet is the file where its name says so.
    is_file = path.is_file() or (not path.is_dir() and path.suffix == ".json")
    return path if is_file else path / FILE_NAME


def config_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of the settings.

    Raises:
        MissingDependencyError: a package is needed to find the platform's folder.
    """
    return settings_file(environ).parent


def _platform_folder() -> Path:
    with needing(f"the platform's folder for settings (or set {CONFIG_VARIABLE})", "cli"):
        from platformdirs import user_config_path
    return user_config_path(APPLICATION, appauthor=False)
