"""What arranging a state makes of the world, for the model that the oracle asks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from clients_register.conformance.fuzzing.world import (
    MAX_AGE,
    MAX_IDLE,
    Person,
    Session,
    World,
)

# How far past a limit a session is that is told to be past it, and how old a live one is.
PAST = timedelta(hours=1)


@dataclass(frozen=True)
class State:
    """Who is there in a state, and since when their session was made and used, if they have one."""

    client: bool = False
    staff: bool = False
    age: timedelta | None = None
    idle: timedelta = timedelta(minutes=1)
    remembered: bool = False


PEOPLE: Mapping[str, State] = {
    "session-live": State(client=True, age=PAST),
    "session-remembered": State(client=True, age=4 * MAX_AGE, idle=4 * MAX_AGE, remembered=True),
    "session-too-old": State(client=True, age=MAX_AGE + PAST),
    "session-unused": State(client=True, age=MAX_IDLE + PAST, idle=MAX_IDLE + PAST),
    "session-roleless": State(age=PAST),
    "liaison": State(staff=True),
    "liaison-session": State(staff=True, age=PAST),
    "liaison-without-password": State(staff=True, age=PAST),
    "employee-session": State(staff=True, age=PAST),
    "roleless": State(),
}


def arranged(world: World, state: str, given: Mapping[str, Any]) -> None:
    """Brings the model into `state`, which gave these values."""
    if state == "application-token":
        world.application_tokens |= {given["token"]}
    if state not in PEOPLE:
        return
    told = PEOPLE[state]
    person = Person(given["user.email"], given.get("user.password"), told.client, told.staff)
    before = world.owner(person.email)
    # Whoever had the address is that person no more, and their sessions are gone.
    world.sessions = {
        token: session for token, session in world.sessions.items() if session.person is not before
    }
    world.add(person)
    if told.age is not None:
        created, used = world.now - told.age, world.now - told.idle
        world.sessions[given["token"]] = Session(person, "", created, used, told.remembered)
