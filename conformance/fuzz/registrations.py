"""Hypothesis strategies for registrations as JSON: valid, or with a few odd parameters.

They contain placeholders, such as for addresses, which are filled when the request is built.
"""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from clients_register.conformance.fuzz.params import MAX_PASSWORD, PARAMETERS, VIEWS
from clients_register.conformance.fuzz.world_model import WHITE_SPACE, WorldModel
from clients_register.spec.schemas import Parameter

# The most odd parameters in one registration.
MAX_ODD = 3

# A parameter that is not sent at all.
OMITTED = object()

_CHARACTERS = st.characters(exclude_categories=["Cs"])


def texts(min_size: int = 0, max_size: int = 12) -> SearchStrategy[str]:
    """Any text that JSON can represent, without placeholders."""
    return st.text(_CHARACTERS, min_size=min_size, max_size=max_size).map(
        lambda text: text.replace("${", "$ {")
    )


def values() -> SearchStrategy[Any]:
    """Any JSON value, usually a small one."""
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
    """Values that count as not passed."""
    return st.none() | st.text(st.sampled_from(WHITE_SPACE), max_size=3)


def texts_near(limit: int) -> SearchStrategy[str]:
    """Text of about the maximum length, with characters of one to four bytes."""
    return st.builds(
        lambda character, size: character * size,
        st.sampled_from(["x", "é", "日", "😀"]),
        st.sampled_from([1, limit - 1, limit, limit + 1]),
    )


# Address templates, each unique by its placeholders. In the long ones, the domain fills the address
# up to 254 characters, or beyond.
VALID_ADDRESSES = (
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


def addresses() -> SearchStrategy[str]:
    """Addresses of all forms."""
    others = (VALID_ADDRESSES, OPEN_ADDRESSES, LONG_ADDRESSES)
    return st.one_of([st.sampled_from(each) for each in (*[MALFORMED_ADDRESSES] * 2, *others)])


def passwords() -> SearchStrategy[str]:
    """Passwords around the limits of what bcrypt can hash."""
    return (
        texts_near(MAX_PASSWORD)
        | texts(1, 20)
        | st.builds(lambda a, b: f"{a}\0{b}", texts(), texts())
    )


def registrations(model: WorldModel) -> SearchStrategy[Any]:
    """Registrations with up to MAX_ODD odd parameters."""
    # Creating strategies is more expensive than drawing from them.
    usual = {each: _usual(each, model) for each in PARAMETERS}
    odd = {each: _odd(each, model) for each in PARAMETERS}
    chosen = st.lists(st.sampled_from(PARAMETERS), max_size=MAX_ODD, unique=True)
    further: SearchStrategy[dict[str, Any]] = st.builds(dict) | st.dictionaries(
        texts(), values(), max_size=1
    )

    @st.composite
    def registration(draw: st.DrawFn) -> Any:
        odd_ones = draw(chosen)
        params: dict[str, Any] = {}
        for parameter in PARAMETERS:
            container = params.get(parameter.container) if parameter.container else params
            if not isinstance(container, dict):
                continue
            value = draw((odd if parameter in odd_ones else usual)[parameter])
            if value is not OMITTED:
                container[parameter.path.rpartition(".")[2]] = value
        return {**draw(further), **params}

    return registration()


def _usual(parameter: Parameter, model: WorldModel) -> SearchStrategy[Any]:
    """A valid value, or usually nothing if the parameter is optional."""
    known = _valid_values(model).get(parameter.path, st.just("${unique}"))
    if parameter.required:
        return known
    return st.just(OMITTED) | st.just(OMITTED) | known


def _valid_values(model: WorldModel) -> Mapping[str, SearchStrategy[Any]]:
    companies: list[Any] = sorted(model.companies)
    return {
        "application": st.sampled_from(sorted(model.applications)),
        "client": st.builds(dict),
        "client.email": st.sampled_from(VALID_ADDRESSES),
        "client.password": st.just("${password}"),
        "client.company_id": st.sampled_from(companies or [OMITTED]),
        "enterprise": st.booleans(),
        "token": st.just(OMITTED),
        **{
            each.path: st.sampled_from(list(VIEWS[each.view_of]))
            for each in PARAMETERS
            if each.view_of is not None
        },
    }


def _odd(parameter: Parameter, model: WorldModel) -> SearchStrategy[Any]:
    """An invalid value, or one at the edge."""
    choices = [st.just(OMITTED), blanks(), values(), texts()]
    if parameter.max_length is not None:
        choices.append(texts_near(parameter.max_length))
    if parameter.type == "string":
        choices.append(_valid_values(model).get(parameter.path, st.just("${unique}")).map(_respell))
    if parameter.path == "client.email":
        choices += [addresses()] * 8
    if parameter.path == "client.password":
        choices.append(passwords())
    if parameter.type == "integer":
        near = [42.0, 1e400, True, 10**400, *map(str, model.companies or [42])]
        choices += [st.integers(), st.sampled_from(near), st.sampled_from(near)]
    if parameter.type == "boolean":
        choices += [st.sampled_from(["true", 1, 0, "false", []])] * 2
    if parameter.type == "object":
        choices.append(st.sampled_from([{}, [], "{}", [{}], 0, False]))
    return st.one_of(choices)


def _respell(value: Any) -> Any:
    """Adds white space to a name, and changes its letter case unless it is a placeholder."""
    if not isinstance(value, str):
        return value
    return f" {value if '${' in value else value.upper()} "
