"""Mail providers that ignore parts of an address, or allow addresses that RFC 5321 forbids."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Provider:
    """How a provider treats the part before the @."""

    domain: str = ""
    """The domain that replaces the provider's other domains; empty: the domain stays."""
    ignores_dots: bool = False
    tag: str = ""
    """The text from this character on is a label, not a part of the mailbox; empty: no labels."""
    allows_stray_dots: bool = False
    """Whether dots may be adjacent or last, as in `taro..y.@docomo.ne.jp` of Japanese carriers."""


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
