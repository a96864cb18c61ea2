"""With which settings does Splink link these data?

Those that its authors publish for them, as of Splink 5 in `docs/demos/examples/duckdb` of its
repository `moj-analytical-services/splink`:

- Febrl 3: `febrl3.nb.py`, "Deduplicating the febrl3 dataset", pairs from probability 0.2 on.
  Febrl 1 and 2 come from the same generator with the same columns: the same settings.
- Febrl 4: `febrl4.nb.py`, "Linking the febrl4 datasets", the detailed model, and the extended one
  of its "Further refinements"; pairs from 0.2 on, clusters at 0.99.
- Japanese: nothing is published. Closest are people with names, birth date and postcode in
  `deduplicate_50k_synthetic.nb.py`, "Linking a dataset of real historical persons", clusters at
  0.95. Its comparison of names, which reads kanji or kana, and of birth date; others of the
  library for what these have besides (postcode, mobile, e-mail); its kind of blocking rules, its
  training rules.

Sampling for u takes a seed everywhere, so that a run can be repeated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import splink.comparison_level_library as cll
import splink.comparison_library as cl
from splink import block_on

SEED = 2  # as in the published Febrl 3


@dataclass(frozen=True, slots=True)
class Model:
    """Settings, how they are trained, and the thresholds that are published with them."""

    name: str
    comparisons: list[Any]
    blocking: list[Any]
    deterministic: list[Any]
    recall: float
    training: list[Any]
    pairs_at: float
    clusters_at: float
    u_pairs: float = 1e6
    m_without_frequencies: bool = False


def models(data: str) -> list[Model]:
    """Of a data set; a KeyError for one that has none."""
    return {
        "febrl1": [febrl3()], "febrl2": [febrl3()], "febrl3": [febrl3()],
        "febrl4": [febrl4(), febrl4_extended()], "japanese": [japanese()],
    }[data]  # fmt: skip


def febrl3() -> Model:
    switched = (
        "l.given_name = r.surname and l.surname = r.given_name"
        " and l.date_of_birth = r.date_of_birth"
    )
    return Model(
        "Splink, its Febrl 3",
        [
            cl.NameComparison("given_name"),
            cl.NameComparison("surname"),
            _born("date_of_birth"),
            cl.DamerauLevenshteinAtThresholds("soc_sec_id", [2]),
            _frequent("street_number"),
            _frequent("postcode"),
        ],
        _each("soc_sec_id", "given_name", "surname", "date_of_birth", "postcode"),
        [block_on("soc_sec_id"), block_on("given_name", "surname", "date_of_birth"), switched],
        0.9,
        _each("date_of_birth", "postcode"),
        pairs_at=0.2,
        clusters_at=0.99,
    )


def febrl4() -> Model:
    return Model(
        "Splink, its Febrl 4",
        [
            _with_frequencies(cl.NameComparison("given_name")),
            _with_frequencies(cl.NameComparison("surname")),
            _born("date_of_birth"),
            cl.DamerauLevenshteinAtThresholds("soc_sec_id", [1, 2]),
            _frequent("street_number"),
            _with_frequencies(cl.DamerauLevenshteinAtThresholds("postcode", [1, 2])),
        ],
        _febrl4_blocking(),
        [block_on("soc_sec_id"), block_on("given_name", "surname", "date_of_birth")],
        0.8,
        _each("date_of_birth", "postcode"),
        pairs_at=0.2,
        clusters_at=0.99,
        m_without_frequencies=True,
    )


def febrl4_extended() -> Model:
    """The names as one comparison, which sees them switched; typing errors in numbers."""
    switched = (
        "jaro_winkler_similarity(given_name_l, surname_r)"
        " + jaro_winkler_similarity(surname_l, given_name_r) >= {}"
    )
    names = [
        _level(
            "(given_name_l is null or given_name_r is null)"
            " and (surname_l is null or surname_r is null)",
            is_null_level=True,
        ),
        cll.ExactMatchLevel("full_name", term_frequency_adjustments=True),
        cll.JaroWinklerLevel("full_name", 0.9),
        cll.JaroWinklerLevel("full_name", 0.7),
        cll.ColumnsReversedLevel("given_name", "surname"),
        _level(switched.format(1.8)),
        _level(switched.format(1.4)),
        cll.ExactMatchLevel("given_name", term_frequency_adjustments=True),
        cll.ExactMatchLevel("surname", term_frequency_adjustments=True),
        _level("given_name_l = surname_r or surname_l = given_name_r"),
        cll.JaroWinklerLevel("given_name", 0.9),
        cll.JaroWinklerLevel("surname", 0.9),
        cll.ElseLevel(),
    ]
    plain = febrl4()
    return Model(
        "Splink, its Febrl 4 extended",
        [
            {"output_column_name": "full_name", "comparison_levels": names},
            _born("date_of_birth"),
            _typed("soc_sec_id", 2),
            _typed("street_number", 1),
            _typed("postcode", 2),
        ],
        plain.blocking,
        plain.deterministic,
        plain.recall,
        plain.training,
        pairs_at=0.5,  # of the published `predict()`, which has no threshold: more likely than not
        clusters_at=0.99,
        u_pairs=1e7,
        m_without_frequencies=True,
    )


def japanese() -> Model:
    return Model(
        "Splink, its historical persons",
        [
            {"output_column_name": "name", "comparison_levels": _japanese_names()},
            cl.DateOfBirthComparison("birth_date", input_is_string=True),
            _with_frequencies(cl.LevenshteinAtThresholds("postcode", [1, 2])),
            _with_frequencies(cl.LevenshteinAtThresholds("mobile", [1])),
            cl.EmailComparison("mail"),
            # no landline, no address: as with Febrl 4, they would say the postcode once more
        ],
        [
            *_each("mobile", "landline", "mail", "whole", "whole_kana"),
            block_on("given", "birth_date"),
            block_on("given_kana", "birth_date"),
            block_on("family", "birth_date"),
            block_on("postcode", "birth_date"),
            block_on("postcode", "given"),
            block_on("postcode", "given_kana"),
            block_on("postcode", "family"),
        ],
        [
            block_on("whole", "birth_date"),
            block_on("whole_kana", "birth_date"),
            block_on("whole", "mobile"),
            block_on("whole", "mail"),
            block_on("whole", "postcode"),
        ],
        0.8,
        [block_on("whole"), block_on("birth_date")],
        pairs_at=0.5,
        clusters_at=0.95,
        u_pairs=1e7,
        m_without_frequencies=True,
    )


def _japanese_names() -> list[Any]:
    """`ForenameSurnameComparison`, with kanji or reading for the name.

    Two comparisons, one of each, would count one agreement twice: everybody who shares a family
    name and a postcode would be one person.
    """
    similar = (
        "jaro_winkler_similarity(given_{0}l, given_{0}r) >= 0.88"
        " and jaro_winkler_similarity(family_{0}l, family_{0}r) >= 0.88"
    )
    return [
        _level(
            "(whole_l is null or whole_r is null)"
            " and (whole_kana_l is null or whole_kana_r is null)",
            is_null_level=True,
        ),
        cll.ExactMatchLevel("whole", term_frequency_adjustments=True),
        cll.ExactMatchLevel("whole_kana", term_frequency_adjustments=True),
        cll.ColumnsReversedLevel("given", "family", symmetrical=True),
        _level(f"({similar.format('')}) or ({similar.format('kana_')})"),
        cll.ExactMatchLevel("given", term_frequency_adjustments=True),
        cll.ExactMatchLevel("given_kana", term_frequency_adjustments=True),
        cll.ExactMatchLevel("family", term_frequency_adjustments=True),
        cll.ExactMatchLevel("family_kana", term_frequency_adjustments=True),
        cll.ElseLevel(),
    ]


def _febrl4_blocking() -> list[Any]:
    return [
        block_on("given_name", "surname"),
        "l.given_name = r.surname and l.surname = r.given_name",
        block_on("date_of_birth"),
        block_on("soc_sec_id"),
        block_on("state", "address_1"),
        block_on("street_number", "address_1"),
        block_on("postcode"),
    ]


def _each(*columns: str) -> list[Any]:
    return [block_on(column) for column in columns]


def _with_frequencies(comparison: Any) -> Any:
    return comparison.configure(term_frequency_adjustments=True)


def _frequent(column: str) -> Any:
    return _with_frequencies(cl.ExactMatch(column))


def _born(column: str) -> Any:
    return cl.DateOfBirthComparison(
        column, input_is_string=True, datetime_format="%Y%m%d", invalid_dates_as_null=True
    )


def _level(condition: str, **more: Any) -> dict[str, Any]:
    return {"sql_condition": condition, "label_for_charts": condition, **more}


def _typed(column: str, errors: int) -> dict[str, Any]:
    return {
        "output_column_name": column,
        "comparison_levels": [
            cll.NullLevel(column),
            cll.ExactMatchLevel(column, term_frequency_adjustments=True),
            *(cll.DamerauLevenshteinLevel(column, distance) for distance in range(1, errors + 1)),
            cll.ElseLevel(),
        ],
    }
