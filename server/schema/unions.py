"""Unions whose errors name a field, and no branch.

Tags are no identifiers: `errors.field_name` leaves them out.
"""

from typing import Annotated, Any, TypeVar

from pydantic import Discriminator, Tag

Other = TypeVar("Other")


def _form(value: Any) -> str:
    return "[text]" if isinstance(value, str) else "[other]"


TextOr = Annotated[
    Annotated[str, Tag("[text]")] | Annotated[Other, Tag("[other]")], Discriminator(_form)
]


def told_apart(by: str, *values: str, default: str | None = None) -> Discriminator:
    """Objects of a union by a field: `[value]` is a tag; `default` counts where none is said."""

    def tag(value: Any) -> str | None:
        said = value.get(by, default) if isinstance(value, dict) else getattr(value, by, None)
        return f"[{said}]" if said in values else None

    return Discriminator(
        tag,
        custom_error_type="told_apart",
        custom_error_message=f"should be an object whose {by} is one of {', '.join(values)}",
    )
