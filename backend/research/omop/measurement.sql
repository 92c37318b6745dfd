SELECT row_number() OVER (), person_id, measured.concept_id, day + shift_days, at + shift_days * interval '1 day',
    type.concept_id, value, measured.unit_concept_id, measured.source_value, measured.source_concept_id, measured.unit_code
FROM (
    -- A reading belongs to its diary day; one just before or past midnight stays within it.
    SELECT person_id, shift_days, 'peak_flow' AS key, 'self_report' AS type_key, local_date AS day,
        GREATEST(local_date::timestamp, LEAST(local_date + interval '23 hours 59 minutes',
            date_trunc('minute', taken_at AT TIME ZONE 'UTC' + utc_offset_minutes * interval '1 minute'))) AS at,
        litres_per_min::float AS value
    FROM peak_flow JOIN export_person USING (patient_id) WHERE NOT deleted
    UNION ALL
    SELECT person_id, shift_days, 'personal_best', 'ehr', (signed_at AT TIME ZONE time_zone)::date, NULL,
        personal_best_litres_per_min
    FROM action_plan JOIN export_person USING (patient_id) JOIN patient ON patient.id = patient_id
    UNION ALL
    SELECT person_id, shift_days, 'height', 'ehr', first_day, NULL, height_cm
    FROM export_person JOIN patient ON patient.id = patient_id WHERE height_cm IS NOT NULL
    UNION ALL
    SELECT person_id, shift_days, kind, 'ehr', measured_on, NULL, value
    FROM measurement JOIN export_person USING (patient_id) WHERE withdrawn_at IS NULL
) AS found
JOIN export_concept AS measured ON measured.kind = 'measurement' AND measured.key = found.key
JOIN export_concept AS type ON type.kind = 'type' AND type.key = type_key
