"use strict";

// The patient's timeline: four charts over one axis of the patient's own calendar days. A day is kept as its midnight
// in UTC and drawn in UTC, so that the viewer's time zone never shifts it.
(() => {
  const panel = document.getElementById("charts");
  if (!panel) return;
  const area = panel.querySelector(".charts");
  const status = panel.querySelector(".chart-status");
  const readout = panel.querySelector(".readout");
  const words = JSON.parse(area.dataset.words);
  const language = panel.dataset.language;
  const DAY_SECONDS = 86400;
  const toSeconds = (day) => Date.parse(`${day}T00:00:00Z`) / 1000;
  const toDay = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 10);
  const formatted = (options) => {
    const format = new Intl.DateTimeFormat(language, { timeZone: "UTC", ...options });
    return (seconds) => format.format(new Date(seconds * 1000));
  };
  const dayName = formatted({ weekday: "short", day: "numeric", month: "short", year: "numeric" });
  let charts = [];
  let shown = null;
  let asked = 0;

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const rem = () => parseFloat(getComputedStyle(document.documentElement).fontSize);
  const font = () => `${Math.round(rem() * 0.75)}px ${getComputedStyle(document.body).fontFamily}`;

  async function answer(path) {
    const response = await fetch(path, { headers: { Accept: "application/json" } });
    if (response.status === 401) window.location.href = "/sign-in?expired=1";
    if (!response.ok) throw new Error(String(response.status));
    return response.json();
  }

  async function show(days) {
    const mine = ++asked;
    panel.dataset.state = "loading";
    const last = panel.dataset.today;
    const first = toDay(toSeconds(last) - (days - 1) * DAY_SECONDS);
    const address = `/v1/clinician/patients/${panel.dataset.patient}`;
    try {
      const [diary, history] = await Promise.all([
        answer(`${address}/diary?from=${first}&to=${last}`),
        answer(`${address}/forecasts?from=${first}&to=${last}`),
      ]);
      if (mine !== asked) return;
      shown = columns(diary, history);
      status.textContent = diary.days.length ? "" : words.empty;
      area.hidden = !diary.days.length;
      if (diary.days.length) draw();
    } catch {
      if (mine === asked) status.textContent = words.failed;
    }
    if (mine === asked) panel.dataset.state = "ready";
  }

  // One column a signal, one row a day, also for days without an entry, so that a gap looks like one.
  function columns(diary, history) {
    const first = toSeconds(diary.first_day);
    const count = Math.round((toSeconds(diary.last_day) - first) / DAY_SECONDS) + 1;
    const empty = () => new Array(count).fill(null);
    const made = {
      x: Array.from({ length: count }, (_, row) => first + row * DAY_SECONDS), days: empty(),
      morning: empty(), evening: empty(), puffs: empty(), severity: empty(), night: empty(),
      probability: empty(), forecasts: empty(), attacks: [], plans: diary.plans, signed: new Map(),
    };
    const row = (day) => Math.round((toSeconds(day) - first) / DAY_SECONDS);
    for (const day of diary.days) {
      const at = row(day.day);
      made.days[at] = day;
      for (const reading of day.readings) {
        const column = reading.morning ? made.morning : made.evening;
        column[at] = Math.max(column[at] ?? 0, reading.litres_per_min);
      }
      made.puffs[at] = day.reliever_puffs;
      made.severity[at] = day.symptom_severity ?? (day.daytime_symptoms === null ? null : Number(day.daytime_symptoms));
      if (day.night_waking) made.night[at] = 3.55;
      if (day.attacks.length) made.attacks.push(made.x[at]);
    }
    for (const plan of diary.plans) if (plan.since >= diary.first_day) made.signed.set(row(plan.since), plan);
    for (const forecast of history.forecasts) {
      const at = row(forecast.as_of);
      made.forecasts[at] = forecast;
      if (forecast.probability !== null) made.probability[at] = 100 * forecast.probability;
    }
    return made;
  }

  function axes(perDayUnit, most = Infinity) {
    const stroke = colour("ink-soft");
    const grid = { stroke: colour("line"), width: 1 };
    const months = formatted(shown.x.length > 400 ? { month: "short", year: "2-digit" } : { day: "numeric", month: "short" });
    const scale = rem() / 16;
    return [
      { stroke, grid, ticks: grid, font: font(), size: 30 * scale, gap: 4 * scale, space: 70 * scale, values: (_, splits) => splits.map(months),
        incrs: [1, 2, 7, 14, 30, 60, 91, 182].map((days) => days * DAY_SECONDS) },
      { stroke, grid, ticks: { show: false }, font: font(), size: 42 * scale, gap: 6 * scale, space: perDayUnit ? 13 * scale : 30 * scale,
        incrs: perDayUnit || undefined, values: (_, splits) => splits.map((value) => (value > most ? "" : value)) },
    ];
  }

  // Vertical lines with a star, where an attack began.
  function drawAttacks(u) {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.strokeStyle = colour("red");
    ctx.lineWidth = 2 * devicePixelRatio;
    for (const at of shown.attacks) {
      const x = Math.round(u.valToPos(at, "x", true));
      ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top + 10 * devicePixelRatio);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.setLineDash([]);
      for (const angle of [0, 60, 120]) {
        const dx = 5 * devicePixelRatio * Math.cos((angle * Math.PI) / 180);
        const dy = 5 * devicePixelRatio * Math.sin((angle * Math.PI) / 180);
        ctx.beginPath();
        ctx.moveTo(x - dx, bbox.top + 6 * devicePixelRatio - dy);
        ctx.lineTo(x + dx, bbox.top + 6 * devicePixelRatio + dy);
        ctx.stroke();
      }
    }
    ctx.restore();
  }

  // Each version's zones over the days it was in force; before the first, those of the first, as nothing else is known.
  function drawZones(u) {
    if (!shown.plans.length) return;
    const { ctx, bbox } = u;
    const right = bbox.left + bbox.width;
    const y = (value) => Math.min(bbox.top + bbox.height, Math.max(bbox.top, u.valToPos(value, "y", true)));
    const x = (day) => Math.min(right, Math.max(bbox.left, u.valToPos(toSeconds(day) - DAY_SECONDS / 2, "x", true)));
    ctx.save();
    shown.plans.forEach((plan, place) => {
      const from = place ? x(plan.since) : bbox.left;
      const next = shown.plans[place + 1];
      const to = next ? x(next.since) : right;
      const yellow = y(plan.yellow_below_litres_per_min);
      const red = y(plan.red_below_litres_per_min);
      for (const [name, top, bottom] of [["green", bbox.top, yellow], ["yellow", yellow, red], ["red", red, bbox.top + bbox.height]]) {
        ctx.fillStyle = colour(`${name}-band`);
        ctx.fillRect(from, top, to - from, bottom - top);
      }
      const best = u.valToPos(plan.personal_best_litres_per_min, "y", true);
      if (best < bbox.top) return;
      ctx.strokeStyle = ctx.fillStyle = colour("ink-soft");
      ctx.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
      ctx.beginPath();
      ctx.moveTo(from, best);
      ctx.lineTo(to, best);
      ctx.stroke();
      ctx.font = `${Math.round(rem() * 0.72 * devicePixelRatio)}px ${getComputedStyle(document.body).fontFamily}`;
      const said = `${words.best} ${plan.personal_best_litres_per_min}`;
      if (!next && to - from > ctx.measureText(said).width + 12 * devicePixelRatio) {
        ctx.fillText(said, from + 6 * devicePixelRatio, best - 5 * devicePixelRatio);
      }
    });
    ctx.restore();
  }

  // A line where a version was signed, with its number on a flag; in the first chart alone, so that flags stay few.
  function drawPlans(flagged) {
    return (u) => {
      const { ctx, bbox } = u;
      ctx.save();
      ctx.font = `600 ${Math.round(rem() * 0.72 * devicePixelRatio)}px ${getComputedStyle(document.body).fontFamily}`;
      for (const [row, plan] of shown.signed) {
        const x = Math.round(u.valToPos(shown.x[row], "x", true));
        ctx.strokeStyle = colour("ink");
        ctx.lineWidth = 1.5 * devicePixelRatio;
        ctx.beginPath();
        ctx.moveTo(x, bbox.top);
        ctx.lineTo(x, bbox.top + bbox.height);
        ctx.stroke();
        if (!flagged) continue;
        const said = words.plan.replace("{version}", plan.version);
        const width = ctx.measureText(said).width + 10 * devicePixelRatio;
        const height = rem() * devicePixelRatio;
        const left = x + width > bbox.left + bbox.width ? x - width : x;
        ctx.fillStyle = colour("ink");
        ctx.fillRect(left, bbox.top + bbox.height - height, width, height);
        ctx.fillStyle = colour("card");
        ctx.textAlign = "left";
        ctx.textBaseline = "middle";
        ctx.fillText(said, left + 5 * devicePixelRatio, bbox.top + bbox.height - height / 2);
      }
      ctx.restore();
    };
  }

  function drawDiamonds(u) {
    const { ctx } = u;
    const size = 4 * devicePixelRatio;
    ctx.save();
    ctx.fillStyle = colour("accent");
    shown.night.forEach((value, row) => {
      if (value === null) return;
      const x = u.valToPos(shown.x[row], "x", true);
      const y = u.valToPos(value, "y", true);
      ctx.beginPath();
      ctx.moveTo(x, y - size);
      ctx.lineTo(x + size, y);
      ctx.lineTo(x, y + size);
      ctx.lineTo(x - size, y);
      ctx.fill();
    });
    ctx.restore();
  }

  function draw() {
    charts.forEach((chart) => chart.destroy());
    const accent = colour("accent");
    const card = colour("card");
    const many = shown.x.length > 200;
    const readings = [...shown.morning, ...shown.evening].filter((value) => value !== null);
    const lines = shown.plans.flatMap((plan) => [plan.personal_best_litres_per_min, plan.red_below_litres_per_min]);
    const low = Math.min(...readings, ...lines);
    const high = Math.max(...readings, ...lines);
    const soft = Math.max(20, 0.12 * (high - low));
    const bars = uPlot.paths.bars({ size: [0.7, 18], align: 0 });
    // A recorded 0 gets a hairline, so that it differs from a day without an answer.
    const visible = (column, hairline) => column.map((value) => (value === 0 ? hairline : value));
    const mostPuffs = Math.max(4, ...shown.puffs.filter((value) => value !== null));
    const mostRisk = Math.max(20, ...shown.probability.filter((value) => value !== null));
    charts = [
      plot("chart-peak-flow", 250, axes(), [low - soft, high + soft], [shown.x, shown.morning, shown.evening], [
        { stroke: accent, width: many ? 1 : 1.6, spanGaps: false, points: { show: true, size: many ? 3 : 6, fill: accent, stroke: accent } },
        { stroke: accent, width: 0, paths: () => null, points: { show: true, size: many ? 3 : 6, width: 1.5, fill: card, stroke: accent } },
      ], { drawClear: [drawZones], draw: [drawPlans(true), drawAttacks] }),
      plot("chart-puffs", 96, axes([1, 2, 5, 10, 20, 50]), [0, mostPuffs * 1.08], [shown.x, visible(shown.puffs, mostPuffs / 60)], [
        { fill: colour("accent"), stroke: colour("accent"), width: 0, paths: bars, points: { show: false } },
      ], { draw: [drawPlans(false), drawAttacks] }),
      plot("chart-symptoms", 96, axes([1], 3), [0, 4], [shown.x, visible(shown.severity, 0.06)], [
        { fill: colour("line-strong"), stroke: colour("line-strong"), width: 0, paths: bars, points: { show: false } },
      ], { draw: [drawPlans(false), drawAttacks, drawDiamonds] }),
      plot("chart-forecast", 110, axes([5, 10, 20, 25, 50]), [0, Math.min(100, mostRisk * 1.1)], [shown.x, shown.probability], [
        { stroke: colour("ink"), width: 1.6, spanGaps: false, points: { show: !many, size: 4, fill: colour("ink") } },
      ], { draw: [drawPlans(false), drawAttacks] }),
    ];
  }

  function plot(id, height, axesOf, range, data, series, hooks) {
    const box = document.getElementById(id);
    const scale = rem() / 16;
    return new uPlot({
      width: box.clientWidth, height: height * scale, padding: [8, 24 * scale, 0, 0], legend: { show: false }, axes: axesOf,
      scales: { x: { time: false, range: (u, min, max) => [min - DAY_SECONDS / 2, max + DAY_SECONDS / 2] }, y: { range } },
      cursor: { sync: { key: "timeline" }, drag: { x: false, y: false }, y: false, points: { show: false } },
      series: [{}, ...series],
      hooks: { ...hooks, setCursor: [(u) => say(u.cursor.idx)] },
    }, data, box);
  }

  function say(row) {
    if (row === null || row === undefined) return;
    const day = shown.days[row];
    const forecast = shown.forecasts[row];
    const parts = [dayName(shown.x[row])];
    for (const reading of day?.readings ?? []) {
      parts.push(`${reading.local_time} ${reading.litres_per_min} ${words.unit}${reading.zone ? ` (${words[reading.zone]})` : ""}`);
    }
    if (day && day.reliever_puffs !== null) {
      const most = day.reliever_puffs_at_most;
      const range = most > day.reliever_puffs ? (most === 99 ? "+" : `–${most}`) : "";
      parts.push(`${words.puffs}: ${day.reliever_puffs}${range}`);
    }
    if (day && shown.severity[row] !== null) parts.push(`${words.symptoms}: ${shown.severity[row]}`);
    if (day?.night_waking) parts.push(words.night);
    if (day?.attacks.length) parts.push(words.attack);
    if (forecast && forecast.probability !== null) parts.push(`${words.forecast}: ${Math.round(100 * forecast.probability)} %`);
    const plan = shown.signed.get(row);
    if (plan) parts.push([words.signed.replace("{version}", plan.version), ...plan.difference].join(" "));
    if (!day) parts.push(words.nothing);
    readout.textContent = parts.join(" · ");
  }

  panel.querySelectorAll("[data-days]").forEach((button) => button.addEventListener("click", () => {
    panel.querySelectorAll("[data-days]").forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
    show(Number(button.dataset.days));
  }));
  let width = 0;
  new ResizeObserver(() => {
    if (area.clientWidth === width) return;
    width = area.clientWidth;
    for (const chart of charts) chart.setSize({ width, height: chart.height });
  }).observe(area);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { if (shown && !area.hidden) draw(); });
  document.fonts.ready.then(() => show(90));
})();
