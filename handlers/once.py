"""An attribute that is computed when it is first asked for, and kept."""

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

S = TypeVar("S")
T = TypeVar("T")


class once(Generic[S, T]):  # noqa: N801 - used like `property`
    """`functools.cached_property` for objects of one request, which no two threads share.

    Before Python 3.12 that one takes a lock for each first look, and a request takes seven.
    """

    def __init__(self, compute: Callable[[S], T]) -> None:
        self.compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(self, instance: S, owner: type) -> T: ...

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self
        # From now on the instance itself answers; this is not called again.
        value = instance.__dict__[self._name] = self.compute(instance)
        return value
