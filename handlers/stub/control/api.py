"""The operations of the control plane, named by the `operationId`s of spec/control.yaml.

Each takes a valid `ControlCall` and returns the JSON value to respond with, or a `ControlResponse`.
Where an operation refuses a call, it raises Problem.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from clients_register import __version__, har, spec
from clients_register.handlers.decoding import email_key, trim_email
from clients_register.handlers.models import Mail, Session, User, format_time
from clients_register.handlers.sessions import token_digest
from clients_register.handlers.stub.control.call import (
    NO_CONTENT,
    ControlCall,
    ControlResponse,
    ControlStream,
)
from clients_register.handlers.stub.control.records import (
    LIVE,
    REMEMBERED,
    SESSION_TIMES,
    show_mail,
    show_session,
    show_snapshot,
    show_user,
)
from clients_register.handlers.stub.faults import faults_for_states
from clients_register.handlers.stub.paths import path_prefix
from clients_register.handlers.stub.problems import Problem
from clients_register.handlers.stub.state import ScriptItem, parse_duration, parse_moment
from clients_register.handlers.stub.traffic import ALL, LogEntry, parse_required, summarize_coverage
from clients_register.handlers.stub.traffic_archive import archive_entry
from clients_register.spec.schema_errors import suggest

# Health and statuses


async def get_health(call: ControlCall) -> dict[str, Any]:
    """Says that the stub is ready, and which contract it implements."""
    limits = call.parts.worlds.limits
    return {
        "ready": True,
        "version": __version__,
        "world": call.world.name,
        "worlds": {"limit": limits.worlds, "idle_seconds": limits.idle_seconds},
        "base": call.world.prefix + call.parts.base,
        "route": call.world.prefix + call.parts.route,
        "contract": {
            "version": spec.load("openapi")["info"]["version"],
            "sha256": sha256(spec.text("openapi").encode()).hexdigest(),
        },
    }


async def list_statuses(call: ControlCall) -> list[dict[str, Any]]:
    """Lists all statuses with an example, and how to get them."""
    return [
        {
            "slug": row.slug,
            "code": row.code,
            "stage": row.stage,
            "uncommon": row.uncommon,
            "meaning": row.meaning,
            "evidence": row.evidence,
            "alias_of": row.alias_of,
            "example": call.parts.examples[row.slug].envelope,
            "address": call.parts.addresses.build(row.slug),
            "request": call.parts.exchanges[row.slug]["request"],
            "arrange": faults_for_states(call.parts.exchanges[row.slug]["arrangement"]),
        }
        for row in call.parts.statuses
    ]


# Clock


async def get_clock(call: ControlCall) -> dict[str, Any]:
    """Shows the time."""
    clock = call.world.state.clock
    return {
        "now": format_time(clock.now()),
        "frozen": clock.is_frozen,
        "ahead": round(clock.ahead.total_seconds(), 3),
    }


async def set_clock(call: ControlCall) -> dict[str, Any]:
    """Sets, advances or freezes the time."""
    # The times of the personas are relative to the time before it is changed for the first time.
    await call.world.services()
    changes, clock = call.body, call.world.state.clock
    if "now" in changes:
        clock.set(parse_moment(changes["now"]))
    if "advance" in changes:
        clock.advance(parse_duration(changes["advance"]))
    if "frozen" in changes:
        clock.freeze(frozen=changes["frozen"])
    return await get_clock(call)


async def reset_clock(call: ControlCall) -> dict[str, Any]:
    """Returns to the system clock."""
    call.world.state.clock.reset()
    return await get_clock(call)


# Users and sessions


async def list_clients(call: ControlCall) -> list[dict[str, Any]]:
    """Lists all users, or the one with an e-mail address."""
    services = await call.world.services()
    if "email" in call.query:
        key = email_key(trim_email(call.query["email"]))
        found = await services.store.user_by_email(key) if key is not None else None
        users: Sequence[User] = [] if found is None else [found]
    else:
        users = await services.store.users()
    return [await show_user(call, user) for user in users]


async def restore_persona(call: ControlCall) -> list[dict[str, Any]]:
    """Restores one persona with their sessions."""
    personas = call.world.personas
    name = call.path["persona"]
    if name not in personas:
        raise Problem(
            "no-such-persona", f"no persona is called {name!r}", suggest(name, [*personas]), 404
        )
    await call.world.reset_persona(name)
    user = await (await call.world.services()).store.user(personas[name]["id"])
    assert user is not None, "it was just stored"
    return [await show_user(call, user)]


async def reset_clients(call: ControlCall) -> list[dict[str, Any]]:
    """Restores the initial users and sessions, and empties the outbox."""
    await call.world.reset_users()
    return await list_clients(call)


async def list_sessions(call: ControlCall) -> list[dict[str, Any]]:
    """Lists all sessions."""
    store = (await call.world.services()).store
    emails = {user.id: user.email for user in await store.users()}
    return [
        show_session(call, session, emails[session.user_id]) for session in await store.sessions()
    ]


async def get_session(call: ControlCall) -> list[dict[str, Any]]:
    """Returns the session of a token."""
    store = (await call.world.services()).store
    session = await store.session(token_digest(call.path["token"]))
    user = None if session is None else await store.user(session.user_id)
    if session is None or user is None:
        raise Problem(
            "no-such-session",
            "token: no session has it",
            "GET /_mock/sessions lists the sessions",
            404,
        )
    return [show_session(call, session, user.email)]


async def set_session(call: ControlCall) -> list[dict[str, Any]]:
    """Creates or replaces the session of a token, in a given state."""
    services = await call.world.services()
    key = email_key(trim_email(call.body["email"]))
    user = await services.store.user_by_email(key) if key else None
    if user is None:
        emails = [each.email for each in await services.store.users()]
        raise Problem(
            "no-such-user",
            f"email: no user has the address {call.body['email']!r}",
            suggest(call.body["email"], emails),
            404,
        )
    applications = services.registry.applications
    application = call.body.get("application", next(iter(applications)))
    if application not in applications:
        raise Problem(
            "no-such-application",
            f"application: there is none called {application!r}",
            suggest(application, applications),
            404,
        )
    state = call.body.get("state", LIVE)
    age, idle = SESSION_TIMES[state]
    now = call.world.state.clock.now()
    session = Session(
        digest=call.world.state.tokens.add(call.path["token"]),
        user_id=user.id,
        application=application,
        remember_me=state == REMEMBERED,
        created_at=now - age,
        last_used_at=now - idle,
    )
    await services.store.put_session(session)
    return [show_session(call, session, user.email)]


async def reset_sessions(call: ControlCall) -> list[dict[str, Any]]:
    """Restores the initial sessions, and removes all others."""
    await call.world.reset_sessions()
    return await list_sessions(call)


# Script and faults


async def get_script(call: ControlCall) -> list[dict[str, Any]]:
    """Shows the remaining items of the script."""
    return [item.to_dict() for item in call.world.state.script.items]


async def set_script(call: ControlCall) -> list[dict[str, Any]]:
    """Replaces the script."""
    items = [
        ScriptItem(slug=each) if isinstance(each, str) else ScriptItem(**each) for each in call.body
    ]
    for number, item in enumerate(items):
        if item.slug is not None and item.slug not in call.parts.examples:
            raise Problem(
                "unknown-status",
                f"item {number}: no status is called {item.slug!r}",
                suggest(item.slug, call.parts.examples),
            )
    call.world.state.script.items = items
    return await get_script(call)


async def reset_script(call: ControlCall) -> list[dict[str, Any]]:
    """Empties the script."""
    call.world.state.script.items = []
    return []


async def get_faults(call: ControlCall) -> dict[str, Any]:
    """Shows the faults."""
    return call.world.state.faults.to_dict()


async def set_faults(call: ControlCall) -> dict[str, Any]:
    """Sets all faults; those left out are reset."""
    call.world.state.faults.set(**call.body)
    return await get_faults(call)


async def reset_faults(call: ControlCall) -> dict[str, Any]:
    """Resets all faults."""
    call.world.state.faults.set()
    return await get_faults(call)


# Mails


async def list_mails(call: ControlCall) -> list[dict[str, Any]]:
    """Lists mails, oldest first; waits for the first one if asked to."""
    return [show_mail(mail) for mail in await _find_mails(call)]


async def get_latest_mail(call: ControlCall) -> dict[str, Any]:
    """Shows the latest mail; waits for one if asked to."""
    mails = await _find_mails(call)
    if not mails:
        raise Problem(
            "no-mail",
            f"no mail that matches arrived within {call.query['wait']:g} seconds",
            "GET /_mock/outbox lists all mails; ?wait=5 waits for one on the server",
            404,
        )
    return show_mail(mails[-1])


async def reset_outbox(call: ControlCall) -> ControlResponse:
    """Empties the outbox."""
    await (await call.world.services()).store.remove(mails=True)
    return NO_CONTENT


async def _find_mails(call: ControlCall) -> list[Mail]:
    store = (await call.world.services()).store
    address = call.query.get("to")
    key = email_key(trim_email(address)) if address is not None else None

    async def find() -> list[Mail]:
        return [
            mail
            for mail in await store.mails()
            if (address is None or email_key(mail.recipient) == key)
            and call.query.get("request", mail.request_id) == mail.request_id
        ]

    return await call.world.changes.wait_for(find, call.query["wait"])


# Request log and coverage


async def list_requests(call: ControlCall) -> ControlStream:
    """Lists logged requests, oldest first; waits for the first one if asked to."""
    known = call.parts.statuses.slugs
    after, status = call.query.get("after", 0), call.query.get("status")
    limit = call.query.get("limit")
    if status is not None and status not in known:
        detail = f"status: no status is called {status!r}"
        raise Problem("unknown-status", detail, suggest(status, known))

    async def find() -> Sequence[LogEntry]:
        return [
            entry
            for entry in call.world.state.request_log
            if entry.number > after and status in (None, entry.slug)
        ][:limit]

    entries = await call.world.changes.wait_for(find, call.query["wait"])
    if call.query["format"] == "har":
        prefix = path_prefix(call.world.name)
        archived = (await archive_entry(each, prefix) for each in entries)
        return ControlStream(archived, har.frame())
    return ControlStream(await each.to_dict() for each in entries)


async def get_request(call: ControlCall) -> dict[str, Any]:
    """Shows one logged request."""
    entry = call.world.state.request_log.find(call.path["id"])
    if entry is None:
        raise Problem(
            "no-such-request",
            f"the request log of the world {call.world.name!r} has no {call.path['id']!r}",
            "The id is the X-Request-Id of a response; only the latest requests are kept",
            404,
        )
    return await entry.to_dict()


async def reset_requests(call: ControlCall) -> ControlResponse:
    """Empties the request log."""
    call.world.state.request_log.clear()
    return NO_CONTENT


async def get_coverage(call: ControlCall) -> ControlResponse:
    """Reports which statuses were returned; responds with 409 if a required one was not."""
    statuses = call.parts.statuses
    required = call.query.get("require")
    report = summarize_coverage(
        call.parts.worlds.coverage_of(call.world),
        statuses,
        parse_required(ALL if required is None else required, statuses),
        natural=call.query["natural"],
    )
    return ControlResponse(409 if required is not None and report["missing"] else 200, report)


async def reset_coverage(call: ControlCall) -> ControlResponse:
    """Clears the coverage."""
    call.parts.worlds.clear_coverage(call.world)
    return NO_CONTENT


# Worlds


async def list_worlds(call: ControlCall) -> list[dict[str, Any]]:
    """Lists all worlds."""
    return [
        {
            "name": world.name,
            "prefix": world.prefix,
            "base": world.prefix + call.parts.base,
            **world.count_records(),
            "requests": world.state.request_log.count,
            "idle_seconds": round(world.idle_seconds, 1),
        }
        for world in call.parts.worlds.all()
    ]


async def create_world(call: ControlCall) -> list[dict[str, Any]]:
    """Creates a world; copies another one, or a snapshot, to it."""
    worlds, snapshot = call.parts.worlds, None
    if len(call.body) > 1:
        raise Problem(
            "two-sources",
            "expected one thing to copy, found a world and a snapshot",
            "Leave copy or snapshot out",
        )
    # Before anything is created, so that a misspelt name leaves no world behind.
    if "copy" in call.body:
        source = worlds.get(call.body["copy"])
        with source.in_use():
            snapshot = await source.save()
    elif "snapshot" in call.body:
        snapshot = worlds.snapshots.get(call.body["snapshot"])
    name = call.path["name"]
    world = worlds.find(name) or worlds.create(name)
    if snapshot is not None:
        with world.in_use():
            await world.restore(snapshot)
    return await list_worlds(call)


async def remove_world(call: ControlCall) -> list[dict[str, Any]]:
    """Removes a world with its data."""
    await call.parts.worlds.remove(call.path["name"], call.world)
    return await list_worlds(call)


async def reset_world(call: ControlCall) -> ControlResponse:
    """Restores the initial state of the world, or a snapshot."""
    worlds, name = call.parts.worlds, call.body.get("snapshot")
    await worlds.reset(call.world, None if name is None else worlds.snapshots.get(name))
    return NO_CONTENT


# Snapshots


async def list_snapshots(call: ControlCall) -> list[dict[str, Any]]:
    """Lists all snapshots, with what they contain."""
    return [show_snapshot(*named) for named in call.parts.worlds.snapshots.all()]


async def save_snapshot(call: ControlCall) -> list[dict[str, Any]]:
    """Saves the world under a name."""
    call.parts.worlds.snapshots.add(call.path["name"], await call.world.save())
    return await list_snapshots(call)


async def remove_snapshot(call: ControlCall) -> list[dict[str, Any]]:
    """Removes a snapshot."""
    call.parts.worlds.snapshots.remove(call.path["name"])
    return await list_snapshots(call)
