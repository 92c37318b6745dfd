"""Trends: peak flow over its zones, puffs, symptoms, doses, over a week to a year."""

from datetime import timedelta

from mobile_app.locales import Wording
from mobile_app.screens.frame import Frame
from mobile_app.state.trends import RANGES_DAYS, Trends
from mobile_app.widgets import load_rules
from mobile_app.widgets.chart import AxisDay
from mobile_app.widgets.press import Choice
from mobile_app.widgets.surface import Page


class TrendsScreen(Page):
    """Shows ``state`` as charts."""

    def __init__(self, state: Trends, wording: Wording, frame: Frame) -> None:
        super().__init__(title=wording.say("trends.title"))
        self.state = state
        self.wording = wording
        self.frame = frame
        self._ranges = {}
        for days in RANGES_DAYS:
            choice = Choice(label=wording.say(f"trends.range_{days}"), ticks=False)
            choice.bind(on_release=lambda _, days=days: state.show(days))
            self._ranges[days] = choice
            self.ids.ranges.add_widget(choice)
        for name in ("peak_flow", "puffs", "symptoms", "doses", "triggers"):
            self.ids[name].on_read = state.touch
        self.ids.precursors.bind(on_release=lambda _: frame.go("precursors"))
        state.on_change = self.fill

    def shown(self) -> None:
        """Reads the range anew."""
        self.state.refresh()

    def fill(self) -> None:
        """Hands the series to the charts."""
        state, say = self.state, self.wording.say
        for days, choice in self._ranges.items():
            choice.chosen = days == state.range_days
        self.ids.read.text = state.touched or say("trends.touch_hint")
        if state.touched:
            return
        attacks = say("trends.attacks", count=len(state.attacks)) if state.attacks else ""
        plans = say("trends.plan_changes", count=state.new_plans) if state.new_plans else ""
        self.ids.summary.text = " ".join(part for part in (state.summary, attacks, plans) if part)
        axis = self._axis()
        best = state.plan_spans[-1].personal_best_litres_per_min if state.plan_spans else 0
        self.ids.peak_flow.show(
            state.readings,
            state.plan_spans,
            state.attacks,
            state.range_days,
            axis,
            say("trends.personal_best", value=best),
            lambda version: say("trends.plan_version", version=version),
        )
        self.ids.puffs.show(state.puffs, axis, 4, "primary")
        self.ids.symptoms.show(state.symptoms, axis, 3, "on_warm_soft")
        self.ids.doses.show(state.adherence, axis, 100, "green")
        rows = state.trigger_rows
        self.ids.no_triggers.text = "" if rows else say("trends.no_triggers")
        self.ids.triggers.show(rows, state.trigger_days, state.range_days, axis)

    def _axis(self) -> list[AxisDay]:
        state = self.state
        step = max((state.range_days - 1) // 3, 1)
        days = range(0, state.range_days, step)
        return [AxisDay(day + 0.5, self.wording.short_date(state.first_day + timedelta(days=day))) for day in days]


load_rules(__file__)
