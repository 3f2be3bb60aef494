"""Attributes that are computed when they are first needed, for objects of a single thread."""

from typing import TYPE_CHECKING

__all__ = ["lazy"]

if TYPE_CHECKING:
    from functools import cached_property as lazy
else:

    class lazy:  # noqa: N801 - used like `property`
        """Like `functools.cached_property`, but without a lock.

        Up to Python 3.11 that one acquires a lock on the first access; a request has seven lazy
        attributes, and refusing it would take a tenth more instructions.
        """

        def __init__(self, func):
            self.func = func
            self.__doc__ = func.__doc__

        def __set_name__(self, owner, name):
            self._name = name

        def __get__(self, instance, owner=None):
            if instance is None:
                return self
            # The attribute of the instance takes precedence from now on.
            value = instance.__dict__[self._name] = self.func(instance)
            return value
