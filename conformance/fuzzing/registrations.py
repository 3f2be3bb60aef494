"""Registrations that are right, and ones that are nearly right: the JSON, before it is encoded.

Placeholders stand for what must be new each time; `Values` fills them when the request is made.
"""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from clients_register.conformance.fuzzing.addresses import SPACE
from clients_register.conformance.fuzzing.oracle import MAX_PASSWORD
from clients_register.conformance.fuzzing.params import PARAMETERS, VIEWS
from clients_register.conformance.fuzzing.world import World
from clients_register.spec.schemas import Parameter

# How many parameters of one registration are odd.
MOST_ODD = 3

# Where nothing at all stands, not even null.
LEFT_OUT = object()

_SIGNS = st.characters(exclude_categories=["Cs"])


def texts(min_size: int = 0, max_size: int = 12) -> SearchStrategy[str]:
    """Any text that JSON can hold and that is no placeholder."""
    return st.text(_SIGNS, min_size=min_size, max_size=max_size).map(
        lambda text: text.replace("${", "$ {")
    )


def values() -> SearchStrategy[Any]:
    """Any JSON value, mostly a small one."""
    numbers = (
        st.integers(-10, 100) | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    )
    leaves = st.none() | st.booleans() | numbers | texts()
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts(), inner, max_size=3),
        max_leaves=6,
    )


def blanks() -> SearchStrategy[Any]:
    """What counts as not passed."""
    return st.none() | st.text(st.sampled_from(SPACE), max_size=3)


def sized(limit: int) -> SearchStrategy[str]:
    """Text as long as it may be, give or take one, of a sign that takes one byte, or more."""
    return st.builds(
        lambda sign, size: sign * size,
        st.sampled_from(["x", "é", "日", "😀"]),
        st.sampled_from([1, limit - 1, limit, limit + 1]),
    )


# Addresses, by the placeholders that make each of them one of a kind. The longest local part that
# is good is 64 octets; the domain fills an address up to 254 signs, or past it.
GOOD_ADDRESSES = (
    "${email}",
    " ${email}\t",
    "${email|upper}",
    "a.b+c!#$%&'*/=?^_`{|}~-${unique}@${domain}",
)
MALFORMED_ADDRESSES = (
    "${unique}",
    "@${domain}",
    "${unique}@",
    "${unique}@@${domain}",
    "${unique}@a@${domain}",
    "${unique} a@${domain}",
    "${unique}@a ${domain}",
)
OPEN_ADDRESSES = (
    '"${unique}"@${domain}',
    ".${unique}@${domain}",
    "${unique}..a@${domain}",
    "é${unique}@${domain}",
    "${unique}@bücher.${domain}",
    "${unique}\u0000@${domain}",
    "${unique}@[192.0.2.1]",
    "${unique}@-a.${domain}",
    "${x*65}${unique}@${domain}",
)
LONG_ADDRESSES = (
    "${unique}@${a*60}.${b*60}.${c*60}.${d*49}.test",
    "${unique}@${a*60}.${b*60}.${c*60}.${d*50}.test",
    "${unique}@${a*63}.${b*63}.${c*63}.${d*63}.test",
    "${x*300}${unique}",
)


def any_address() -> SearchStrategy[str]:
    """Addresses of every kind."""
    others = (GOOD_ADDRESSES, OPEN_ADDRESSES, LONG_ADDRESSES)
    return st.one_of([st.sampled_from(each) for each in (*[MALFORMED_ADDRESSES] * 2, *others)])


def passwords() -> SearchStrategy[str]:
    """Passwords at the limits of what can be hashed."""
    return (
        sized(MAX_PASSWORD) | texts(1, 20) | st.builds(lambda a, b: f"{a}\0{b}", texts(), texts())
    )


def registrations(world: World) -> SearchStrategy[Any]:
    """The JSON of a registration with up to MOST_ODD odd members."""
    # Strategies cost more to make than to draw from.
    usual = {each: _usual(each, world) for each in PARAMETERS}
    odd = {each: _odd(each, world) for each in PARAMETERS}
    chosen = st.lists(st.sampled_from(PARAMETERS), max_size=MOST_ODD, unique=True)
    further: SearchStrategy[dict[str, Any]] = st.builds(dict) | st.dictionaries(
        texts(), values(), max_size=1
    )

    @st.composite
    def registration(draw: st.DrawFn) -> Any:
        of_odd = draw(chosen)
        params: dict[str, Any] = {}
        for parameter in PARAMETERS:
            container = params.get(parameter.container) if parameter.container else params
            if not isinstance(container, dict):
                continue
            value = draw((odd if parameter in of_odd else usual)[parameter])
            if value is not LEFT_OUT:
                container[parameter.path.rpartition(".")[2]] = value
        return {**draw(further), **params}

    return registration()


def _usual(parameter: Parameter, world: World) -> SearchStrategy[Any]:
    """What is right for a parameter, or, mostly, nothing where nothing is needed."""
    right = _right(world)
    known = right.get(parameter.path, st.just("${unique}"))
    if parameter.required:
        return known
    return st.just(LEFT_OUT) | st.just(LEFT_OUT) | known


def _right(world: World) -> Mapping[str, SearchStrategy[Any]]:
    return {
        "application": st.sampled_from(sorted(world.applications)),
        "client": st.builds(dict),
        "client.email": st.sampled_from(GOOD_ADDRESSES),
        "client.password": st.just("${password}"),
        "client.company_id": st.sampled_from(sorted(world.companies)),
        "enterprise": st.booleans(),
        "token": st.just(LEFT_OUT),
        **{
            each.path: st.sampled_from(list(VIEWS[each.view_of]))
            for each in PARAMETERS
            if each.view_of is not None
        },
    }


def _odd(parameter: Parameter, world: World) -> SearchStrategy[Any]:
    """What is not right for a parameter, or at the edge of it."""
    choices = [st.just(LEFT_OUT), blanks(), values(), texts()]
    if parameter.max_length is not None:
        choices.append(sized(parameter.max_length))
    if parameter.type == "string":
        choices.append(_right(world).get(parameter.path, st.just("${unique}")).map(_altered))
    if parameter.path == "client.email":
        choices += [any_address()] * 8
    if parameter.path == "client.password":
        choices.append(passwords())
    if parameter.type == "integer":
        near = [42.0, 1e400, True, 10**400, *map(str, world.companies)]
        choices += [st.integers(), st.sampled_from(near), st.sampled_from(near)]
    if parameter.type == "boolean":
        choices += [st.sampled_from(["true", 1, 0, "false", []])] * 2
    if parameter.type == "object":
        choices.append(st.sampled_from([{}, [], "{}", [{}], 0, False]))
    return st.one_of(choices)


def _altered(value: Any) -> Any:
    """A known name with blanks around it, and in another letter case unless it is a placeholder."""
    if not isinstance(value, str):
        return value
    return f" {value if '${' in value else value.upper()} "
