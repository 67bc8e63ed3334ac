"""Whether a server's metrics tell of every request what its client saw."""

from collections import Counter
from collections.abc import Iterable

from clients.attempt import Outcome
from clients.exposition import Exposition

LEFT = ("200", "499")
"""Statuses of a request whose client left: a stream had begun, or nothing was sent yet."""

BUSY = (
    "bide_programs_running",
    "bide_programs_waiting",
    "bide_requests_queued",
    "vllm:num_requests_running",
    "vllm:num_requests_waiting",
)
"""Gauges that are 0 where nothing is left of any request."""


class Tally:
    """Counts outcomes, so that a soak of hours keeps nothing of each."""

    def __init__(self) -> None:
        self.fates: Counter[tuple[str, str]] = Counter()
        """By kind and fate."""
        self.responses: Counter[tuple[str, str]] = Counter()
        """Whole ones, by route and status."""
        self.left: Counter[str] = Counter()
        """By route."""

    def add(self, outcome: Outcome) -> None:
        self.fates[outcome.asking.kind, outcome.fate] += 1
        if outcome.fate == "left":
            self.left[outcome.asking.route] += 1
        elif outcome.status is not None:
            self.responses[outcome.asking.route, str(outcome.status)] += 1

    def of(self, fate: str) -> int:
        return sum(count for (_, each), count in self.fates.items() if each == fate)


def unaccounted(tally: Tally, before: Exposition, after: Exposition) -> list[str]:
    """What the metrics tell otherwise than the clients, in sentences.

    Where a client leaves, the server may have been done already. So 200 and 499 are compared
    together, and the abandoned ones may be fewer than those who left.
    """
    told = _since(before, after, "bide_requests_total", "route", "status")
    abandoned = _since(before, after, "bide_requests_abandoned_total", "route")
    routes = {route for route, _ in tally.responses} | set(tally.left)
    found = []
    for route in sorted(routes):
        own = {status: n for (each, status), n in tally.responses.items() if each == route}
        seen = {status: n for (each, status), n in told.items() if each == route}
        for status in sorted((own.keys() | seen.keys()) - set(LEFT)):
            if own.get(status, 0) != seen.get(status, 0):
                n, m = own.get(status, 0), seen.get(status, 0)
                found.append(f"{route}: {n} responses of status {status}, the metrics tell {m}")
        left, ended = tally.left[route], sum(own.get(status, 0) for status in LEFT)
        both = sum(seen.get(status, 0) for status in LEFT)
        if left + ended != both:
            found.append(
                f"{route}: {ended} answers and {left} clients that left, the metrics tell {both}"
            )
        gone = abandoned[(route,)]
        if not seen.get("499", 0) <= gone <= left:
            found.append(f"{route}: {left} clients left, the metrics tell {gone} abandoned")
    return found


def uncounted(outcomes: Iterable[Outcome], before: Exposition, after: Exposition) -> list[str]:
    """What `bide_tokens_total` tells otherwise than the usages of these, which were all there was
    between, and of which none was left or voted."""
    usages = [outcome.tokens for outcome in outcomes]
    if None in usages:
        return [f"{usages.count(None)} answers without a usage"]
    told = _since(before, after, "bide_tokens_total", "phase")
    prompt, completion = (sum(usage[i] for usage in usages if usage) for i in (0, 1))
    found = []
    for name, own, phases in (
        ("prompt", prompt, ("prompt",)),
        ("completion", completion, ("reasoning", "content")),
    ):
        seen = sum(told[(phase,)] for phase in phases)
        if own != seen:
            found.append(f"{own} {name} tokens in the usages, the metrics tell {seen}")
    return found


def busy(now: Exposition) -> list[str]:
    """Gauges that are not 0; this very scrape is one request in flight."""
    found = [f"{name} is {int(n)}" for name in BUSY if (n := now.total(name))]
    in_flight = int(now.total("bide_requests_in_flight")) - 1
    return [*found, *([f"bide_requests_in_flight is {in_flight}"] if in_flight > 0 else [])]


def _since(
    before: Exposition, after: Exposition, name: str, *labels: str
) -> Counter[tuple[str, ...]]:
    return after.by(name, *labels) - before.by(name, *labels)
