"""The snapshot in Prometheus' text format. Labels are kinds and hospitals; there is nothing of any person."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from backend.operations.snapshot import Snapshot


class _Snapshot(Collector):
    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        now = self._snapshot
        yield _gauge("soom_due_rows", "Work that is due, by kind.", ["kind"], [([q.kind], q.due) for q in now.queues])
        yield _gauge(
            "soom_late_rows", "Work that is over a minute late.", ["kind"], [([q.kind], q.late) for q in now.queues]
        )
        yield _gauge(
            "soom_oldest_late_seconds",
            "How long the oldest late work has waited.",
            ["kind"],
            [([q.kind], q.oldest_late_seconds) for q in now.queues],
        )
        yield _gauge(
            "soom_deliveries_last_day",
            "Pushes and e-mails of the last 24 hours, by outcome.",
            ["channel", "outcome"],
            [([o.channel, o.outcome], o.count) for o in now.outcomes],
        )
        yield _gauge(
            "soom_failures_last_day",
            "Failures of the last 24 hours, by kind.",
            ["channel", "kind"],
            [([f.channel, f.kind], f.count) for f in now.failures],
        )
        yield _gauge(
            "soom_delivery_seconds",
            "Seconds from message to stage, of the last 24 hours.",
            ["stage", "quantile"],
            [
                ([way.stage, quantile], seconds)
                for way in now.latency
                for quantile, seconds in (("0.5", way.p50_seconds), ("0.95", way.p95_seconds))
            ],
        )
        yield _gauge(
            "soom_alerts_per_patient_month",
            "Forecast alerts of the last 30 days a patient-month.",
            ["hospital", "level"],
            [
                ([rate.hospital, level], value)
                for rate in now.alerts
                for level, value in (("amber", rate.amber_per_patient_month), ("red", rate.red_per_patient_month))
            ],
        )
        yield _gauge(
            "soom_alert_budget_per_patient_month",
            "What the hospital allows.",
            ["hospital", "level"],
            [
                ([rate.hospital, level], value)
                for rate in now.alerts
                for level, value in (("amber", rate.amber_budget), ("red", rate.red_budget))
            ],
        )
        yield _gauge(
            "soom_unanswered_red_alerts",
            "Open red alerts that nobody has acknowledged.",
            ["hospital"],
            [([rate.hospital], rate.unanswered_red) for rate in now.alerts],
        )
        yield _gauge("soom_phones", "Enrolled phones.", [], [([], now.phones.phones)])
        yield _gauge("soom_silent_phones", "Phones not heard of for three days.", [], [([], now.phones.silent)])
        yield _gauge("soom_phones_without_push", "Phones without a push address.", [], [([], now.phones.without_push)])
        yield _gauge(
            "soom_reminders_last_day",
            "Reminders due in the last 24 hours, by what became of them.",
            ["state"],
            [([reminder.state], reminder.count) for reminder in now.reminders],
        )
        yield _gauge(
            "soom_worker_seen_seconds_ago",
            "Seconds since a worker's last heartbeat.",
            ["worker", "model"],
            [([worker.worker, worker.model or "none"], worker.seconds_ago) for worker in now.workers],
        )
        yield _gauge(
            "soom_model_silent",
            "1 where a hospital has a model in the shadow or switched off.",
            ["hospital", "model", "mode"],
            [([s.hospital, s.model_id, s.mode], int(s.mode != "on")) for s in now.switches],
        )


def _gauge(name: str, meaning: str, labels: list[str], values: list[tuple[list[str], float]]) -> Metric:
    gauge = GaugeMetricFamily(name, meaning, labels=labels)
    for label_values, value in values:
        gauge.add_metric(label_values, float(value))
    return gauge


def as_text(snapshot: Snapshot) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Snapshot(snapshot))
    return generate_latest(registry)
