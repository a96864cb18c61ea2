"""How can two sealed values be found equal by somebody who may read neither?"""

import hmac

from schemas.personal.normalise import NORMALISER_VERSION

INDEX_BYTES = 16


def blind_index(key: bytes, kind: str, normalised: str) -> bytes:
    """A keyed fingerprint of kind and value; without the key no guess can be tried."""
    message = b"\0".join((kind.encode(), str(NORMALISER_VERSION).encode(), normalised.encode()))
    return hmac.digest(key, message, "sha256")[:INDEX_BYTES]
