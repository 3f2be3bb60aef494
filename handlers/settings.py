"""The settings of a server: each one an option of `serve` and an environment variable.

What is written beside a field is what `arguments.py` makes both of, and the help.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Annotated, get_type_hints

from clients_register.handlers import options
from clients_register.handlers.options import Option
from clients_register.handlers.store.postgres.database import Database

LISTENING, DATA, MAIL, BEHAVIOUR = "listening", "data", "mail", "behaviour"
STUB = "stub (none of it with --reference)"
GROUPS = (LISTENING, DATA, MAIL, BEHAVIOUR, STUB)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything about a server that is not in the spec."""

    host: Annotated[
        str,
        Option(
            LISTENING, "ADDRESS", options.host, "where to listen; 0.0.0.0 is every IPv4 address"
        ),
    ] = "127.0.0.1"
    port: Annotated[
        int,
        Option(LISTENING, "PORT", options.whole(0, 65535), "where to listen; 0 takes a free port"),
    ] = 4018
    workers: Annotated[
        int,
        Option(
            LISTENING,
            "N",
            options.whole(1, 64),
            "how many processes answer; more than one need --reference and --store",
        ),
    ] = 1
    base_path: Annotated[
        str,
        Option(LISTENING, "PATH", options.base_path, "what stands before /clients/register"),
    ] = "/api/v1"
    data: Annotated[
        Path | None,
        Option(
            DATA,
            "FILE",
            options.file,
            "where clients, sessions and the outbox are kept; without it, in the current directory,"
            " clients-register.json, with --reference clients-register-reference.json",
        ),
    ] = None
    store: Annotated[
        Database | None,
        Option(
            DATA,
            "URL",
            options.database,
            "with --reference, a PostgreSQL database to keep them in instead, as"
            " postgresql://USER@HOST:PORT/DATABASE;"
            " a password in it, as USER:PASSWORD, is safer in the variable, or in PGPASSWORD, since"
            " command lines can be read by every user of a machine",
            private=True,
        ),
    ] = None
    seed: Annotated[
        Path | None,
        Option(
            DATA,
            "FILE",
            options.file,
            "applications, companies, users, sessions, tokens and deployed services to start with"
            " (YAML); a section in it stands in place of the built-in one",
        ),
    ] = None
    mail: Annotated[
        str,
        Option(
            MAIL,
            "TRANSPORT",
            options.one_of("outbox", "mandrill"),
            "outbox keeps mails with the data and sends nothing, mandrill sends through the"
            " Mandrill API",
        ),
    ] = "outbox"
    mail_from: Annotated[
        str, Option(MAIL, "EMAIL", options.email, "the sender of the welcome e-mail")
    ] = "no-reply@planomatic.test"
    mandrill_url: Annotated[
        str, Option(MAIL, "URL", options.url, "the base of the Mandrill API")
    ] = "https://mandrillapp.com/api/1.0/"
    mandrill_timeout: Annotated[
        float,
        Option(MAIL, "SECONDS", options.seconds, "how long one call of that API may take, in all"),
    ] = 5.0
    mandrill_key: Annotated[
        str, Option(MAIL, "KEY", options.key, "the key of that API", private=True, secret=True)
    ] = field(default="", repr=False)
    reference: Annotated[
        bool,
        Option(
            BEHAVIOUR,
            "",
            options.yes_or_no,
            "be the plain reference: no personas with public passwords, bcrypt at full cost",
        ),
    ] = False
    bcrypt_cost: Annotated[
        int | None,
        Option(
            BEHAVIOUR,
            "COST",
            options.whole(4, 31),
            "work per password, each step doubles it; without it 4, with --reference 12",
        ),
    ] = None
    max_body: Annotated[
        int,
        Option(
            BEHAVIOUR,
            "BYTES",
            options.whole(1, 64 * 1024 * 1024),
            "the largest request body that is accepted",
        ),
    ] = 65536
    spelling: Annotated[
        str | None,
        Option(
            BEHAVIOUR,
            "SLUG",
            options.spelling,
            "answer with this spelling of a status of which the spec lists several",
        ),
    ] = None

    watch: Annotated[
        bool,
        Option(
            STUB,
            "",
            options.yes_or_no,
            "pick up edits of the spec, the fixtures and the seed without a restart",
        ),
    ] = False
    status_domain: Annotated[
        str,
        Option(
            STUB,
            "DOMAIN",
            options.host,
            "registering SLUG@DOMAIN, or anything+SLUG@DOMAIN, forces a status",
        ),
    ] = "status.test"
    control_host: Annotated[
        tuple[str, ...],
        Option(
            STUB,
            "NAMES",
            options.several(options.host),
            "names of this machine, separated by commas, under which the control plane answers"
            " beside those of loopback",
        ),
    ] = ()
    control_origin: Annotated[
        tuple[str, ...],
        Option(
            STUB,
            "ORIGINS",
            options.several(options.origin),
            "origins, separated by commas, whose pages may drive the control plane",
        ),
    ] = ()
    control_token: Annotated[
        str,
        Option(
            STUB,
            "TOKEN",
            options.key,
            "what requests to the control plane must carry as Authorization: Bearer TOKEN; needed"
            " where the server listens off loopback",
            private=True,
        ),
    ] = field(default="", repr=False)

    @property
    def data_file(self) -> Path:
        """`data`, or the default of the mode: a stub's file has public passwords in it."""
        name = "clients-register-reference.json" if self.reference else "clients-register.json"
        return (self.data or Path(name)).absolute()

    @property
    def cost(self) -> int:
        """`bcrypt_cost`, or the default of the mode."""
        return self.bcrypt_cost or (12 if self.reference else 4)


@cache
def written() -> Mapping[str, Option]:
    """Name of a field of `Settings` -> how it is written, in the order of the fields."""
    hints = get_type_hints(Settings, include_extras=True)
    return {each.name: hints[each.name].__metadata__[0] for each in fields(Settings)}
