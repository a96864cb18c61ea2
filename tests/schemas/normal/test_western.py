"""Australian and American addresses: number, street, suburb and state, whatever is left out."""

import pytest

from schemas.normal import Address, address

SMITH = Address("nsw", "red hill", "smith street", "12", "")
SAME = [
    (SMITH, "12 Smith Street, Red Hill NSW 2603"),
    (SMITH, "12 SMITH ST., RED HILL, NSW"),
    (SMITH, "12, Smith St, Red Hill, 2603, New South Wales 2603"),
    (SMITH, "12 smith st red hill 2603 nsw"),
    (SMITH, "12 Smith St, Red Hill NSW 2603, Australia"),
    (SMITH._replace(building="3"), "3/12 Smith St, Red Hill NSW 2603"),
    (SMITH._replace(building="3"), "Unit 3, 12 Smith St, Red Hill NSW 2603"),
    (SMITH._replace(building="3"), "U 3 12 Smith St, Red Hill NSW 2603"),
    (SMITH._replace(building="3 rosetta village"),
     "Flat 3, 12 Smith St, Rosetta Village, Red Hill NSW 2603"),
    (SMITH._replace(block="12a"), "12A Smith St, Red Hill NSW 2603"),
    (SMITH._replace(block="12-14"), "12 - 14 Smith St, Red Hill NSW 2603"),
    (SMITH._replace(prefecture="nws"), "12 Smith St, Red Hill, NWS 2603"),
    (Address("vic", "melbourne", "st kilda road", "5", ""), "5 St Kilda Rd, Melbourne VIC 3004"),
    (Address("il", "springfield", "main street", "123", "4"),
     "123 Main St Apt 4, Springfield, IL 62701-1234"),
    (Address("dc", "washington", "pennsylvania avenue", "1600", ""),
     "1600 Pennsylvania Ave, Washington, DC 20500"),
    (Address("", "", "park avenue", "5", ""), "Park Avenue 5"),
    (Address("", "", "smith street", "12", ""), "12 Smith St"),
    (Address("", "melbourne", "the esplanade", "7", ""), "7 The Esplanade, Melbourne"),
    (Address("wa", "perth", "po box 12", "", ""), "PO Box 12, Perth WA"),
    (Address("", "", "", "12", ""), "12"),
]  # fmt: skip


@pytest.mark.parametrize(("parts", "line"), SAME)
def test_a_western_address_has_its_parts(parts: Address, line: str) -> None:
    assert address(line) == parts


@pytest.mark.parametrize("short", ["st", "St.", "STREET", "ｓｔ"])
def test_short_forms_of_streets_are_the_same_street(short: str) -> None:
    assert address(f"12 Smith {short}, Perth WA 6000") == address("12 Smith Street, Perth WA")
