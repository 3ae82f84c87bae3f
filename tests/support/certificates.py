"""A certificate for localhost, made on the spot."""

import shutil
import subprocess
from pathlib import Path


def make_certificate(folder: Path, names: str = "DNS:localhost") -> tuple[Path, Path]:
    """Certificate and key as PEM files; `names` are what it is for, in openssl's words."""
    openssl = shutil.which("openssl")
    assert openssl is not None, "the tests need the openssl program"
    key, cert = folder / "key.pem", folder / "cert.pem"
    subject = ["-subj", "/CN=localhost", *(["-addext", f"subjectAltName={names}"] if names else [])]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    argv = [openssl, "req", "-x509", *curve, "-keyout", str(key), "-out", str(cert), *subject]
    subprocess.run(argv, check=True, capture_output=True)
    return cert, key
