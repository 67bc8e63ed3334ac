"""A switch that may be said and must be off. `Literal[False]` would take 0 for it."""

from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema


def _off(value: bool) -> bool:
    if value:
        raise ValueError("should be false")
    return value


Off = Annotated[bool, AfterValidator(_off), WithJsonSchema({"type": "boolean", "const": False})]
