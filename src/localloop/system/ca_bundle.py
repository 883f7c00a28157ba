"""The file with the CA certificates that this machine trusts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_USUAL = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # macOS
)


def host_ca_bundle(environ: Mapping[str, str]) -> str:
    """The path of the file; empty if there is none. ``SSL_CERT_FILE`` wins, whether it exists."""
    import ssl

    named = environ.get("SSL_CERT_FILE")
    if named:
        return str(Path(named).absolute())
    usual = (ssl.get_default_verify_paths().openssl_cafile, *_USUAL)
    return next((path for path in usual if Path(path).is_file()), "")
