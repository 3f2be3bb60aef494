"""What an answer makes of the world that was asked, as the contract has it."""

from typing import Any

from clients_register.conformance.fuzzing import addresses
from clients_register.conformance.fuzzing.oracle import Allowed, Outcome
from clients_register.conformance.fuzzing.world import Person, Session, World
from clients_register.spec.statuses import Stage

# The stages before the token is looked at.
BEFORE_TOKEN = (Stage.ROUTING, Stage.DEPLOYMENT, Stage.TRANSPORT)


def settle(world: World, allowed: Allowed, outcome: Outcome, token: Any) -> None:
    """Brings `world` to where `outcome` leads; `token` is that of the session in the answer."""
    bearer = allowed.bearer
    if bearer is not None and outcome.status.stage not in BEFORE_TOKEN and bearer.live(world.now):
        # Used, whatever follows; one that was refused as expired is not (Q-SESSION-LIMITS).
        bearer.used = world.now
    if "welcome_mail_is_sent" in outcome.status.rules and world.mail_failures:
        world.mail_failures -= 1
        client(world, allowed)
    if outcome.status.stage is Stage.SUCCESS:
        person = client(world, allowed)
        world.mails[addresses.key(person.email)] += 1
        if isinstance(token, str):
            application = allowed.params["application"]
            world.sessions[token] = Session(person, application, world.now, world.now)


def client(world: World, allowed: Allowed) -> Person:
    """Makes who is described a client. The password of one who is there stays (Q-EXISTING-USER)."""
    email = str(allowed.params.email)
    person = world.owner(email)
    if person is None:
        person = Person(email, allowed.params.text("client.password"))
        world.add(person)
    person.client = True
    return person
