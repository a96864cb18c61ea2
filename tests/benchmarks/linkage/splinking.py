"""What does Splink find, at the threshold that is published and at the one that suits it best?"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence

import duckdb
import pyarrow as pa
from splink import DuckDBAPI, Linker, SettingsCreator

from tests.benchmarks.linkage.counting import closed
from tests.benchmarks.linkage.records import DataSet, Linked
from tests.benchmarks.linkage.splink_models import SEED, Model, models
from tests.benchmarks.linkage.thresholds import Scored, above, best


def entrants(data: DataSet) -> Iterator[tuple[str, Linked]]:
    """By what each is: pairs and clusters where published, and what is best of all thresholds."""
    for model in models(data.name):
        began = time.perf_counter()
        scored = score_pairs(data, model)
        seconds = time.perf_counter() - began
        pairs = above(scored, model.pairs_at)
        yield f"{model.name}: pairs ≥ {model.pairs_at}", Linked(pairs, set(), seconds)
        clusters = closed(above(scored, model.clusters_at))
        yield f"{model.name}: clusters at {model.clusters_at}", Linked(clusters, set(), seconds)
        for is_closed, what in ((False, "pairs ≥"), (True, "clusters at")):
            at, found = best(scored, data.truth, is_closed)
            yield f"{model.name}: best, {what} {at:.4g}", Linked(found, set(), seconds)


def score_pairs(data: DataSet, model: Model) -> Scored:
    """Every pair that the blocking rules let through, weighed."""
    logging.getLogger("splink").setLevel(logging.ERROR)
    with duckdb.connect() as connection:
        api = DuckDBAPI(connection=connection)
        linked = data.sources or (None,)
        tables = [api.register(pa.Table.from_pylist(_rows(data, source))) for source in linked]
        settings = SettingsCreator(
            unique_id_column_name="rec_id",
            link_type="link_only" if data.sources else "dedupe_only",
            blocking_rules_to_generate_predictions=model.blocking,
            comparisons=model.comparisons,
        )
        linker = Linker(tables if data.sources else tables[0], settings, log_level=logging.ERROR)
        training = linker.training
        training.estimate_probability_two_random_records_match(
            model.deterministic, recall=model.recall
        )
        training.estimate_u_using_random_sampling(max_pairs=model.u_pairs, seed=SEED)
        for rule in model.training:
            training.estimate_parameters_using_expectation_maximisation(
                rule, estimate_without_term_frequencies=model.m_without_frequencies
            )
        found = linker.inference.predict().as_duckdbpyrelation()
        rows = found.project("match_weight, rec_id_l, rec_id_r").fetchall()
    return sorted(
        ((weight, frozenset((one, other))) for weight, one, other in rows),
        key=lambda scored: (-scored[0], sorted(scored[1])),
    )


def _rows(data: DataSet, source: str | None) -> Sequence[dict[str, str | None]]:
    rows = (row for row in data.columns if source is None or row["source"] == source)
    return [
        row | {"full_name": f"{row['given_name']}_{row['surname']}"}
        if row.get("given_name") and row.get("surname")
        else row | {"full_name": None}
        for row in rows
    ]
