"""How often does what happen to people, and to what is written about them?

The tables below are what the generator reads: a rate, its name, and of what it is the share.

Of people and households, once in the 14.5 years in which profiles are registered:

    0.250  household_moves    households: all members have another address from then on
    0.200  child_leaves       grown children: own address from then on
    0.060  name_changes       women past 20: marry and change their name; two thirds move
    0.200  mobile_changes     mobile numbers: given up for another
    0.050  mobile_recycled    numbers given up: handed to a stranger
    0.200  mail_changes       main e-mail addresses: given up for another
    0.250  official_old       names with an old form of a kanji: it is the official one (髙 邊 齋)
    0.060  namesakes          people living alone: a stranger has the very same name
    0.400  namesakes_year     namesakes: born in the same year too
    0.030  twins              households with two children: the first two born on one day
    0.300  twins_share_kanji  twins of one sex: a kanji of the given name is the same
    0.100  named_after        children: a kanji of the parent of the same sex in the given name
    0.020  same_reading       children: the given name read as that parent's, in other kanji
    0.050  neighbours         households: in the same building as another household
    0.450  in_building        households: their address has a building and a room
    0.600  landline           households of two and more; half as often where one lives alone

Of profiles, wherever the field is filled and the thing is possible:

    0.700  old_form           official old form: written so, otherwise in the usual kanji
    0.040  katakana_name      the name field holds katakana, one in four of them half-width
    0.015  hiragana_name      the name field holds hiragana
    0.020  romaji_name        the name field holds romaji, in any order and case
    0.005  fields_swapped     name and reading stand in each other's field
    0.012  order_swapped      given name first
    0.010  honorific          様 or さん was typed too
    0.020  given_converted    given name in other kanji of the same reading (input conversion)
    0.010  family_converted   family name in other kanji of the same reading
    0.050  reading_guessed    another usual reading of the kanji
    0.010  name_misread       one kanji taken for another that looks like it
    0.020  kana_slip          reading: a sign mistaken, lost, doubled, swapped or without voicing
    0.030  kana_large         small kana written large, as old tills do
    0.010  long_vowel         a long vowel written with the bar ー
    0.250  no_prefecture      address begins with the city
    0.250  no_building        building and room left out
    0.015  address_slip       address: a kanji mistaken or lost, or two digits swapped
    0.007  postcode_slip      postcode: one digit wrong
    0.080  era_letter         birth date as S60.4.3
    0.070  era_kanji          birth date as 昭和60年4月3日
    0.008  day_and_month      birth date: day and month swapped, where it is still a date
    0.012  birth_slip         birth date: one digit wrong, where it is still a date
    0.004  birth_placeholder  birth date: 1900-01-01, typed to get on
    0.010  phone_slip         phone: one digit wrong
    0.003  phone_placeholder  phone: zeros
    0.030  shared_phone       households of two and more: another member's mobile
    0.800  childs_phone       under 13 years: a parent's mobile
    0.040  family_mail        households of two and more: the household's e-mail address
    0.800  childs_mail        under 13 years: a parent's e-mail address
    0.150  second_mail        people with a second address: it is given instead
    0.005  mail_slip          e-mail: a well-known provider misspelt
    0.010  mail_tag           e-mail at Gmail: with a +tag
    0.030  mail_case          e-mail: with capitals

What is filled in by which source, and in which width, is `STYLES` in `tests.people.sources`.
"""

from __future__ import annotations

import re

_LINE = re.compile(r"^    (0\.\d+)  (\w+)", re.MULTILINE)

RATES: dict[str, float] = {name: float(rate) for rate, name in _LINE.findall(__doc__)}
