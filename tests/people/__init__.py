"""Who could a shop's customers be, and how are they written down by clerks and web forms?

Made-up Japanese people in their households, each known to one to five source profiles. Names,
places and phone plans are drawn as they are met in Japan, and everything that makes two profiles
of one person differ happens at a rate written in `tests.people.rates`. A generator, not a sample:
one seed gives the same profiles on any machine, whatever the size.

    for profile in profiles(people=12_000, profiles=20_000, seed=1): ...

The truth is `Profile.person`; `Profile.household` says who lives, or lived, under one roof.
"""

from tests.people.generating import Profile, profiles, true_pairs
from tests.people.rates import RATES

__all__ = ["RATES", "Profile", "profiles", "true_pairs"]
