"""Puts a function of ours in the place of one of moto's, which stays within its reach."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


def amend(owner: type, name: str, replacement: Callable[..., Any]) -> None:
    """Replaces the method `name` of `owner`: `replacement(moto, self, …)` gets moto's own method first."""
    moto = getattr(owner, name)

    @functools.wraps(moto)
    def amended(self: Any, *args: Any, **kwargs: Any) -> Any:
        return replacement(moto, self, *args, **kwargs)

    setattr(owner, name, amended)
