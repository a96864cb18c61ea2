"""Every situation whose answer does not depend on the order, in many drawn orders at once."""

from __future__ import annotations

import inspect
import itertools
import random
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.situations.answers import Shop
from tests.situations.facts import DRAWN
from tests.situations.settling import Settling
from tests.situations.shuffled_delivery import DrawnShop, shuffled
from tests.situations.tables import situations
from tests.situations.wire import Wire

Story = tuple[str, Callable[[Shop], None]]
SHOPS_AT_ONCE = 40
FAILURES_SHOWN = 3


@pytest.mark.parametrize(
    "orders",
    [3, pytest.param(200, marks=[pytest.mark.long, pytest.mark.timeout(1_800)])],
)
def test_documents_in_drawn_orders_give_one_answer(
    wire: Wire, settling: Settling, orders: int
) -> None:
    """Every situation with `arrivals`, so many times: three senders, all partitions, batches of 1
    to 30 events of any of 40 shops at once.
    """
    seed = 11
    stories = [story for story in drawable() for _ in range(orders)]
    random.Random(seed).shuffle(stories)
    failures: list[str] = []
    with shuffled(lambda: Wire(wire.addresses), settling, seed) as open_shop:
        todo, lock = iter(stories), threading.Lock()

        def run() -> None:
            shop = open_shop()
            while (story := _next(todo, lock)) is not None:
                _run(story, shop, failures)

        threads = [threading.Thread(target=run) for _ in range(SHOPS_AT_ONCE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    shown = "\n".join(failures[:FAILURES_SHOWN])
    assert not failures, f"{len(failures)} of {len(stories)} were answered wrongly\n{shown}"


def drawable() -> list[Story]:
    """The situations that tell all their documents within `shop.arriving(arrival)`."""
    return [
        story
        for name, test in situations().items()
        if "arrival" in inspect.signature(test).parameters
        # rules of a day have all later sales judged again: too many of them in one program
        and "day_with(" not in inspect.getsource(test)
        for story in _with_parameters(name, test)
    ]


def _with_parameters(name: str, test: Callable[..., None]) -> Iterator[Story]:
    marks = [mark for mark in getattr(test, "pytestmark", ()) if mark.name == "parametrize"]
    own = [mark.args for mark in marks if mark.args[0] != "arrival"]
    for values in itertools.product(*(values for _, values in own)):
        given: dict[str, Any] = dict(zip((names for names, _ in own), values, strict=True))

        def story(shop: Shop, given: dict[str, Any] = given) -> None:
            test(shop=shop, arrival=DRAWN, **given)

        yield f"{name}{given or ''}", story


def _next(todo: Iterator[Story], lock: threading.Lock) -> Story | None:
    with lock:
        return next(todo, None)


def _run(story: Story, shop: DrawnShop, failures: list[str]) -> None:
    name, tell = story
    try:
        shop.begin()
        tell(shop)
    except Exception:
        failures.append(f"{name}\norder of delivery: {shop.delivered}\n{traceback.format_exc()}")
