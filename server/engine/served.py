"""What the server needs of an engine beyond what policies do."""

from collections.abc import Sequence
from typing import Protocol

from decoding.engine import Engine
from decoding.types import Grammar
from server.engine.adapters import Adapter
from server.engine.images import Image


class ServedEngine(Engine, Protocol):
    @property
    def sees(self) -> bool:
        """Whether its model reads images."""
        ...

    async def seeing(
        self, token_ids: Sequence[int], images: Sequence[Image]
    ) -> tuple[list[int], Engine]:
        """The prompt with the images in their places, and an engine that continues it.

        token_ids: with a sign for each image, as the model's template writes it. Raises
        InvalidRequest for images that cannot be read, or that have no sign.
        """
        ...

    def check_grammar(self, asked: Grammar) -> None:
        """Raises ValueError, with the reason, for what could not bind an answer."""
        ...

    def adapted(self, adapter: Adapter) -> "ServedEngine":
        """The same engine, which applies this adapter in every call."""
        ...
