"""`.env`: variables for whoever asks for them. The environment itself is not changed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bot_v2.orchestration.configuration.errors import InvalidSettingsError, Problem
from bot_v2.orchestration.credentials.errors import StoreUnavailableError
from bot_v2.orchestration.optional_package import needing


def with_dotenv(environ: Mapping[str, str], file: Path) -> dict[str, str]:
    """Return an environment with the variables of a file; where both have one, the environment's.

    A `$` in a value is a dollar sign: nothing is put in its place, as a secret may contain it.

    Raises:
        StoreUnavailableError: the file cannot be read.
        InvalidSettingsError: a line is no assignment; its text is not shown.
        MissingDependencyError: the extra `credentials` is not installed.
    """
    with needing(f"{file}"):
        from dotenv.parser import parse_stream
    try:
        with file.open(encoding="utf-8-sig") as stream:
            bindings = list(parse_stream(stream))
    except (OSError, UnicodeDecodeError) as error:
        # What could not be decoded is left out: it may be a secret.
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise StoreUnavailableError(f"{file} cannot be read: {reason}") from None
    problems = [
        Problem(f"line {one.original.line}", "no assignment", "NAME=value, or NAME='value'")
        for one in bindings
        if one.error
    ]
    if problems:
        raise InvalidSettingsError(file, problems)
    said = {one.key: one.value for one in bindings if one.key and one.value}
    return {**said, **environ}
