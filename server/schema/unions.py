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


def by_type(*types: str, default: str | None = None) -> Discriminator:
    """Objects told apart by their `type`, with the tag `[type]`; `default` where it says none."""

    def tag(value: Any) -> str | None:
        said = value.get("type", default) if isinstance(value, dict) else getattr(value, "type", "")
        return f"[{said}]" if said in types else None

    return Discriminator(
        tag,
        custom_error_type="union_type",
        custom_error_message=f"should be an object whose type is one of {', '.join(types)}",
    )
