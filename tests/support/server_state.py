"""The content of the server's modules, to check that a planted fault was removed."""

from importlib import import_module
from pkgutil import walk_packages
from types import ModuleType

from clients_register import handlers

# (module, attribute, key or attribute of the class) -> value
State = dict[tuple[str, ...], object]


def server_state() -> State:
    """Every attribute of the server's modules and classes, and every entry of its tables."""
    state: State = {}
    for module in _modules():
        for name, value in vars(module).items():
            state[module.__name__, name] = value
            if isinstance(value, type) and value.__module__ == module.__name__:
                for attribute, each in vars(value).items():
                    # Python sets it when a subclass of a protocol is first instantiated.
                    if each is not object.__init__:
                        state[module.__name__, name, attribute] = each
            elif isinstance(value, dict) and not name.startswith("__"):
                for key, each in value.items():
                    state[module.__name__, name, repr(key)] = each
    return state


def changed(before: State, after: State) -> list[str]:
    """The names of what is not the identical object any more, is new or is gone."""
    return sorted(
        ".".join(name)
        for name in before.keys() | after.keys()
        if name not in before or name not in after or before[name] is not after[name]
    )


def _modules() -> list[ModuleType]:
    prefix = f"{handlers.__name__}."
    return [import_module(each.name) for each in walk_packages(handlers.__path__, prefix)]
