"""Registrations with something changed in them, and what their answers say of it."""

from typing import Any

from support.live import Live, registration


def changed(email: str, changes: dict[str, Any]) -> dict[str, Any]:
    """A valid registration with the values at the dotted paths of `changes`; "absent" removes."""
    params = registration(email)
    for path, value in changes.items():
        container, _, name = path.rpartition(".")
        holder = params[container] if container else params
        holder.pop(name, None)
        if value != "absent":
            holder[name] = value
    return params


def faults(live: Live, params: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """The status of the answer to `params`, and its errors as attr -> message, which are sorted."""
    envelope = live.post(params).json()
    errors = envelope.get("errors", [])
    attrs = [error["attr"] for error in errors]
    assert attrs == sorted(set(attrs)), "one entry a parameter, in order"
    return envelope["status"], {error["attr"]: error["message"] for error in errors}
