SELECT person_id, COALESCE(gender.concept_id, 0),
    extract(year FROM born)::int, extract(month FROM born)::int, extract(day FROM born)::int,
    NULL, 0, 0, care_site_id, NULL, sex, COALESCE(gender.concept_id, 0)
FROM export_person
JOIN patient ON patient.id = patient_id
CROSS JOIN LATERAL (SELECT born_on + shift_days AS born) AS shifted
LEFT JOIN export_concept AS gender ON gender.kind = 'gender' AND gender.key = sex
ORDER BY person_id
