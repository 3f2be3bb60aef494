"""The contract as Schemathesis is shown it: what the base64 holds, as if it were the body."""

import copy
from collections.abc import Mapping
from typing import Any

from clients_register import spec
from clients_register.conformance.fuzzing.reading import MEDIA_TYPE
from clients_register.conformance.fuzzing.world import World
from clients_register.spec.schemas import decoded_schema, operation, parameters, views

# A media type that is none of the contract's, under which Schemathesis looks into the body.
PRIVATE = "application/x-decoded-registration"

# The format of addresses that are good, and new each time.
ADDRESS = "x-new-address"


def document(world: World) -> dict[str, Any]:
    """The contract as Schemathesis is shown it: parameters as the target knows them."""
    shown: dict[str, Any] = copy.deepcopy(spec.load("openapi"))
    if world.maybe:
        # Of a server that is not ours not all is known, and it may have further keys anywhere.
        _open(shown["components"]["schemas"])
    params = copy.deepcopy(dict(decoded_schema(shown)))
    client = copy.deepcopy(dict(shown["components"]["schemas"]["NewClient"]))
    params["properties"]["client"] = client
    # A token that is made up is never right; with tokens deal the sequences.
    del params["properties"]["token"]
    params["properties"]["application"]["enum"] = sorted(world.applications)
    client["properties"]["company_id"]["enum"] = [None, *sorted(world.companies)]
    client["properties"]["email"] |= {"format": ADDRESS, "example": "${email}"}
    named = views(shown)
    for parameter in parameters(shown):
        if parameter.view_of is not None:
            written = params["properties"][parameter.path]
            written["enum"] = [None, *named[parameter.view_of]]
    content = operation(shown)["requestBody"]["content"]
    media = content.pop(MEDIA_TYPE)
    media["schema"] = params
    for example in media.get("examples", {}).values():
        example["value"] = _example(example["x-decoded"])
    content[PRIVATE] = media
    return shown


def _open(schema: Any) -> None:
    """Lets every object in a schema have further members."""
    if isinstance(schema, dict):
        if schema.get("additionalProperties") is False:
            del schema["additionalProperties"]
        for inner in schema.values():
            _open(inner)


def _example(decoded: Mapping[str, Any]) -> dict[str, Any]:
    """An example of the document, with an address of its own and without a token."""
    kept = {name: value for name, value in decoded.items() if name != "token"}
    return {**kept, "client": {**decoded["client"], "email": "${email}"}}
