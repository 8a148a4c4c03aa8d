"""Whose network is down: ours, or theirs."""

import pytest

from feedhub.errors import HttpStatusError, PollError, UnreachableError
from feedhub.rules.pacing import Outage

DEAD = UnreachableError("connection refused")
NO_ROUTE = UnreachableError("no route", own_network=True)
ANSWER = HttpStatusError("500", status=500)


def after(*polls: tuple[str, PollError | None]) -> Outage:
    outage = Outage()
    for host, error in polls:
        outage = outage.after(f"source of {host}", host, error)
    return outage


MANY = [f"h{number}" for number in range(200)]
CASES = {
    "nothing yet": ((), ["a", "b", "c", "d"], False),
    "two dead hosts of four": ((("a", DEAD), ("b", DEAD)), ["a", "b", "c", "d"], False),
    "three in a row": ((("a", DEAD), ("b", DEAD), ("c", DEAD)), ["a", "b", "c", "d"], True),
    "an answer between": ((("a", DEAD), ("b", DEAD), ("d", ANSWER), ("c", DEAD)), ["a", "b", "c", "d"], False),
    "a success between": ((("a", DEAD), ("b", DEAD), ("d", None), ("c", DEAD)), ["a", "b", "c", "d"], False),
    "one host thrice": ((("a", DEAD), ("a", DEAD), ("a", DEAD)), ["a", "b", "c"], False),
    "three of very many": ((("a", DEAD), ("b", DEAD), ("c", DEAD)), MANY, False),
    "thirteen of very many": (tuple((host, DEAD) for host in MANY[:13]), MANY, True),
    "twenty are enough of any number": (
        tuple((host, DEAD) for host in MANY[:20]),
        [f"{number}" for number in range(1000)],
        True,
    ),
    "the only host refuses": ((("a", DEAD),), ["a"], False),
    "no route to the only host": ((("a", NO_ROUTE),), ["a"], True),
    "no route to one of two": ((("a", NO_ROUTE),), ["a", "b"], False),
    "no route to one, the other refuses": ((("a", NO_ROUTE), ("b", DEAD)), ["a", "b"], False),
    "a file says nothing": ((("a", NO_ROUTE), ("", None)), ["a"], True),
}


@pytest.mark.parametrize(("polls", "hosts", "is_ours"), CASES.values(), ids=CASES)
def test_our_own_network_is_told_from_dead_hosts(
    polls: tuple[tuple[str, PollError | None], ...], hosts: list[str], is_ours: bool
) -> None:
    assert after(*polls).is_ours(hosts) is is_ours


def test_those_that_were_blamed_before_it_was_clear_are_known() -> None:
    assert after(("a", DEAD), ("b", DEAD), ("a", DEAD)).sources == ("source of a", "source of b")
