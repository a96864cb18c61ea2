"""Does a sale earn what a clerk with a pencil says, whatever it is and however it arrives?

Receipts are drawn with all kinds of lines, rates, discounts and tenders, in yen, dollars and
dinars; things come back, money is given back, lines are amended, sales voided. The documents arrive
in any order, and points are decided after each.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from projections.purchases import documents as told
from projections.purchases.sale_state import settled
from schemas.generated.events import (
    PriceAdjusted,
    PurchaseAmended,
    PurchaseCompleted,
    PurchaseReturned,
    PurchaseVoided,
)
from schemas.generated.events.parts import (
    Discount,
    Meta,
    Producer,
    PurchaseLine,
    ReturnedLine,
    TaxByRate,
    Tender,
)
from services.points.program.bases import earning_money, tax_of_lines
from services.points.program.rules import EarningRules
from services.points.program.sales import earning_sale
from tests.drawn import examples
from tests.services.points.member import HANAKO, T0, Member
from tests.services.points.plain_receipt import ZERO, PlainLine, PlainReceipt

DIGITS = {"JPY": 0, "USD": 2, "KWD": 3}
SALE = UUID(int=99)
KINDS = ("GOODS",) * 6 + ("SERVICE", "FEE", "SHIPPING", "OTHER", "GIFT_CARD", "DEPOSIT", "DISCOUNT")
RATES = (None, 0, 800, 1_000, 775)
OTHERS = ("GIFT_CARD", "QR", "CASH")


@dataclass
class Story:
    """A drawn sale: the plain receipt and the documents that were told of it, by id."""

    chance: Random
    currency: str
    rules: dict[str, Any]
    plain: PlainReceipt
    documents: dict[str, list[Any]] = field(default_factory=dict)
    inside: bool = True
    items: int = 0
    at: int = T0
    beyond: set[str] = field(default_factory=set)
    spilt: bool = False

    @property
    def digits(self) -> int:
        return DIGITS[self.currency]

    def money(self, minor: int) -> Decimal:
        return Decimal(minor).scaleb(-self.digits)

    def minor(self, money: Decimal) -> int:
        scaled = money.scaleb(self.digits)
        assert scaled == int(scaled)
        return int(scaled)

    def meta(self) -> Meta:
        self.at += 60_000_000
        event_id = (1 << 120 | len(self.documents)).to_bytes(16, "big")
        producer = Producer(system="pos", channel="STORE")
        return Meta(event_id=event_id, occurred_at=self.at, producer=producer)

    def line(self, number: int) -> PlainLine:
        chance, kind = self.chance, self.chance.choice(KINDS)
        rate = None if kind in ("GIFT_CARD", "DEPOSIT") else chance.choice(RATES)
        units = 0 if chance.random() < 0.05 else chance.randint(1, 4)
        paid = chance.choice((0, 99, 101, chance.randint(1, 5_000), 1_080))
        paid *= -1 if kind == "DISCOUNT" and chance.random() < 0.5 else 1
        self.items += 1
        percent = None if rate is None else Decimal(rate) / 100
        return PlainLine(
            number, f"sku-{self.items}", kind, units, self.money(paid), percent,
            self.inside or rate is None,
        )  # fmt: skip

    def printed(self, plain: PlainReceipt) -> list[TaxByRate]:
        """The taxes by rate, as the till prints them; sometimes it prints none."""
        plain.printed_tax = {}
        if self.chance.random() < 0.5 and self.inside:
            return []
        money = plain.discounted()
        taxes = plain.taxes(money, self.chance.choice(("floor", "half_up", "ceil")))
        found = []
        for percent in dict.fromkeys(one.percent for one in plain.lines if one.percent):
            own = [place for place, one in enumerate(plain.lines) if one.percent == percent]
            tax = sum((taxes[place] for place in own), ZERO)
            sold = sum((money[place] for place in own), ZERO)
            plain.printed_tax[percent] = tax
            rate, net = int(percent * 100), sold - tax if self.inside else sold
            found.append(
                TaxByRate(rate_basis_points=rate, net=self.minor(net), tax=self.minor(tax))
            )
        return found

    def sold(self, plain: PlainReceipt) -> list[PurchaseLine]:
        return [
            PurchaseLine(
                line_no=one.number, sku=one.sku, quantity=one.units, unit_price=1,
                net_paid=self.minor(one.paid), kind=one.kind, tax_included=one.inside,
                tax_rate=None if one.percent is None else int(one.percent * 100),
            )
            for one in plain.lines
        ]  # fmt: skip

    def off(self, plain: PlainReceipt) -> list[Discount]:
        """A discount of the receipt, in some."""
        can = sum((one.paid for one in plain.lines if one.kind == "GOODS"), ZERO)
        can -= sum((abs(one.paid) for one in plain.lines if one.kind == "DISCOUNT"), ZERO)
        if self.chance.random() < 0.6 or can <= 0:
            return []
        amount = self.chance.randint(0, self.minor(can))
        plain.off = self.money(amount)
        return [Discount(amount=amount, reason_code="member")]

    def sell(self) -> None:
        plain = self.plain
        discounts, printed = self.off(plain), self.printed(plain)
        total = self.minor(plain.due("floor"))
        tenders, left = [], max(0, total)
        for kind in ("POINTS", *OTHERS):
            paid = left if kind == "CASH" else self.chance.choice((0, self.chance.randint(0, left)))
            left -= paid
            tenders.append(Tender(kind=kind, amount=paid))
            if kind == "POINTS":
                plain.points_paid = self.money(paid)
            plain.tenders[kind] = self.money(paid)
        event = PurchaseCompleted(
            meta=self.meta(), transaction_id=SALE.bytes, profile_id=HANAKO.bytes,
            location_id="S001", currency=self.currency, total=total, lines=self.sold(plain),
            discounts=discounts, tenders=tenders if total >= 0 else [], tax_by_rate=printed,
        )  # fmt: skip
        self.spilt = plain.spilt
        self._keep(event, told.of_sale(event))

    def come_back(self) -> None:
        lines = [self.chance.choice([*self.plain.lines, *self.plain.aside])]
        backs = [
            ReturnedLine(
                line_no=one.number, sku=one.sku, quantity=self.chance.randint(1, 3), refund=0
            )
            for one in lines
        ]
        event = PurchaseReturned(
            meta=self.meta(), transaction_id=SALE.bytes, location_id="S001", total=0,
            currency=self.currency, lines=backs,
        )  # fmt: skip
        for one in backs:
            self.plain.comes_back(one.line_no, one.sku, one.quantity)
        self._keep(event, told.of_return(event))

    def give_back(self) -> None:
        line = self.chance.choice(self.plain.lines)
        amount = self.chance.randint(1, max(2, 2 * abs(self.minor(line.paid)) // 3))
        event = PriceAdjusted(
            meta=self.meta(), transaction_id=SALE.bytes, location_id="S001",
            currency=self.currency, line_no=line.number, amount=amount,
        )  # fmt: skip
        if self.plain.gives_back(line.number, self.money(amount)):
            self.beyond.add(event.meta.event_id.hex())
        self._keep(event, told.of_price(event))

    def amend(self) -> None:
        chance, lines = self.chance, []
        for old in self.plain.lines:
            act = chance.random()
            if act < 0.15:
                continue
            new = self.line(old.number)
            if act < 0.8:
                new.sku, new.kind, new.percent = old.sku, old.kind, old.percent
                new.inside = old.inside
                new.units = chance.randint(1, 5)
            lines.append(new)
        if not lines or chance.random() < 0.3:
            lines.append(self.line(max(one.number for one in self.plain.lines) + 1))
        before = [(one.number, one.sku) for one in self.plain.aside]
        for one in lines:  # an item comes back to the line that it had
            own = [sku for number, sku in before if number == one.number]
            if own and chance.random() < 0.5 and one.units:
                one.sku = own[0]
        now = PlainReceipt(self.digits, lines)
        discounts, printed = self.off(now), self.printed(now)
        event = PurchaseAmended(
            meta=self.meta(), transaction_id=SALE.bytes, location_id="S001",
            currency=self.currency, total=self.minor(now.due("floor")), lines=self.sold(now),
            discounts=discounts, tax_by_rate=printed,
        )  # fmt: skip
        self.spilt = now.spilt
        self._keep(event, told.of_amendment(event))
        self.plain.becomes(lines, now.off, now.printed_tax)

    def void(self) -> None:
        event = PurchaseVoided(
            meta=self.meta(), transaction_id=SALE.bytes, location_id="S001", reason="",
            currency=self.currency, total=0, lines=[],
        )  # fmt: skip
        self.plain.never_was()
        self._keep(event, told.of_void(event))

    def _keep(self, event: Any, document: list[Any]) -> None:
        self.documents[event.meta.event_id.hex()] = document


def drawn(seed: int) -> Story:
    """A sale with up to five corrections."""
    chance = Random(seed)
    currency = chance.choice(list(DIGITS))
    rules = {
        "currency": currency,
        "earn": [{"points": 1, "per": 100}],
        "return_policy": "go_negative",
        "rounding": chance.choice(("floor", "half_up", "ceil")),
        "rounded_per": chance.choice(("line", "receipt")),
        "base_without_tax": chance.random() < 0.5,
        "tax_rounding": chance.choice(("floor", "half_up", "ceil")),
        "excluded_kinds": chance.sample(("SHIPPING", "FEE", "SERVICE"), chance.randint(0, 2)),
        "excluded_tenders": chance.sample(("GIFT_CARD", "QR"), chance.randint(0, 2)),
        "most_per_receipt": chance.choice((None, None, chance.randint(0, 60))),
    }
    story = Story(chance, currency, rules, PlainReceipt(DIGITS[currency], []))
    story.inside = chance.random() < 0.7
    story.plain.lines = [story.line(number) for number in range(1, chance.randint(2, 5))]
    story.sell()
    for _ in range(chance.randint(0, 5)):
        chance.choice((story.come_back, story.come_back, story.give_back, story.amend))()
    if chance.random() < 0.15:
        story.void()
    return story


@settings(max_examples=examples(2_000), deadline=None)
@given(seed=st.integers(0, 2**48))
def test_a_sale_earns_what_a_clerk_says_in_whichever_order_it_arrives(seed: int) -> None:
    story = drawn(seed)
    rules = EarningRules.model_validate(story.rules)
    whole = settled(story.documents)
    sale = earning_sale(SALE, HANAKO, whole, None)
    plain, order = story.plain, [line.line_no for line in sale.lines]
    by_number = {one.number: place for place, one in enumerate(plain.lines)}
    places = [by_number[number] for number in order]

    discounted = plain.discounted()
    assert sale.discounted == [story.minor(discounted[place]) for place in places]
    taxes = plain.taxes(discounted, rules.tax_rounding)
    found = tax_of_lines(sale, sale.discounted, rules.tax_rounding)
    assert found == [story.minor(taxes[place]) for place in places]
    wanted = plain.earning(story.rules)
    for one, place in zip(earning_money(sale, rules), places, strict=True):
        exact = Decimal(one.numerator).scaleb(-story.digits) / one.denominator
        assert abs(exact - wanted[place]) < Decimal("1e-30")

    arrivals, who, known = list(story.documents), Member(rules), dict[str, list[Any]]()
    Random(seed).shuffle(arrivals)
    for name in arrivals:
        known[name] = story.documents[name]
        now = settled(known)
        if now.known:
            who.sales[SALE] = earning_sale(SALE, HANAKO, now, None)
            who.judge(SALE)
    assert who.sum == sum(plain.points(story.rules)), arrivals
    decided = len(who.facts)
    who.judge(SALE)
    assert len(who.facts) == decided, "judged again, and decided anew"


@settings(max_examples=examples(500), deadline=None)
@given(seed=st.integers(0, 2**48), wrong=st.sampled_from([-1, 1, 1_000_000]))
def test_a_receipt_that_adds_up_does_and_one_that_does_not_is_found(seed: int, wrong: int) -> None:
    story = drawn(seed)
    whole = settled(story.documents)
    if not story.spilt:
        assert whole.not_adding_up == []
    odd = {one.document for one in whole.effects if one.beyond}
    assert odd == story.beyond
    (name,) = [key for key, one in story.documents.items() if one[0] == told.COMPLETED]
    sale = [*story.documents[name]]
    sale[6] += wrong
    odd_sale = settled({name: sale})
    if wrong != odd_sale.receipt.tax_told:  # then it adds up with the tax beside the lines
        assert "lines" in odd_sale.not_adding_up
