-- Add-on treatments by course: from the version of the plan that began one to the next that left it out, NULL if none has.
-- Plans from before prescriptions were structured say nothing of add-ons.
WITH version AS (
    SELECT patient_id, version, signed_at, regimen, row_number() OVER earlier AS nth,
        lead(signed_at) OVER earlier AS replaced_at
    FROM action_plan WHERE regimen IS NOT NULL AND patient_id = ANY(:patient_ids)
    WINDOW earlier AS (PARTITION BY patient_id ORDER BY version)
),
held AS (
    -- In versions that follow one another, the number of the version and that of its mention grow alike.
    SELECT patient_id, kind, version, signed_at, replaced_at,
        nth - row_number() OVER (PARTITION BY patient_id, kind ORDER BY nth) AS course
    FROM version
    CROSS JOIN LATERAL (SELECT DISTINCT jsonb_array_elements_text(regimen -> 'add_ons') AS kind) AS mentioned
)
SELECT patient_id, kind, min(version) AS from_version, min(signed_at) AS began_at,
    CASE WHEN bool_and(replaced_at IS NOT NULL) THEN max(replaced_at) END AS ended_at
FROM held GROUP BY patient_id, kind, course
ORDER BY patient_id, from_version, kind
