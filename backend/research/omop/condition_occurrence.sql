-- Everybody whom Soom follows has asthma; an attack of Soom is an acute exacerbation.
SELECT row_number() OVER (ORDER BY person_id, day, found.key), person_id, condition.concept_id, day, NULL, type.concept_id,
    NULL, condition.source_value
FROM (
    SELECT person_id, 'asthma' AS key, 'ehr' AS type_key, first_day + shift_days AS day FROM export_person
    UNION ALL
    SELECT person_id, 'exacerbation', CASE WHEN source = 'self' THEN 'self_report' ELSE 'ehr' END, local_date + shift_days
    FROM attack JOIN export_person USING (patient_id) WHERE NOT deleted
) AS found
JOIN export_concept AS condition ON condition.kind = 'condition' AND condition.key = found.key
JOIN export_concept AS type ON type.kind = 'type' AND type.key = type_key
