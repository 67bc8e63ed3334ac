"""A witness tells which weights there were while it watched."""

from server.engine.weights import REMEMBERED, Weights


def test_a_witness_tells_all_from_its_begin_on() -> None:
    weights = Weights("a")
    first = weights.witness()
    weights.become("b")
    second = weights.witness()
    weights.become("c")
    assert (first(), second(), weights.witness()()) == ("a+b+c", "b+c", "c")
    weights.become("b")
    assert second() == "b+c"


def test_of_more_than_it_remembers_it_tells_the_last() -> None:
    weights = Weights("a")
    witness = weights.witness()
    for number in range(REMEMBERED):
        weights.become(str(number))
    assert witness().startswith("0+1+")
