-- A prescription is one row for each ingredient; what no ingredient is known of keeps its name, with concept 0.
-- Add-on treatment is one row a course of it, by the plans that were signed.
WITH add_on_course AS (
    /* add_on_courses */
)
SELECT row_number() OVER (ORDER BY person_id, found.first_day, found.source_value, found.concept_id), person_id,
    found.concept_id, found.first_day, found.last_day, type.concept_id, NULL, days_supply, sig, found.source_value, found.source_concept_id
FROM (
    SELECT person_id, COALESCE(ingredient.concept_id, 0) AS concept_id,
        COALESCE(ingredient.concept_id, 0) AS source_concept_id,
        (prescribed_at AT TIME ZONE time_zone)::date + shift_days AS first_day,
        GREATEST((prescribed_at AT TIME ZONE time_zone)::date,
            COALESCE((stopped_at AT TIME ZONE time_zone)::date, export_person.last_day)) + shift_days AS last_day,
        'prescription' AS type_key, NULL::int AS days_supply,
        role || ', ' || doses_per_day || ' doses a day of ' || puffs_per_dose || ' puffs' AS sig,
        left(COALESCE(inhaler.product_id || COALESCE(': ' || ingredient.name, ''), drug), 50) AS source_value
    FROM inhaler
    JOIN export_person USING (patient_id)
    JOIN patient ON patient.id = patient_id
    LEFT JOIN export_ingredient AS ingredient ON ingredient.product_id = COALESCE(inhaler.product_id, lower(drug))
    UNION ALL
    SELECT person_id, add_on.concept_id, add_on.source_concept_id, (began_at AT TIME ZONE time_zone)::date + shift_days,
        GREATEST((began_at AT TIME ZONE time_zone)::date,
            COALESCE((ended_at AT TIME ZONE time_zone)::date, export_person.last_day)) + shift_days,
        'prescription', NULL, 'add-on', 'add-on: ' || add_on_course.kind
    FROM add_on_course
    JOIN export_person USING (patient_id)
    JOIN patient ON patient.id = patient_id
    JOIN export_concept AS add_on ON add_on.kind = 'add_on' AND add_on.key = add_on_course.kind
    UNION ALL
    SELECT person_id, steroid.concept_id, steroid.source_concept_id, local_date + shift_days,
        local_date + COALESCE(systemic_steroid_days, 1) - 1 + shift_days,
        CASE WHEN source = 'self' THEN 'self_report' ELSE 'ehr' END, systemic_steroid_days, NULL,
        'systemic steroid course'
    FROM attack
    JOIN export_person USING (patient_id)
    JOIN export_concept AS steroid ON steroid.kind = 'drug' AND steroid.key = 'systemic_steroid'
    WHERE NOT deleted AND systemic_steroids
) AS found
JOIN export_concept AS type ON type.kind = 'type' AND type.key = type_key
