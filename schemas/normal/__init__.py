"""Normal forms: two spellings of the same name, address or number become the same text.

Pure functions of text. `folded` always returns a text; the others return None if the text has no
such value. None of the functions exported here raises for malformed text.
"""

from schemas.normal.addresses import Address, address
from schemas.normal.dates import birth_date
from schemas.normal.emails import email
from schemas.normal.names import Name, kana, name
from schemas.normal.phones import phone
from schemas.normal.postcodes import postcode
from schemas.normal.readings import reading
from schemas.normal.text import folded

__all__ = [
    "Address",
    "Name",
    "address",
    "birth_date",
    "email",
    "folded",
    "kana",
    "name",
    "phone",
    "postcode",
    "reading",
]
