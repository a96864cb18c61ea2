"""Abbreviations of street types, flats and states in English-speaking countries."""

STREETS = {
    "al": "alley", "ally": "alley", "arc": "arcade", "av": "avenue", "ave": "avenue",
    "blvd": "boulevard", "bvd": "boulevard", "cct": "circuit", "cir": "circle", "circ": "circuit",
    "cl": "close", "cres": "crescent", "crs": "crescent", "ct": "court", "crt": "court",
    "dr": "drive", "drv": "drive", "esp": "esplanade", "expy": "expressway", "fwy": "freeway",
    "gdns": "gardens", "gr": "grove", "gv": "grove", "grv": "grove", "hts": "heights",
    "hwy": "highway", "la": "lane", "ln": "lane", "lp": "loop", "mw": "mews", "pde": "parade",
    "pkwy": "parkway", "pky": "parkway", "pl": "place", "plz": "plaza", "prom": "promenade",
    "qy": "quay", "rd": "road", "rdge": "ridge", "rt": "route", "sq": "square", "st": "street",
    "str": "street", "tce": "terrace", "ter": "terrace", "terr": "terrace", "trk": "track",
    "trl": "trail", "tpke": "turnpike", "vw": "view", "wk": "walk", "wy": "way",
}  # fmt: skip
"""Street types by short form, of Australia Post (AS 4590) and the US Postal Service (Pub. 28)."""
WORDS = frozenset(STREETS.values()) | frozenset(
    ("bend", "chase", "corner", "cove", "glade", "glen", "green", "hill", "link", "mall", "park",
     "pass", "path", "place", "rise", "row", "run", "street", "vale", "vista", "way")
)  # fmt: skip
UNITS = frozenset(
    ("apartment", "apt", "flat", "flt", "level", "room", "rm", "shop", "ste", "suite", "u", "unit")
)
AUSTRALIA = {
    "australian capital territory": "act", "new south wales": "nsw", "northern territory": "nt",
    "queensland": "qld", "south australia": "sa", "tasmania": "tas", "victoria": "vic",
    "western australia": "wa",
}  # fmt: skip
AMERICA = {
    "alabama": "al", "alaska": "ak", "arizona": "az", "arkansas": "ar", "california": "ca",
    "colorado": "co", "connecticut": "ct", "delaware": "de", "district of columbia": "dc",
    "florida": "fl", "georgia": "ga", "hawaii": "hi", "idaho": "id", "illinois": "il",
    "indiana": "in", "iowa": "ia", "kansas": "ks", "kentucky": "ky", "louisiana": "la",
    "maine": "me", "maryland": "md", "massachusetts": "ma", "michigan": "mi", "minnesota": "mn",
    "mississippi": "ms", "missouri": "mo", "montana": "mt", "nebraska": "ne", "nevada": "nv",
    "new hampshire": "nh", "new jersey": "nj", "new mexico": "nm", "new york": "ny",
    "north carolina": "nc", "north dakota": "nd", "ohio": "oh", "oklahoma": "ok", "oregon": "or",
    "pennsylvania": "pa", "rhode island": "ri", "south carolina": "sc", "south dakota": "sd",
    "tennessee": "tn", "texas": "tx", "utah": "ut", "vermont": "vt", "virginia": "va",
    "washington": "wa", "west virginia": "wv", "wisconsin": "wi", "wyoming": "wy",
}  # fmt: skip
STATES = frozenset((*AUSTRALIA.values(), *AMERICA.values()))
NAMES = AMERICA | AUSTRALIA
"""Short forms of states by full name; a full name counts as a state only before a postcode."""
