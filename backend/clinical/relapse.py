"""The watch after a step down: which signs of relapse the diary shows, each a reason to go back to the dose before."""

from __future__ import annotations

from backend.clinical.control import Answers, FourWeeks
from backend.clinical.guideline import Guideline, edition
from backend.clinical.treatment_steps import RelapseSign


def relapse_signs(
    before: FourWeeks,
    since: FourWeeks,
    days_below_yellow_threshold: int = 0,
    guideline: Guideline | None = None,
) -> list[RelapseSign]:
    """Signs in the answers since a step down against the four weeks before it.

    `days_below_yellow_threshold` counts days since then whose best reading lay below green. Questions without an
    answer give no sign; they are no proof of health either.
    """
    guideline = guideline or edition()
    signs = []
    more = guideline.number("step_down.relapse_days_a_week_more")
    if _more_often(before.daytime, since.daytime, more):
        signs.append(RelapseSign.MORE_SYMPTOMS)
    if _more_often(before.reliever, since.reliever, more):
        signs.append(RelapseSign.MORE_RELIEVER)
    if since.night.days_yes and not before.night.days_yes:
        signs.append(RelapseSign.NIGHT_WAKING)
    if days_below_yellow_threshold > guideline.number("step_down.relapse_days_below_green"):
        signs.append(RelapseSign.LOWER_PEAK_FLOW)
    return signs


def _more_often(before: Answers, since: Answers, days_a_week: float) -> bool:
    if not since.days_answered:
        return False
    usual = before.days_yes / before.days_answered if before.days_answered else 0.0
    return 7 * (since.days_yes / since.days_answered - usual) >= days_a_week
