SELECT row_number() OVER (ORDER BY person_id, local_date, attack.id), person_id, visit.concept_id,
    local_date + shift_days, local_date + shift_days, type.concept_id, care_site_id, 'attack: ' || visit.key
FROM attack
JOIN export_person USING (patient_id)
JOIN export_concept AS visit ON visit.kind = 'visit' AND visit.key = CASE
    WHEN hospital_admission THEN 'inpatient' WHEN emergency_visit THEN 'emergency' WHEN unscheduled_visit THEN 'outpatient' END
JOIN export_concept AS type ON type.kind = 'type'
    AND type.key = CASE WHEN source = 'self' THEN 'self_report' ELSE 'ehr' END
WHERE NOT deleted
