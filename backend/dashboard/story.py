"""The patient's state in one sentence, of the same figures that the page shows below it."""

from datetime import date, datetime

from backend.dashboard.patient_schemas import PatientOut
from backend.dashboard.words import Words
from backend.risk.tables import ForecastStatus


def story(patient: PatientOut, words: Words, *, now: datetime, today: date) -> str:
    t = words.t
    if patient.last_entry_at is None and patient.newest_reading is None:
        return t("story.nothing_yet")
    parts = [_peak_flow(patient, words, now), _week(patient, words), _attacks(patient, words, today)]
    parts.append(_forecast(patient, words))
    return t("story.sentence", parts=t("story.joint").join(part for part in parts if part))


def _peak_flow(patient: PatientOut, words: Words, now: datetime) -> str:
    t, reading = words.t, patient.newest_reading
    if reading is None:
        return t("story.no_reading")
    value = t("unit.litres_per_min", value=reading.litres_per_min)
    when = words.near(reading.taken_at, patient.time_zone, now)
    if patient.newest_percent_of_best is not None:
        value = t("story.of_best", value=value, percent=patient.newest_percent_of_best)
    if patient.zone is None and patient.newest_reading_is_fresh:
        return t("story.no_zone", value=value, when=when)
    if patient.zone is None:
        return t("story.old_reading", value=value, when=when)
    return t("story.reading", zone=t(f"zone.{patient.zone.value}"), value=value, when=when)


def _week(patient: PatientOut, words: Words) -> str:
    t, week = words.t, patient.week
    said = []
    if week.reliever_puffs is not None:
        said.append(t("story.puffs", count=week.reliever_puffs, days=t("count.days", count=week.reliever_days or 0)))
    if week.nights_woken is not None:
        said.append(t("story.nights", count=week.nights_woken))
    return t("story.week", said=t("story.and").join(said)) if said else t("story.silent_week")


def _attacks(patient: PatientOut, words: Words, today: date) -> str:
    if patient.last_attack_on is None:
        return ""
    return words.t("story.last_attack", count=(today - patient.last_attack_on).days)


def _forecast(patient: PatientOut, words: Words) -> str:
    t, forecast = words.t, patient.forecast
    if forecast is None:
        return t("story.no_forecast")
    if forecast.status is not ForecastStatus.READY or forecast.probability is None or forecast.level is None:
        return t(f"story.forecast.{forecast.status.value}")
    level = t(f"level.{forecast.level.value}").lower()
    return t("story.forecast.ready", percent=words.percent(forecast.probability), level=level)
