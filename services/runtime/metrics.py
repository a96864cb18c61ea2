"""All Prometheus metrics of all processes, with their descriptions.

Alerts and dashboards may use these names only (a test checks them). Base units, few labels; no
label has personal data or unbounded values.

A gauge that this process has not measured is NaN, not 0, unless its text says otherwise. Counters
are created with the label sets that are known, so that `increase` sees the first increment.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

# `_created` series are not used and would double the number of counters
disable_created_metrics()  # type: ignore[no-untyped-call]

_FRESHNESS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 15, 60, 600, 86_400, 2_592_000)
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.3, 1, 3, 10)
_SIZES = (1, 5, 20, 100, 500, 1_000, 2_500, 5_000, 10_000, 20_000, 50_000)


MEASURED: dict[str, Gauge] = {}
"""Gauges that are NaN until this process sets them, by name; a projection may declare a query."""


def _measured(name: str, documentation: str, label: str = "") -> Gauge:
    """A gauge that is NaN until it is set.

    With a `label`, the code that sets the gauge has to set NaN first for each value of the label.
    """
    gauge = MEASURED[name] = Gauge(name, documentation, [label] if label else [])
    if not label:
        gauge.set(math.nan)
    return gauge


# gateway
ACCEPTED = Counter(
    "hitotsu_gateway_accepted_events", "Events appended to Kafka and acknowledged.", ["type"]
)
REFUSED = Counter("hitotsu_gateway_refused_events", "Events answered `rejected`.", ["reason"])
RESPONSES = Counter(
    "hitotsu_http_responses", "HTTP answers by route and status.", ["service", "route", "status"]
)
REQUEST_SECONDS = Histogram(
    "hitotsu_http_request_seconds", "Time to answer.", ["service", "route"], buckets=_SECONDS
)
IN_FLIGHT = Gauge(
    "hitotsu_gateway_in_flight_events", "Events that are being validated, sealed or appended."
)
CLOCK_OFFSET = Gauge(
    "hitotsu_gateway_clock_offset_seconds",
    "True time minus a producer's time, by store: the largest of its newest request with"
    " `Hitotsu-Sent-At` or `Hitotsu-Event-Ages`.",
    ["store"],
)
PRODUCER_RESTARTS = Counter(
    "hitotsu_gateway_producer_restarts", "Times the Kafka producer was replaced after errors."
)

# projector
APPLIED = Counter(
    "hitotsu_projector_applied_events", "Events applied.", ["group", "topic", "partition"]
)
DUPLICATE = Counter(
    "hitotsu_projector_duplicate_events",
    "Resends of applied events and documents, which are not applied again.",
    ["group", "topic", "partition"],
)
CONFLICT = Counter(
    "hitotsu_projector_conflict_events",
    "Events with the id or document of another event: dead letters of stage `conflict`.",
    ["group", "topic", "partition"],
)
DEAD_LETTER = Counter(
    "hitotsu_projector_dead_letter_events",
    "Records stored as dead letters, by stage of failure; conflicts have a metric of their own.",
    ["group", "topic", "partition", "stage"],
)
NEXT_OFFSET = Gauge(
    "hitotsu_projector_next_offset",
    "Checkpoint in Postgres, for partitions that this process holds.",
    ["group", "topic", "partition"],
)
LAG = Gauge(
    "hitotsu_projector_lag_events",
    "Records between checkpoint and log end, for partitions that this process holds.",
    ["group", "topic", "partition"],
)
HELD = Gauge(
    "hitotsu_projector_partition_held",
    "1 for each partition that this process holds; 0: it held the partition before.",
    ["group", "topic", "partition"],
)
BATCH_EVENTS = Histogram(
    "hitotsu_projector_batch_events", "Records in one transaction.", ["group"], buckets=_SIZES
)
BATCH_SECONDS = Histogram(
    "hitotsu_projector_batch_seconds",
    "Time of one batch by step.",
    ["group", "step"],
    buckets=_SECONDS,
)
FRESH_OCCURRED = Histogram(
    "hitotsu_freshness_occurred_seconds",
    "From when it happened until it is visible.",
    ["group"],
    buckets=_FRESHNESS,
)
FRESH_ACCEPTED = Histogram(
    "hitotsu_freshness_accepted_seconds",
    "From Kafka's append until it is visible.",
    ["group"],
    buckets=_FRESHNESS,
)
CAREFUL_BATCHES = Counter(
    "hitotsu_projector_careful_batches",
    "Times a batch was judged again or split, by cause.",
    ["group", "cause"],
)
FENCED = Counter(
    "hitotsu_projector_fenced",
    "Times the process ended itself; its log line `projector_exiting` says why.",
    ["group"],
)
LAST_PROGRESS = Gauge(
    "hitotsu_projector_last_progress_timestamp_seconds",
    "When a checkpoint last moved, or nothing was left to do; 0 until the first time.",
    ["group"],
)
REDIS_BACKLOG = Gauge(
    "hitotsu_redis_repair_backlog",
    "Batches whose rows a repair has to write to Redis; NaN: unknown.",
    ["group"],
)
REDIS_WRITES = Counter(
    "hitotsu_redis_written_rows",
    "Rows for Redis: written, stale (Redis has newer ones), failed (Redis did not take them).",
    ["group", "outcome"],
)
REDIS_REFILLS = Counter(
    "hitotsu_redis_refills",
    "Times Redis was filled from Postgres: it was empty, another one, or tables were replaced.",
    ["group"],
)
RELAYED = Counter("hitotsu_dead_letters_relayed", "Dead letters copied to their topic.")
MISSING_RECEIPTS = _measured(
    "hitotsu_missing_receipt_numbers", "Receipt numbers that tills have skipped so far."
)
INCOMPLETE_DAYS = _measured(
    "hitotsu_incomplete_business_days",
    "Business days of stores that ended a day ago and are not complete, of the last two weeks.",
)
DISCREPANCIES = _measured(
    "hitotsu_discrepancies",
    "Discrepancies that nobody has settled, by kind; NaN: unknown.",
    "kind",
)
WRONG_CLOCKS = _measured(
    "hitotsu_terminals_with_wrong_clocks",
    "Terminals that in the last hour sent events by a clock wrong by more than two minutes.",
)

HEAP_BLOCKS = Gauge(
    "hitotsu_heap_blocks",
    "Memory blocks that Python objects occupy now; unlike the resident size it can shrink.",
)
HEAP_BLOCKS.set_function(sys.getallocatedblocks)

# commands
DECISIONS = Counter(
    "hitotsu_commands_decided",
    "Commands decided, by HTTP status.",
    ["kind", "status"],
)
DECIDED_AT_ONCE = Histogram(
    "hitotsu_commands_at_once", "Commands decided in one transaction.", ["kind"], buckets=_SIZES
)
OUTBOX_ROWS = _measured("hitotsu_outbox_rows", "Events in the outbox that are not in Kafka yet.")
OUTBOX_AGE = _measured("hitotsu_outbox_age_seconds", "Age of the oldest event not in Kafka yet.")
OUTBOX_SENT = Counter("hitotsu_outbox_sent_facts", "Events of the outbox appended to Kafka.")
POINTS_JUDGED = Counter("hitotsu_points_judged_sales", "Sales judged by the program's rules.")
POINTS_ASIDE = Counter(
    "hitotsu_points_set_aside_sales", "Sales that could not be judged and were put aside."
)
POINTS_UNREADABLE = _measured(
    "hitotsu_points_unreadable_rules",
    "Versions of the program's rules that cannot be read and do not count.",
)
POINTS_EXPIRED = Counter("hitotsu_points_expired_lots", "Lots whose remaining points were expired.")
INVARIANT_VIOLATIONS = Gauge(
    "hitotsu_invariant_violations",
    "Known keys that violate an invariant; must be 0. NaN while nothing is tested.",
    ["invariant"],
)
INVARIANT_CHECKED = Counter(
    "hitotsu_invariant_checked_keys", "Keys for which an invariant was tested.", ["invariant"]
)
INVARIANT_ROUNDS = Counter(
    "hitotsu_invariant_rounds", "Times that all keys of an invariant were tested.", ["invariant"]
)
TRIMMED = Counter(
    "hitotsu_trimmed_rows", "Rows that were deleted because they are old, by table.", ["table"]
)

# identity
MATCHED = Counter("hitotsu_identity_compared_profiles", "Profiles compared with all others.")
MATCH_KNOWN = _measured("hitotsu_identity_known_profiles", "Profiles that are in memory.")
MATCH_PROFILES = _measured(
    "hitotsu_identity_profiles",
    "Profiles that it should hold in memory, at the last count; NaN before.",
)
MATCH_LAG = _measured(
    "hitotsu_identity_lag_events", "Records about members that are applied and not compared yet."
)
MATCH_LINKS = Counter(
    "hitotsu_identity_rule_links", "Pairs linked or unlinked by rule, by outcome.", ["outcome"]
)
CASES_OPEN = _measured("hitotsu_identity_open_cases", "Pairs that wait for a person to decide.")
CASES_OLDEST = _measured("hitotsu_identity_oldest_case_seconds", "Age of the oldest open case.")

# api
READS = Counter(
    "hitotsu_api_reads",
    "Tables read by the API, by where the answer came from.",
    ["table", "source"],
)
POSITION_WAITS = Histogram(
    "hitotsu_api_position_wait_seconds",
    "Time that a read with min_position waited for it.",
    buckets=_SECONDS,
)
BUILDING = Gauge(
    "hitotsu_projection_building",
    "1 while a projection is folded from offset 0 and its answers say `building`.",
    ["group", "projection"],
)
BUILDING_READ = Gauge(
    "hitotsu_projection_building_read_records",
    "Records that the build of a projection has folded.",
    ["group", "projection"],
)
BUILDING_TOTAL = Gauge(
    "hitotsu_projection_building_total_records",
    "Records that the build of a projection has to fold.",
    ["group", "projection"],
)
API_LAG = Gauge(
    "hitotsu_api_lag_events",
    "Records in the log that answers do not include yet; NaN: unknown.",
    ["topic"],
)
ERASED = _measured("hitotsu_erased_subjects", "Subjects whose key was destroyed.")


def projector_from_start(group: str, steps: Iterable[str], causes: Iterable[str]) -> None:
    """Creates a projector group's counters, with the value 0, and its backlog, with NaN."""
    for step in steps:
        BATCH_SECONDS.labels(group, step)
    for cause in causes:
        CAREFUL_BATCHES.labels(group, cause)
    for outcome in ("written", "stale", "failed"):
        REDIS_WRITES.labels(group, outcome)
    for each in (BATCH_EVENTS, FRESH_OCCURRED, FRESH_ACCEPTED, FENCED, REDIS_REFILLS):
        each.labels(group)
    REDIS_BACKLOG.labels(group).set(math.nan)


def partition_from_start(group: str, topic: str, partition: int, stages: Iterable[str]) -> None:
    """Creates a partition's counters, with the value 0."""
    place = (group, topic, str(partition))
    for each in (APPLIED, DUPLICATE, CONFLICT):
        each.labels(*place)
    for stage in stages:
        DEAD_LETTER.labels(*place, stage)
