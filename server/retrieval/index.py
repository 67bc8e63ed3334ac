"""One index: passages in a LanceDB table, found by BM25, and by vectors where it has some.

A change is one commit of the table: who searches meanwhile sees all of it or none, and a server
that is killed leaves the table as it was before or after.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from decoding.passages import Passage
from server.errors import IndexRefused, SearchUnavailable
from server.retrieval.chunking import passages
from server.retrieval.embedding import Embedder

if TYPE_CHECKING:
    from lancedb.table import AsyncTable

GROWN = 0.2
"""Share of the table that may be searched without the index while documents come: row by row, which
takes twenty times as long for a tenth of 100,000."""

QUIET = 1.0
"""Seconds."""

DEEP = 50
"""Passages that words and vectors find each, at least, before their ranks are added up."""

RANK = 60
"""What is added to each rank, so that the first few do not decide alone."""

SEARCHED = timedelta(hours=1)
"""How long a table's earlier state is kept, for those who search it still."""


Row = dict[str, Any]
"""Of the table, by column."""


@dataclass(frozen=True, slots=True)
class Document:
    """digest: of its content, by whoever adds it; tells whether it has to be added again."""

    id: str
    text: str
    title: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    passage: Passage
    score: float


class Index:
    """Also a `decoding.passages.Retriever`."""

    def __init__(
        self,
        table: "AsyncTable",
        words: int,
        quiet: float = QUIET,
        embedder: Embedder | None = None,
        made_with: str | None = None,
    ) -> None:
        """words: of a passage at most. quiet: seconds without a change, after which the index is
        brought up to date. embedder: the server's; made_with: the name of the one that this
        index's vectors are of, None for an index without vectors."""
        self._table, self._words, self._pause = table, words, quiet
        self._embedder, self._made_with = embedder, made_with
        self._is_dropped = False
        self._changing = asyncio.Lock()
        self._quiet: asyncio.TimerHandle | None = None
        self._settling: set[asyncio.Task[None]] = set()

    async def count(self) -> int:
        """Passages. Raises SearchUnavailable."""
        self._check_there()
        return int(await self._table.count_rows())

    async def upsert(self, documents: Sequence[Document]) -> int:
        """Add documents; those of the same ids are replaced. Returns how many passages they are.

        Raises IndexRefused for vectors that this server cannot make, SearchUnavailable.
        """
        embedder = self._for_vectors()
        last = {document.id: document for document in documents}
        rows = [row for document in last.values() for row in self._rows(document)]
        if not rows:
            await self.delete(list(last))
            return 0
        merge = self._table.merge_insert("id")
        merge = merge.when_matched_update_all().when_not_matched_insert_all()
        merge = merge.when_not_matched_by_source_delete(_of(list(last)))
        async with self._changing:  # embedding, too: what came first is not to win
            if embedder is not None:
                vectors = await embedder.passages([row["searched"] for row in rows])
                for row, vector in zip(rows, vectors, strict=True):
                    row["vector"] = vector
            self._check_there()
            await merge.execute(rows)
            await self._keep_up(GROWN)
        self._settle()
        return len(rows)

    async def delete(self, ids: Sequence[str]) -> int:
        """Returns how many passages are gone."""
        async with self._changing:
            self._check_there()
            before = await self.count()
            if ids:
                await self._table.delete(_of(ids))
            return before - await self.count()

    async def missing(self, digests: dict[str, str]) -> list[str]:
        """Of these documents, those that are not there with this digest."""
        self._check_there()
        if not digests:
            return []
        query = self._table.query().where(_of(list(digests))).select(["document", "digest"])
        there = {(row["document"], row["digest"]) for row in await query.to_list()}
        return [name for name, digest in digests.items() if (name, digest) not in there]

    async def found(self, query: str, count: int) -> list[Found]:
        """The best first; none for a query without a word.

        Scores are BM25's; where there are vectors, `fused` of both.
        Raises IndexRefused for vectors that this server cannot make, SearchUnavailable.
        """
        self._check_there()
        embedder = self._for_vectors()
        if not any(letter.isalnum() for letter in query):
            return []
        if embedder is None:
            rows = await self._by_words(query, count)
            return [Found(_passage(row), float(row["_score"])) for row in rows]
        vector = await embedder.query(query)
        self._check_there()
        deep = max(count, DEEP)
        near = self._table.query().nearest_to(vector).column("vector").limit(deep)
        found = fused([await self._by_words(query, deep), await near.to_list()])
        return [Found(_passage(row), score) for row, score in found[:count]]

    async def _by_words(self, query: str, count: int) -> list[Row]:
        search = self._table.query().nearest_to_text(query, columns=["searched"]).limit(count)
        return list(await search.to_list())

    async def search(self, query: str, count: int) -> Sequence[Passage]:
        return [each.passage for each in await self.found(query, count)]

    def _rows(self, document: Document) -> Iterator[Row]:
        for number, text in enumerate(passages(document.text, self._words)):
            yield {
                "id": f"{document.id}#{number}",
                "document": document.id,
                "digest": document.digest,
                "title": document.title,
                "text": text,
                "searched": f"{document.title}\n{text}",
            }

    def _for_vectors(self) -> Embedder | None:
        """None for an index without vectors."""
        if self._made_with is None:
            return None
        if self._embedder is None or self._embedder.name != self._made_with:
            message = f"index: its vectors are of {self._made_with}"
            raise IndexRefused(f"{message}: start the server with that as --embedder", "index")
        return self._embedder

    def _check_there(self) -> None:
        """A request may have had it before it was dropped."""
        if self._is_dropped:
            raise SearchUnavailable("index: it was dropped meanwhile", "index")

    async def drop(self) -> None:
        """No search begins after it, and no change comes after it."""
        self._is_dropped = True
        async with self._changing:
            pass  # a change that is under way is waited for
        await self.close()

    async def close(self) -> None:
        """What is being brought up to date is; nothing is begun any more."""
        if self._quiet is not None:
            self._quiet.cancel()
        await asyncio.gather(*self._settling)

    def _settle(self) -> None:
        """Once it is quiet; who changes something before that puts it off."""
        if self._quiet is not None:
            self._quiet.cancel()
        self._quiet = asyncio.get_running_loop().call_later(self._pause, self._begin_settling)

    def _begin_settling(self) -> None:
        task = asyncio.create_task(self._settled())
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    async def _settled(self) -> None:
        async with self._changing:
            await self._keep_up(0.0)

    async def _keep_up(self, spare: float) -> None:
        """What the index does not have yet is searched all the same. spare: a share of the table
        that may be so."""
        stats = await self._table.index_stats("searched_idx")
        if stats is not None and stats.num_unindexed_rows > spare * (1 + stats.num_indexed_rows):
            await self._table.optimize(cleanup_older_than=SEARCHED)


def fused(lists: Sequence[Sequence[Row]]) -> list[tuple[Row, float]]:
    """The best first: reciprocal ranks added up, as scores of several kinds cannot be (Cormack,
    Clarke and Büttcher, SIGIR 2009)."""
    rows = {row["id"]: row for ranked in lists for row in ranked}
    scores = dict.fromkeys(rows, 0.0)
    for ranked in lists:
        for rank, row in enumerate(ranked, 1):
            scores[row["id"]] += 1 / (RANK + rank)
    return [(rows[each], scores[each]) for each in sorted(scores, key=lambda each: -scores[each])]


def _passage(row: Row) -> Passage:
    return Passage(row["document"], row["text"], row["title"])


def _of(ids: Sequence[str]) -> str:
    """A condition of Lance's SQL, in which a quote is doubled."""
    quoted = ", ".join("'" + each.replace("'", "''") + "'" for each in ids)
    return f"document IN ({quoted})"
