"""`thinking.control`: s1's other ways to control the length of a thought."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, Tag

from decoding.controls import ClassControl, Control, RejectionControl, StepControl, TokenControl
from server.schema.unions import told_apart


class ControlFields(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    def config(self) -> Control:
        raise NotImplementedError


class TokenFields(ControlFields):
    """A model that was trained for it knows powers of two; nothing is rounded here."""

    method: Literal["tokens"]
    limit: int = Field(ge=1, strict=True)

    def config(self) -> Control:
        return TokenControl(self.limit)


class StepFields(ControlFields):
    """As for tokens; such a model counts its steps down."""

    method: Literal["steps"]
    limit: int = Field(ge=1, strict=True)

    def config(self) -> Control:
        return StepControl(self.limit)


class ClassFields(ControlFields):
    method: Literal["class"]
    length: Literal["short", "long"]

    def config(self) -> Control:
        return ClassControl(self.length)


class RejectionFields(ControlFields):
    method: Literal["rejection"]
    limit: int = Field(ge=1, strict=True)
    attempts: int = Field(16, ge=1, le=64, strict=True)

    def config(self) -> Control:
        return RejectionControl(self.limit, self.attempts)


AnyControl = Annotated[
    Annotated[TokenFields, Tag("[tokens]")]
    | Annotated[StepFields, Tag("[steps]")]
    | Annotated[ClassFields, Tag("[class]")]
    | Annotated[RejectionFields, Tag("[rejection]")],
    told_apart("method", "tokens", "steps", "class", "rejection"),
]
