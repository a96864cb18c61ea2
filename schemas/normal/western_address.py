"""Parses an address line in Latin letters into number, street, suburb and state."""

import re

from schemas.normal.streets import NAMES, STATES, STREETS, UNITS, WORDS

Parts = tuple[str, str, str, str, str]
"""State, suburb, street, street number, flat and property: in the order of `addresses.Address`."""

_COUNTRY = re.compile(r"[,\s]+(?:australia|usa|u\.s\.a\.?|united states(?: of america)?)$")
_CODE = re.compile(
    r"(?<!box)[,\s]+(?:[0-9]{4,5}(?:-[0-9]{4})?|[0-9]{3}-[0-9]{4}"
    r"|[a-z]{1,2}[0-9][a-z0-9]? [0-9][a-z]{2}|[a-z][0-9][a-z] [0-9][a-z][0-9])$"
)
_SHORT_PIECE = re.compile(r"\s*,\s*([a-z]{2,3})$")
"""A mistyped state, recognised by its place before the postcode: `smith st, perth, vci 6000`."""
_SLASHED = re.compile(r"(?:(?:unit|u|flat|apt|shop)\s*)?([0-9]+[a-z]?)\s*/\s*(?=[0-9])")
_UNIT = re.compile(
    rf"(?<![a-z0-9])(?:(?:{'|'.join(sorted(UNITS))})\b\.?\s*|#\s*)([0-9]+[a-z]?|[a-z])\b"
)
_NUMBER = re.compile(
    r"(?:no\.?\s*|lot\s+)?([0-9]+[a-z]?(?:\s*-\s*[0-9]+[a-z]?){0,3})(?![a-z0-9])[\s,]*"
)
_ENDS = " ,.-"


def parts(form: str) -> Parts:
    """Parses a line from `text.folded`, such as `3/12 smith st, red hill nsw 2603`.

    A street ends with its type (street, road), and the suburb follows it. If there are commas, the
    last part is the suburb; the parts between street and suburb are the property's name.
    """
    line = _COUNTRY.sub("", form.strip(_ENDS))
    line, state = _state(line)
    flat = ""
    if found := _SLASHED.match(line):
        flat, line = found[1], line[found.end() :]
    elif found := _UNIT.search(line):
        flat, line = found[1], line[: found.start()] + line[found.end() :]
    pieces = [piece.strip(_ENDS) for piece in line.split(",")]
    pieces = [piece for piece in pieces if piece]
    at = next((i for i, piece in enumerate(pieces) if _NUMBER.match(piece)), None)
    number = ""
    if at is not None and (found := _NUMBER.match(pieces[at])):
        number = re.sub(r"\s", "", found[1])
        pieces[at] = pieces[at][found.end() :].strip(_ENDS)
        if not pieces[at]:
            del pieces[at]
    street, others = _street(pieces, at or 0)
    if not number and others and others[0].isdecimal():
        number = others.pop(0)
    suburb = others.pop() if others else ""
    property_ = " ".join(others)
    return state, suburb, street, number, " ".join(part for part in (flat, property_) if part)


def _state(line: str) -> tuple[str, str]:
    """Removes state and postcode, in either order, from the end; returns (rest, state or "")."""
    bare = _CODE.sub("", line)
    before, state = _ending(bare, names=bare != line)
    if not state and bare != line and (found := _SHORT_PIECE.search(bare)):
        before, state = bare[: found.start()], found[1]
    if state:
        return _CODE.sub("", before), state
    return bare, ""


def _ending(line: str, *, names: bool) -> tuple[str, str]:
    words = line.split()
    last = words[-1].strip(_ENDS) if len(words) > 1 else ""
    if last in STATES:
        return line[: line.rindex(last)].rstrip(_ENDS), last
    if names:
        for length in (3, 2, 1):
            name = " ".join(words[-length:]).strip(_ENDS)
            if len(words) > length and name in NAMES:
                return line[: line.rindex(words[-length])].rstrip(_ENDS), NAMES[name]
    return line, ""


def _street(pieces: list[str], at: int) -> tuple[str, list[str]]:
    """The street, taken from `pieces[at]` (the part that had the number), and the other parts."""
    if at >= len(pieces):
        return "", pieces
    words = [word.strip(".") for word in pieces[at].split()]
    ends = [i for i, word in enumerate(words) if i and (word in STREETS or word in WORDS)]
    if not ends:
        return " ".join(words), [*pieces[:at], *pieces[at + 1 :]]
    # "st kilda road", "park avenue": the last of adjacent type words ends the street.
    end = ends[0]
    while end + 1 in ends:
        end += 1
    street = [*words[:end], STREETS.get(words[end], words[end])]
    after = " ".join(words[end + 1 :])
    return " ".join(street), [*pieces[:at], *([after] if after else []), *pieces[at + 1 :]]
