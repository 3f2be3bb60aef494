"""What an answer left behind on the target, beside what it told."""

from collections.abc import AsyncIterator, Collection

from clients_register.conformance.arranging import Arranger
from clients_register.conformance.findings import Finding, judged
from clients_register.conformance.fuzzing import addresses
from clients_register.conformance.fuzzing.oracle import Allowed, Outcome
from clients_register.conformance.fuzzing.world import World
from clients_register.conformance.verdicts import Grade
from clients_register.spec.statuses import Stage

# Stages from which on a server has the address in its hands, and may have stored it.
STORING = (Stage.PARAMS, Stage.EFFECTS)
MAILING = (Stage.EFFECTS, Stage.SUCCESS)

# The feature whose targets are asked how many mails they sent.
MAIL = "mail"


async def seen(
    arranger: Arranger,
    world: World,
    allowed: Allowed,
    outcome: Outcome,
    claims: Collection[str],
) -> AsyncIterator[Finding]:
    """What is wrong with it; `world` is as `outcome` leaves it. What cannot be seen is not."""
    email, stage = allowed.params.email, outcome.status.stage
    if email is None or addresses.form(email) is not addresses.Form.GOOD:
        return
    owner = world.owner(email)
    client = owner is not None and owner.client
    # Nobody is stored by a refusal, apart from that for a mail that failed.
    if stage in STORING and (client or not world.maybe_owned(email)):
        found = await arranger.stored(email)
        if found is not None and found != client:
            yield judged("stored", Grade.DECIDED, str(client), str(found), right=False)
    # Whoever is a client now was welcomed, by one mail.
    if stage in MAILING and MAIL in claims:
        wanted = world.mails[addresses.key(email)]
        mails = await arranger.mailed(email)
        if mails is not None and mails != wanted:
            yield judged("mailed", Grade.DECIDED, str(wanted), str(mails), right=False)
