"""A certificate for TLS on this machine, which nobody vouches for but itself."""

import shutil
import subprocess
from pathlib import Path

from support.absence import absent

COMMAND = (
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=tests"
    " -addext subjectAltName=IP:127.0.0.1 -addext keyUsage=critical,digitalSignature,keyCertSign"
    " -keyout key.pem -out certificate.pem"
)


def certified(directory: Path) -> Path:
    """A file with a certificate of 127.0.0.1 and its key. Skips where there is no openssl."""
    openssl = shutil.which("openssl")
    if openssl is None:
        absent("openssl is not installed: run `apt-get install openssl`")
    subprocess.run([openssl, *COMMAND.split()], cwd=directory, check=True, capture_output=True)
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    certificate.write_text(certificate.read_text() + key.read_text())
    return certificate
