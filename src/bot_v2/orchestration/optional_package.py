"""What is said when a package of an extra is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bot_v2.features.brokerages.core.errors import MissingDependencyError


@contextmanager
def needing(what: str, extra: str = "credentials") -> Iterator[None]:
    """Turn a missing package into what to install.

    Args:
        what: what needs the package, as the subject of a sentence.
        extra: the extra of bot-v2 that brings it.

    Raises:
        MissingDependencyError: an import within failed.
    """
    try:
        yield
    except ImportError as error:
        raise MissingDependencyError(
            f"{what} needs a package that is not installed ({error.name or error}): "
            f"pip install 'bot-v2[{extra}]'",
            extra=extra,
        ) from error
