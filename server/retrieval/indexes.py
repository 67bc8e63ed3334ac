"""Indexes by name, in a folder: LanceDB's, embedded in this process."""

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from server.errors import IndexRefused, UnknownIndex
from server.retrieval.embedding import Embedder
from server.retrieval.index import QUIET, Index

if TYPE_CHECKING:
    from lancedb.db import AsyncConnection
    from lancedb.table import AsyncTable

EMBEDDER = "embedder"
"""What a table's metadata name the model by that its vectors are of."""

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


class Indexes:
    """root: None for none. words: of a passage at most. embedder: of the vectors that new indexes
    have; None for none."""

    def __init__(
        self,
        root: Path | None,
        words: int,
        quiet: float = QUIET,
        embedder: Embedder | None = None,
    ) -> None:
        self._root, self._words, self._quiet = root, words, quiet
        self._embedder = embedder
        self._connection: AsyncConnection | None = None
        self._open: dict[str, Index] = {}
        self._lock = asyncio.Lock()

    async def names(self) -> list[str]:
        if self._root is None or not self._root.is_dir():
            return []
        found = await (await self._connected()).list_tables()
        return sorted(found.tables)

    async def create(self, name: str) -> Index:
        """Raises IndexRefused for a name that cannot be, or is there already."""
        if not NAME.fullmatch(name):
            raise IndexRefused(f"name: {name!r} should be letters, digits, - and _", "name")
        async with self._lock:
            if name in await self.names():
                raise IndexRefused(f"name: there is an index {name!r} already", "name")
            import pyarrow as pa
            from lancedb.index import FTS

            texts = ("id", "document", "digest", "title", "text", "searched")
            fields: list[Any] = [(each, pa.string()) for each in texts]
            made_with = {}
            if self._embedder is not None:
                size = await self._embedder.size()
                fields.append(("vector", pa.list_(pa.float32(), size)))
                made_with = {EMBEDDER: self._embedder.name}
            schema = pa.schema(fields, metadata=made_with)
            table = await (await self._connected()).create_table(name, schema=schema)
            config = FTS(stem=False, remove_stop_words=False, with_position=False)
            await table.create_index("searched", config=config)
            self._open[name] = Index(table, self._words, self._quiet, self._embedder)
            return self._open[name]

    async def get(self, name: str) -> Index:
        """Raises UnknownIndex."""
        if name in self._open:
            return self._open[name]
        names = await self.names()
        if name not in names:
            known = ", ".join(names) or "none"
            raise UnknownIndex(f"there is no index {name!r}, only {known}", "index")
        table = await (await self._connected()).open_table(name)
        embedder = await self._embedder_of(name, table)
        return self._open.setdefault(name, Index(table, self._words, self._quiet, embedder))

    async def _embedder_of(self, name: str, table: "AsyncTable") -> Embedder | None:
        """Raises IndexRefused where its vectors are of a model that this server does not have."""
        made_with = ((await table.schema()).metadata or {}).get(EMBEDDER.encode())
        if made_with is None:
            return None
        if self._embedder is None or self._embedder.name != made_with.decode():
            message = f"index: the vectors of {name!r} are of {made_with.decode()}"
            raise IndexRefused(f"{message}: start the server with that as --embedder", "index")
        return self._embedder

    async def drop(self, name: str) -> None:
        """Raises UnknownIndex."""
        async with self._lock:
            await (await self.get(name)).close()
            await (await self._connected()).drop_table(name)
            del self._open[name]

    async def close(self) -> None:
        for index in self._open.values():
            await index.close()

    async def _connected(self) -> "AsyncConnection":
        """Raises IndexRefused where this server keeps none."""
        if self._root is None:
            raise IndexRefused("this server keeps no indexes: it was started without --indexes")
        if self._connection is None:
            import lancedb

            self._connection = await lancedb.connect_async(self._root)
        return self._connection
