"""Mail providers that ignore part of the local part, or allow more than RFC 5321 does."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Provider:
    """How a provider treats the part before the @."""

    domain: str = ""
    """The domain its aliases stand for; empty: as written."""
    ignores_dots: bool = False
    tag: str = ""
    """What follows this character is a label of the owner's, not part of the mailbox."""
    allows_stray_dots: bool = False
    """Japanese carriers gave out addresses such as `taro..y.@docomo.ne.jp`; they are in use."""


_GOOGLE = Provider(domain="gmail.com", ignores_dots=True, tag="+")
_PLUS = Provider(tag="+")
_CARRIER = Provider(allows_stray_dots=True)

PROVIDERS: dict[str, Provider] = {
    "gmail.com": _GOOGLE,
    "googlemail.com": _GOOGLE,
    "outlook.com": _PLUS,
    "outlook.jp": _PLUS,
    "hotmail.com": _PLUS,
    "hotmail.co.jp": _PLUS,
    "live.jp": _PLUS,
    "icloud.com": _PLUS,
    "me.com": Provider(domain="icloud.com", tag="+"),
    "mac.com": Provider(domain="icloud.com", tag="+"),
    "fastmail.com": _PLUS,
    "proton.me": _PLUS,
    "protonmail.com": Provider(domain="proton.me", tag="+"),
    "docomo.ne.jp": _CARRIER,
    "ezweb.ne.jp": _CARRIER,
    "au.com": _CARRIER,
    "softbank.ne.jp": _CARRIER,
    "i.softbank.jp": _CARRIER,
    "disney.ne.jp": _CARRIER,
    "ymobile.ne.jp": _CARRIER,
    "willcom.com": _CARRIER,
    "pdx.ne.jp": _CARRIER,
    "uqmobile.jp": _CARRIER,
    "d.vodafone.ne.jp": _CARRIER,
    "h.vodafone.ne.jp": _CARRIER,
    "t.vodafone.ne.jp": _CARRIER,
    "c.vodafone.ne.jp": _CARRIER,
    "r.vodafone.ne.jp": _CARRIER,
    "k.vodafone.ne.jp": _CARRIER,
    "n.vodafone.ne.jp": _CARRIER,
    "s.vodafone.ne.jp": _CARRIER,
    "q.vodafone.ne.jp": _CARRIER,
}
EVERYBODY_ELSE = Provider()
