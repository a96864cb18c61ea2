"""What a sale in another currency earns: by the rates that the program's rules declare.

Rates of earning are given for minor units of the program's currency. For a sale in another one they
are converted, and not its amounts: so no amount is rounded before the points are.
"""

from __future__ import annotations

from fractions import Fraction

from services.points.program.rules import Earn, EarningRules


def rules_in(rules: EarningRules, currency: str) -> EarningRules:
    """The rules with rates of earning for minor units of `currency`.

    They earn nothing where the rules declare no rate for it.
    """
    if currency == rules.currency:
        return rules
    worth = rules.worth(currency)
    earn = [] if worth is None else [_converted(one, worth) for one in rules.earn]
    return rules.model_copy(update={"earn": earn})


def _converted(earn: Earn, worth: Fraction) -> Earn:
    points, per = earn.points * worth.numerator, earn.per * worth.denominator
    return earn.model_copy(update={"points": points, "per": per})


def refund_of(rules: EarningRules, points: int, currency: str) -> tuple[int, str]:
    """What these points are worth, in minor units of the currency that is returned beside it.

    That is `currency`, in which the refund is paid, or the program's own where the rules declare no
    rate. Rounded down, so that no customer is kept more than the points were worth.
    """
    value = points * rules.point_value
    worth = rules.worth(currency)
    return (value, rules.currency) if worth is None else (int(value / worth), currency)
