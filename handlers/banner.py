"""What a person who started a server is told, with a command to paste."""

import ipaddress
import json
import shlex
import socket

from clients_register import __version__, spec
from clients_register.handlers.emails import key_of
from clients_register.handlers.product import Product
from clients_register.handlers.services import Services
from clients_register.handlers.settings import Settings
from clients_register.spec.schemas import operation

BANNER = """\
clients-register {version}, {mode}{workers}
  listening  {url}
  {kept:<9}  {data} ({clients})
  mail       {mail}
{pages}Register a client:
  {curl}
Stop with Ctrl-C.
"""


async def banner(settings: Settings, product: Product, listener: socket.socket) -> str:
    """Where the server listens, where the data is, what becomes of mails, and a curl line."""
    host, port = listener.getsockname()[:2]
    services = product.services
    count = await services.store.count_clients()
    in_file = settings.store is None
    mail = {
        "outbox": "kept in the data file, nothing leaves this machine"
        if in_file
        else "kept in the database, nothing is sent",
        "mandrill": f"sent through {settings.mandrill_url}",
    }
    return BANNER.format(
        version=__version__,
        mode="the plain reference" if settings.reference else "the stub",
        workers="" if settings.workers == 1 else f", {settings.workers} workers",
        url=_url(host, port, settings),
        kept="data file" if in_file else "database",
        data=settings.store or settings.data_file,
        clients="1 client" if count == 1 else f"{count} clients",
        mail=mail[settings.mail],
        pages="".join(
            f"  {name:<10} {_origin(_reachable(host), port)}{path}\n"
            for name, path in product.pages
        ),
        curl=await _curl_line(services, _url(_reachable(host), port, settings)),
    )


def _url(host: str, port: int, settings: Settings) -> str:
    (path,) = spec.load("openapi")["paths"]
    return f"{_origin(host, port)}{settings.base_path}{path}"


def _origin(host: str, port: int) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}"


def _reachable(host: str) -> str:
    """`host`, or this machine where that means every address and so none to send to."""
    address = ipaddress.ip_address(host.partition("%")[0])
    loopback = "::1" if address.version == 6 else "127.0.0.1"  # noqa: PLR2004 - the Internet's
    return loopback if address.is_unspecified else host


async def _curl_line(services: Services, url: str) -> str:
    """A shell command that registers a client, under an address that is still free."""
    (content,) = operation(spec.load("openapi"))["requestBody"]["content"].values()
    params = content["examples"]["minimal"]["x-decoded"]
    name, _, domain = params["client"]["email"].partition("@")
    number, email = 1, params["client"]["email"]
    while await services.store.user_by_email(key_of(email) or ""):
        number += 1
        email = f"{name}+{number}@{domain}"
    sent = params | {
        "application": next(iter(services.registry.applications), params["application"]),
        "client": params["client"] | {"email": email},
    }
    return (
        f"printf %s {shlex.quote(json.dumps(sent))} | base64 |"
        f" curl -sS -H 'Content-Type: {services.media_type}' --data-binary @- {shlex.quote(url)}"
    )
