-- What the reminders of some patients derive from: plan in force, settings, phone, inhalers, own doses. Only of patients
-- who consent to care, have a plan in force and a phone that reminds.
WITH wanted AS (
    SELECT patient.id
    FROM patient
    WHERE patient.id = ANY(%(patient_ids)s)
        AND EXISTS (
            SELECT 1 FROM consent
            WHERE consent.patient_id = patient.id AND consent.purpose = 'care' AND consent.withdrawn_at IS NULL
        )
)
SELECT wanted.id, phone.time_zone, plan.signed_at, plan.review_on, plan.regimen, plan.reminders,
    CASE WHEN NOT settings.deleted THEN to_jsonb(settings) END AS settings,
    planning.planned_until,
    (
        SELECT max(questionnaire.local_date) FROM questionnaire
        WHERE questionnaire.patient_id = wanted.id AND NOT questionnaire.deleted
            AND questionnaire.instrument = 'control_check'
    ) AS last_control_check,
    (
        SELECT jsonb_agg(jsonb_build_object(
            'id', inhaler.id, 'inhalations', inhaler.puffs_per_dose, 'times_a_day', inhaler.doses_per_day
        ))
        FROM inhaler
        WHERE inhaler.patient_id = wanted.id AND inhaler.active AND inhaler.role IN ('controller', 'both')
    ) AS daily_inhalers,
    (
        SELECT array_agg(use.inhaler_id::text || ' '
            || to_char((use.taken_at AT TIME ZONE 'UTC') + make_interval(mins => use.utc_offset_minutes),
                'YYYY-MM-DD"T"HH24:MI'))
        FROM inhaler_use AS use
        WHERE use.patient_id = wanted.id AND NOT use.deleted AND use.source <> 'day_recall'
            AND (use.amount IN ('as_usual', 'more') OR (use.purpose = 'maintenance' AND use.puffs > 0))
            AND use.local_date >= %(habits_from)s
    ) AS doses
FROM wanted
JOIN LATERAL (
    SELECT action_plan.signed_at, action_plan.review_on, action_plan.regimen, action_plan.reminders
    FROM action_plan WHERE action_plan.patient_id = wanted.id ORDER BY action_plan.version DESC LIMIT 1
) AS plan ON TRUE
JOIN LATERAL (
    SELECT reminder_phone.time_zone
    FROM reminder_phone WHERE reminder_phone.patient_id = wanted.id ORDER BY reminder_phone.reported_at DESC LIMIT 1
) AS phone ON TRUE
LEFT JOIN reminder_settings AS settings ON settings.patient_id = wanted.id
LEFT JOIN reminder_planning AS planning ON planning.patient_id = wanted.id
