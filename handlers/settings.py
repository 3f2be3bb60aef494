"""The settings of a server. Each is an option of `serve` and an environment variable.

The annotation of a field defines its option, its variable and its help text; see `arguments.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Annotated, get_type_hints

from clients_register.handlers import options
from clients_register.handlers.log_output import FORMATS, TEXT
from clients_register.handlers.options import Option
from clients_register.handlers.store.postgres.address import DatabaseAddress

LISTENING, DATA, MAIL, LOG, BEHAVIOUR = "listening", "data", "mail", "log", "behaviour"
STUB = "stub (none of it with --reference)"
# The path of the health check, outside of the API.
HEALTH_PATH = "/_health"
# The media type of its response if the server is not ready (RFC 9457).
PROBLEM = "application/problem+json"
# Paths of the stub besides the route.
CONTROL_PATH, WORLDS_PATH = RESERVED_PATHS = ("/_mock", "/_world")

GROUPS = (LISTENING, DATA, MAIL, LOG, BEHAVIOUR, STUB)


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of a server; everything else is in the spec."""

    host: Annotated[
        str,
        Option(
            LISTENING,
            "ADDRESS",
            options.host,
            "address to listen on; 0.0.0.0 is every IPv4 address, :: every address",
        ),
    ] = "127.0.0.1"
    port: Annotated[
        int,
        Option(
            LISTENING,
            "PORT",
            options.integer_between(0, 65535),
            "port to listen on; 0 takes a free one",
        ),
    ] = 4018
    workers: Annotated[
        int,
        Option(
            LISTENING,
            "N",
            options.integer_between(1, 64),
            "number of processes; more than one need --reference and --store",
        ),
    ] = 1
    idle_timeout: Annotated[
        float,
        Option(
            LISTENING,
            "SECONDS",
            options.seconds,
            "how long a connection may be idle; longer than a proxy in front keeps its own, so that"
            " it never uses one that is being closed",
        ),
    ] = 75.0
    receive_timeout: Annotated[
        float,
        Option(
            LISTENING,
            "SECONDS",
            options.seconds,
            "how long a request may take to arrive, and a client to read a part of the response",
        ),
    ] = 30.0
    max_head: Annotated[
        int,
        Option(
            LISTENING,
            "BYTES",
            options.integer_between(1024, 1024 * 1024),
            "largest request line with headers that is accepted",
        ),
    ] = 65536
    base_path: Annotated[
        str,
        Option(LISTENING, "PATH", options.base_path, "prefix of /clients/register"),
    ] = "/api/v1"
    data: Annotated[
        Path | None,
        Option(
            DATA,
            "FILE",
            options.file,
            "file for clients, sessions and the outbox; by default clients-register.json in the"
            " current directory, with --reference clients-register-reference.json",
        ),
    ] = None
    fresh: Annotated[
        bool,
        Option(
            DATA,
            "",
            options.boolean,
            "start with empty data: remove what the file contains, and the data of the stub's"
            " worlds; not with --store",
        ),
    ] = False
    memory: Annotated[
        bool,
        Option(
            DATA,
            "",
            options.boolean,
            "keep the data in memory, and write no file: they are gone when the server stops; not"
            " with --data, --fresh or --store",
        ),
    ] = False
    store: Annotated[
        DatabaseAddress | None,
        Option(
            DATA,
            "URL",
            options.database,
            "with --reference, a PostgreSQL database to use instead of a file, as"
            " postgresql://USER@HOST:PORT/DATABASE, with ?sslmode=require and the like;"
            " set the variable or PGPASSWORD if it has a password, since command lines are visible"
            " to every user of a machine",
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
            " (YAML); its sections replace the built-in ones",
        ),
    ] = None
    mail: Annotated[
        str,
        Option(
            MAIL,
            "TRANSPORT",
            options.one_of("outbox", "mandrill"),
            "outbox stores mails with the data and sends nothing, mandrill sends through the"
            " Mandrill API",
        ),
    ] = "outbox"
    mail_from: Annotated[
        str, Option(MAIL, "EMAIL", options.email, "sender of the welcome e-mail")
    ] = "no-reply@planomatic.test"
    mandrill_url: Annotated[
        str, Option(MAIL, "URL", options.url, "base URL of the Mandrill API")
    ] = "https://mandrillapp.com/api/1.0/"
    mandrill_timeout: Annotated[
        float,
        Option(MAIL, "SECONDS", options.seconds, "timeout for a call of that API"),
    ] = 5.0
    mandrill_key: Annotated[
        str, Option(MAIL, "KEY", options.key, "key of that API", private=True, secret=True)
    ] = field(default="", repr=False)
    access_log: Annotated[
        bool | None,
        Option(
            LOG,
            "",
            options.boolean,
            "log a line for each request but those of probes and to the control plane; by default"
            " if standard error is a terminal",
        ),
    ] = None
    log_format: Annotated[
        str,
        Option(
            LOG,
            "FORMAT",
            options.one_of(*FORMATS),
            "text for people; json writes one object per line to standard error, the start and the"
            " end of the server included, and nothing to standard output",
        ),
    ] = TEXT
    reference: Annotated[
        bool,
        Option(
            BEHAVIOUR,
            "",
            options.boolean,
            "run the plain reference: no personas with public passwords, bcrypt at full cost",
        ),
    ] = False
    bcrypt_cost: Annotated[
        int | None,
        Option(
            BEHAVIOUR,
            "COST",
            options.bcrypt_cost,
            "cost factor of bcrypt, each step doubles the work; by default 4, with --reference 12",
        ),
    ] = None
    stop_on_eof: Annotated[
        bool,
        Option(
            BEHAVIOUR,
            "",
            options.boolean,
            "stop when standard input ends, as it does when the program that holds its other end"
            " dies",
        ),
    ] = False
    max_body: Annotated[
        int,
        Option(
            BEHAVIOUR,
            "BYTES",
            options.integer_between(1, 64 * 1024 * 1024),
            "largest request body that is accepted",
        ),
    ] = 65536
    spelling: Annotated[
        str | None,
        Option(
            BEHAVIOUR,
            "SLUG",
            options.spelling,
            "use this spelling of a status for which the spec lists several",
        ),
    ] = None

    upstream: Annotated[
        str,
        Option(
            STUB,
            "URL",
            options.url,
            "backend to forward all other paths to, so that one base URL serves a whole frontend",
        ),
    ] = ""
    passthrough: Annotated[
        bool,
        Option(
            STUB,
            "",
            options.boolean,
            "forward the route to the --upstream as well, unless a status is forced or a fault is"
            " set",
        ),
    ] = False
    upstream_timeout: Annotated[
        float,
        Option(
            STUB,
            "SECONDS",
            options.seconds,
            "how long the --upstream may take to begin a response",
        ),
    ] = 60.0
    watch: Annotated[
        bool,
        Option(
            STUB,
            "",
            options.boolean,
            "reload the spec, the fixtures and the seed when they change",
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
    max_worlds: Annotated[
        int,
        Option(
            STUB,
            "N",
            options.integer_between(1, 100_000),
            "number of worlds there may be, the default one included",
        ),
    ] = 1000
    world_idle_timeout: Annotated[
        float,
        Option(
            STUB,
            "SECONDS",
            options.seconds,
            "how long a world must be idle before it may be removed to make room for another",
        ),
    ] = 3600.0
    cors_origin: Annotated[
        tuple[str, ...],
        Option(
            STUB,
            "ORIGINS",
            options.comma_separated(options.origin),
            "origins, separated by commas, whose pages may call the route with credentials; other"
            " pages may call it without credentials",
        ),
    ] = ()
    control_host: Annotated[
        tuple[str, ...],
        Option(
            STUB,
            "NAMES",
            options.comma_separated(options.host),
            "host names, separated by commas, that the control plane and forwarded requests may use"
            " besides loopback",
        ),
    ] = ()
    control_origin: Annotated[
        tuple[str, ...],
        Option(
            STUB,
            "ORIGINS",
            options.comma_separated(options.origin),
            "origins, separated by commas, whose pages may use the control plane",
        ),
    ] = ()
    control_token: Annotated[
        str,
        Option(
            STUB,
            "TOKEN",
            options.key,
            "token that requests to the control plane must send as Authorization: Bearer TOKEN;"
            " required unless the server listens on loopback; set the variable, since command"
            " lines are visible to every user of a machine",
            private=True,
        ),
    ] = field(default="", repr=False)

    @property
    def data_file(self) -> Path:
        """`data`, or the default of the mode. Stub and reference never share a file by default.

        With `memory` there is no such file, and messages say so.
        """
        if self.memory:
            return Path("memory")
        name = "clients-register-reference.json" if self.reference else "clients-register.json"
        return (self.data or Path(name)).absolute()

    @property
    def cost(self) -> int:
        """`bcrypt_cost`, or the default of the mode."""
        return self.bcrypt_cost or (12 if self.reference else 4)


@cache
def setting_options() -> Mapping[str, Option]:
    """Maps the fields of `Settings`, in order, to their options."""
    hints = get_type_hints(Settings, include_extras=True)
    return {each.name: hints[each.name].__metadata__[0] for each in fields(Settings)}
