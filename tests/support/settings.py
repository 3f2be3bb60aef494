"""A valid text for each setting."""

from pathlib import Path
from typing import Any

from clients_register.handlers.store.postgres.address import DatabaseAddress

# Name -> a text, and the value that it is parsed into, which is not the default.
TEXTS: dict[str, tuple[str, Any]] = {
    "host": ("::1", "::1"),
    "port": ("0", 0),
    "workers": ("4", 4),
    "idle_timeout": ("620", 620.0),
    "receive_timeout": ("2.5", 2.5),
    "max_head": ("8192", 8192),
    "base_path": ("/v2/", "/v2"),
    "data": ("there.json", Path("there.json")),
    "fresh": ("yes", True),
    "memory": ("yes", True),
    "store": (
        "postgresql://ada:a%40b@db.test:5433/clients",
        DatabaseAddress("db.test", "clients", 5433, "ada", "a@b"),
    ),
    "seed": ("seed.yaml", Path("seed.yaml")),
    "mail": ("mandrill", "mandrill"),
    "mail_from": ("welcome@example.com", "welcome@example.com"),
    "mandrill_url": ("http://127.0.0.1:8080/api", "http://127.0.0.1:8080/api/"),
    "mandrill_timeout": ("0.25", 0.25),
    "mandrill_key": ("md-Abc_123", "md-Abc_123"),
    "access_log": ("yes", True),
    "log_format": ("json", "json"),
    "reference": ("yes", True),
    "watch": ("1", True),
    "upstream": ("https://Staging.example.com/base", "https://Staging.example.com/base/"),
    "passthrough": ("yes", True),
    "upstream_timeout": ("7.5", 7.5),
    "stop_on_eof": ("yes", True),
    "bcrypt_cost": ("10", 10),
    "max_body": ("1048576", 1048576),
    "spelling": ("email-already-registerd", "email-already-registerd"),
    "status_domain": ("forced.example", "forced.example"),
    "max_worlds": ("3", 3),
    "world_idle_timeout": ("0.001", 0.001),
    "cors_origin": ("https://APP.test:443", ("https://app.test",)),
    "control_host": ("stub.internal, 192.0.2.7", ("stub.internal", "192.0.2.7")),
    "control_origin": (
        "HTTP://localhost:3000,https://app.test",
        ("http://localhost:3000", "https://app.test"),
    ),
    "control_token": ("t0ken-7f3a", "t0ken-7f3a"),
}
