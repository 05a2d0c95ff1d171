"""One TLS context for the whole process: reading the certificates anew costs 20 ms each time."""

from __future__ import annotations

import os
import ssl
from functools import lru_cache
from importlib import import_module
from typing import Final

from bot_v2.features.brokerages.core.errors import InvalidFieldError

CA_FILE_NAMES: Final = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Environment variables that name a file of certificates to trust, the first one first."""


def shared_tls_context(ca_file: str | None = None) -> ssl.SSLContext:
    """Return a verifying context, the same one for each caller that trusts the same certificates.

    Args:
        ca_file: what to trust, as a PEM file. None: what the environment names, else the system's.

    Raises:
        InvalidFieldError: the file cannot be read.
    """
    named = next((value for name in CA_FILE_NAMES if (value := os.environ.get(name))), None)
    return _context(ca_file or named)


@lru_cache(maxsize=32)
def _context(ca_file: str | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise InvalidFieldError(
            "HttpSettings.ca_file", ca_file, "a PEM file of certificates to trust"
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is None and _trusts_nobody(context):
        _trust_certifi(context)
    return context


def require_verifying(context: ssl.SSLContext) -> ssl.SSLContext:
    """Return a context that was given, if it verifies whom it talks to.

    Raises:
        InvalidFieldError: it does not: an order would go to whoever answers.
    """
    if context.verify_mode is not ssl.CERT_REQUIRED or not context.check_hostname:
        raise InvalidFieldError(
            "tls", context.verify_mode, "a context with CERT_REQUIRED and check_hostname"
        )
    return context


def _trusts_nobody(context: ssl.SSLContext) -> bool:
    """Whether the system gave no certificates: Python for macOS comes without any."""
    # Certificates in a folder are read when they are needed, and not counted before.
    return not context.cert_store_stats()["x509_ca"] and not ssl.get_default_verify_paths().capath


def _trust_certifi(context: ssl.SSLContext) -> None:
    """Trust the certificates of the package certifi, where it is installed."""
    try:
        certifi = import_module("certifi")
    except ImportError:
        return
    context.load_verify_locations(cafile=certifi.where())
