"""Barcodes: GTIN-8, -12, -13 and -14, a shop's own ones (in-store prefixes) included. Pure.

A GTIN is the same number with zeros before it: 036000291452 on an American package is scanned as
0036000291452 in Europe and ordered as 00036000291452. Its last digit is a check digit.
"""

from __future__ import annotations

LENGTHS = (8, 12, 13, 14)
LONGEST = 14


def wrong_with(code: str) -> str | None:
    """Why a code is no barcode; None if it is one."""
    if not (code.isascii() and code.isdigit()) or len(code) not in LENGTHS:
        return "must be a GTIN of 8, 12, 13 or 14 digits"
    expected = check_digit(code[:-1])
    if int(code[-1]) != expected:
        return f"must end with its check digit, which is {expected}"
    return None


def same_number(code: str, other: str) -> bool:
    """Whether two codes are the same, or the same GTIN in two lengths."""
    return code == other or longest(code) == longest(other)


def longest(code: str) -> str:
    """A GTIN in its longest form, which is the same for all lengths; any other code as it is."""
    return code.rjust(LONGEST, "0") if code.isdigit() and len(code) in LENGTHS else code


def check_digit(digits: str) -> int:
    """The check digit of a GTIN without it: weights 3 and 1 in turn, from the right."""
    total = sum(int(digit) * (3, 1)[at % 2] for at, digit in enumerate(digits[::-1]))
    return -total % 10


def spellings(barcode: str) -> list[str]:
    """The barcode in every length in which it can be written, the shortest first."""
    whole = barcode.rjust(LONGEST, "0")
    return [
        whole[LONGEST - length :] for length in LENGTHS if not whole[: LONGEST - length].strip("0")
    ]
