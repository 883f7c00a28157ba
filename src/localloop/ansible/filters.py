"""The ``FilterModule`` of every file in ``filter_plugins/``: a filter that calls a function."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from ansible.errors import AnsibleFilterError

from ..errors import LocalloopError
from .calls import plain


def filter_module(function: Callable[..., Any]) -> type:
    """The ``FilterModule`` whose one filter is ``function``, under the function's own name.

    The function gets plain data instead of Ansible's tagged types. Its ``LocalloopError`` becomes
    an ``AnsibleFilterError``, which fails the task with the same message.
    """

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        arguments, options = plain(args), plain(kwargs)
        try:
            return function(*arguments, **options)
        except LocalloopError as error:
            raise AnsibleFilterError(str(error)) from None

    def filters(_self: object) -> dict[str, Callable[..., Any]]:
        return {function.__name__: call}

    return type("FilterModule", (), {"filters": filters})
