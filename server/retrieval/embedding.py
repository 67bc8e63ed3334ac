"""Texts as vectors, by a sentence-transformers model on the CPU, beside the engine."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

BATCH = 32
"""Texts that are embedded at once."""

Vector = list[float]
Result = TypeVar("Result")


class Embedder(Protocol):
    """Vectors of length 1, so that near ones have a high product. name: of the model."""

    name: str

    async def load(self) -> None:
        """Raises EmbedderError."""
        ...

    async def size(self) -> int:
        """Numbers of a vector."""
        ...

    async def passages(self, texts: Sequence[str]) -> list[Vector]: ...

    async def query(self, text: str) -> Vector: ...

    def close(self) -> None: ...


class EmbedderError(Exception):
    """A model that cannot be loaded; the message says why."""


class SentenceEmbedder:
    """name: a folder, or a model of the Hugging Face hub.

    One thread has the model, so that embedding many passages does not stop the server; a query
    waits for no more than the batch before it.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embedder")
        self._model: SentenceTransformer | None = None

    async def load(self) -> None:
        """Raises EmbedderError. Without it, the model is loaded when it is first used."""
        await self._in_thread(self._loaded)

    async def size(self) -> int:
        return await self._in_thread(lambda: len(self._of_query("size")))

    async def passages(self, texts: Sequence[str]) -> list[Vector]:
        found: list[Vector] = []
        for i in range(0, len(texts), BATCH):
            batch = list(texts[i : i + BATCH])
            found += await self._in_thread(partial(self._of_passages, batch))
        return found

    async def query(self, text: str) -> Vector:
        return await self._in_thread(partial(self._of_query, text))

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _of_passages(self, texts: list[str]) -> list[Vector]:
        found = self._loaded().encode_document(texts, normalize_embeddings=True)
        return [[float(each) for each in vector] for vector in found]

    def _of_query(self, text: str) -> Vector:
        found = self._loaded().encode_query(text, normalize_embeddings=True)
        return [float(each) for each in found]

    def _loaded(self) -> "SentenceTransformer":
        if self._model is None:
            try:
                from sentence_transformers import SentenceTransformer

                self._model = SentenceTransformer(self.name, device="cpu")
            except ImportError as error:
                raise EmbedderError(f"{error}: pip install 'bide[vectors]'") from error
            except (OSError, ValueError) as error:
                raise EmbedderError(f"{self.name}: {error}".splitlines()[0]) from error
        return self._model

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
