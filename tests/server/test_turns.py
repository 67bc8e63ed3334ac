"""Callers take turns, so do the requests of one, and each request is in order."""

from server.turns import Turns


def taken(turns: Turns[str, str]) -> list[str]:
    order = []
    while turns:
        order.append(turns.take())
    return order


def test_callers_take_turns_however_much_one_wants() -> None:
    turns = Turns[str, str]()
    for number in range(4):
        turns.add("greedy", "a", f"a{number}")
    turns.add("modest", "b", "b0")
    assert taken(turns) == ["a0", "b0", "a1", "a2", "a3"]


def test_so_do_the_requests_of_one() -> None:
    turns = Turns[str, str]()
    for waiter in ("vote0", "vote1", "vote2", "question0", "other0"):
        turns.add("caller", waiter[:-1], waiter)
    assert taken(turns) == ["vote0", "question0", "other0", "vote1", "vote2"]


def test_whoever_has_had_a_turn_and_comes_back_goes_behind() -> None:
    turns = Turns[str, str]()
    turns.add("a", "a", "a0")
    turns.add("b", "b", "b0")
    assert turns.take() == "a0"
    turns.add("a", "a", "a1")
    assert taken(turns) == ["b0", "a1"]


def test_who_goes_leaves_nothing_behind() -> None:
    turns = Turns[str, str]()
    turns.add("a", "a", "a0")
    turns.add("a", "a", "a1")
    turns.discard("a", "a", "a0")
    turns.discard("a", "a", "a0")
    assert taken(turns) == ["a1"]
    turns.discard("a", "a", "a1")
    assert not turns
