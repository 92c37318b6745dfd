-- The whole diaries of some patients, one row a patient and local day, in the units of ml.contract.Diaries.
WITH uses AS (
    SELECT inhaler_use.patient_id, local_date, inhaler_id, source, amount, doses_per_day * puffs_per_dose AS expected_puffs,
        role = 'reliever' OR purpose = 'relief' AS relief,
        -- A reported range counts as its middle, one without an upper end (99) as its lower end.
        CASE WHEN puffs_at_most < 99 THEN (puffs + puffs_at_most) / 2.0 ELSE puffs END AS puffs
    FROM inhaler_use
    JOIN inhaler ON inhaler.patient_id = inhaler_use.patient_id AND inhaler.id = inhaler_id
    -- Puffs before exercise prevent; they say nothing of control (GINA 2019, box 2-2).
    WHERE inhaler_use.patient_id = ANY(:ids) AND NOT deleted AND purpose <> 'before_exercise'
),
inhaler_day AS (
    -- A recall sums up the day, so it is never added to what was counted: the larger of the two.
    SELECT patient_id, local_date, inhaler_id, relief, max(expected_puffs) AS expected_puffs,
        GREATEST(sum(puffs) FILTER (WHERE source <> 'day_recall'), max(puffs) FILTER (WHERE source = 'day_recall')) AS puffs,
        max(CASE amount WHEN 'none' THEN 0 WHEN 'less' THEN 0.5 WHEN 'as_usual' THEN 1 WHEN 'more' THEN 1 END) AS share
    FROM uses GROUP BY patient_id, local_date, inhaler_id, relief
),
medication AS (
    SELECT patient_id, local_date,
        -- In words only "none" is a number of puffs.
        sum(COALESCE(puffs, CASE WHEN share = 0 THEN 0 END)) FILTER (WHERE relief) AS reliever_puffs,
        -- An inhaler for use when needed has no dose to be missed.
        avg(CASE WHEN puffs > expected_puffs THEN 1 ELSE COALESCE(puffs / expected_puffs, share) END)
            FILTER (WHERE NOT relief AND expected_puffs > 0) AS controller_fraction
    FROM (SELECT patient_id, local_date, relief, puffs, share, NULLIF(expected_puffs, 0) AS expected_puffs FROM inhaler_day) AS known
    GROUP BY patient_id, local_date
),
readings AS (
    SELECT patient_id, local_date, litres_per_min,
        -- By the clock of the entry itself; past midnight of a diary day that has not ended is evening still.
        taken_at AT TIME ZONE 'UTC' + utc_offset_minutes * interval '1 minute' < local_date + interval '12 hours' AS morning
    FROM peak_flow WHERE patient_id = ANY(:ids) AND NOT deleted
),
peak_flows AS (
    SELECT patient_id, local_date,
        max(litres_per_min) FILTER (WHERE morning) AS morning_litres_per_min,
        max(litres_per_min) FILTER (WHERE NOT morning) AS evening_litres_per_min
    FROM readings GROUP BY patient_id, local_date
),
complaints AS (
    SELECT patient_id, local_date,
        max(GREATEST(severity, daytime::int)) AS day_symptoms,
        max(night_waking::int) AS night_waking,
        max(activity_limited::int) AS activity_limited
    FROM symptoms WHERE patient_id = ANY(:ids) AND NOT deleted GROUP BY patient_id, local_date
),
triggers AS (
    SELECT patient_id, local_date, count(DISTINCT trigger) FILTER (WHERE trigger <> 'none') AS trigger_count
    FROM trigger_exposure WHERE patient_id = ANY(:ids) AND NOT deleted GROUP BY patient_id, local_date
),
attacks AS (
    SELECT patient_id, local_date,
        max(systemic_steroids::int) AS systemic_steroids,
        max(emergency_visit::int) AS emergency_visit,
        max(hospital_admission::int) AS hospital_admission
    FROM attack WHERE patient_id = ANY(:ids) AND NOT deleted GROUP BY patient_id, local_date
)
SELECT patient_id, local_date,
    morning_litres_per_min::float, evening_litres_per_min::float,
    day_symptoms::float, night_waking::float, activity_limited::float,
    reliever_puffs::float, controller_fraction::float, trigger_count::float,
    systemic_steroids::float, emergency_visit::float, hospital_admission::float
FROM peak_flows
FULL JOIN complaints USING (patient_id, local_date)
FULL JOIN medication USING (patient_id, local_date)
FULL JOIN triggers USING (patient_id, local_date)
FULL JOIN attacks USING (patient_id, local_date)
