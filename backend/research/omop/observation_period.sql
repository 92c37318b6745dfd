-- From the first to the last day with a record of Soom: what lies outside was not watched.
SELECT person_id, person_id, first_day + shift_days, last_day + shift_days, type.concept_id
FROM export_person
JOIN export_concept AS type ON type.kind = 'type' AND type.key = 'algorithm'
ORDER BY person_id
