-- The diary as the forecast reads it, a row for each value of a day, and what the profile holds.
WITH daily AS (
    /* diaries */
),
found AS (
    SELECT patient_id, local_date AS day, 'self_report' AS type_key, key, value, NULL AS words
    FROM daily CROSS JOIN LATERAL (VALUES
        ('day_symptoms', day_symptoms), ('night_waking', night_waking), ('activity_limited', activity_limited),
        ('reliever_puffs', reliever_puffs), ('controller_fraction', controller_fraction), ('trigger_count', trigger_count),
        ('systemic_steroids', systemic_steroids), ('emergency_visit', emergency_visit),
        ('hospital_admission', hospital_admission),
        ('diary_entry', CASE WHEN num_nonnulls(morning_litres_per_min, evening_litres_per_min, day_symptoms, night_waking,
            activity_limited, reliever_puffs, controller_fraction, trigger_count, systemic_steroids, emergency_visit,
            hospital_admission) = 0 THEN 1 END)
    ) AS recorded (key, value)
    WHERE value IS NOT NULL
    UNION ALL
    SELECT DISTINCT patient_id, local_date, 'self_report', 'trigger', NULL::float, trigger
    FROM trigger_exposure JOIN export_person USING (patient_id) WHERE NOT deleted AND trigger <> 'none'
    UNION ALL
    SELECT patient_id, first_day, 'ehr', key, value, NULL
    FROM export_person
    JOIN patient ON patient.id = patient_id
    CROSS JOIN LATERAL (VALUES
        ('treatment_step', treatment_step::float), ('severe_attacks_last_year', severe_attacks_last_year::float)
    ) AS profile (key, value)
    WHERE value IS NOT NULL
)
SELECT row_number() OVER (), person_id, observed.concept_id, day + shift_days, NULL, type.concept_id, value, words,
    observed.source_value, observed.source_concept_id
FROM found
JOIN export_person USING (patient_id)
JOIN export_concept AS observed ON observed.kind = 'observation' AND observed.key = found.key
JOIN export_concept AS type ON type.kind = 'type' AND type.key = type_key
