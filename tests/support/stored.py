"""What a data file holds together with its journals, while a server still has it open."""

import asyncio
import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from clients_register.handlers.models import Client, Mail, Session, User, encode_json
from clients_register.handlers.store.tinydb import TinyDBStore


def document_of(record: Client | User | Session | Mail) -> dict[str, Any]:
    """The record, as it is written there."""
    document: dict[str, Any] = json.loads(encode_json(record))
    return document


def files(data: Path) -> list[Path]:
    """The data file and its journals."""
    return [data, *sorted(data.parent.glob(f"{data.name}.journal.*"))]


def stored_text(data: Path) -> str:
    """All that is written in them."""
    return "".join(each.read_text("utf-8") for each in files(data))


def stored(data: Path) -> dict[str, Any]:
    """The tables that would be found if the server was killed now."""
    with TemporaryDirectory() as folder:
        for each in files(data):
            shutil.copy(each, folder)
        copied = Path(folder, data.name)
        asyncio.run(TinyDBStore(copied, public_allowed=True).close())
        tables: dict[str, Any] = json.loads(copied.read_text("utf-8"))
        return tables
