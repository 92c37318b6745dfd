-- Occurrences that no phone has spoken of, of some patients, with what is known around each.
SELECT occurrence.patient_id, occurrence.key, occurrence.local_date, occurrence.due_at, occurrence.time_zone,
    occurrence.expected, occurrence.state, occurrence.pushed_at IS NOT NULL AS pushed, occurrence.message_id,
    heard.at AS heard_at, coalesce(phones.permitted, FALSE) AS permitted, phones.time_zone AS zone_now,
    patient.language, named.name AS inhaler_name,
    settings.quiet_from, settings.quiet_until,
    consented.yes AND (settings.paused_until IS NULL OR occurrence.local_date >= settings.paused_until) AS wanted,
    CASE split_part(occurrence.key, ':', 1)
        WHEN 'dose' THEN EXISTS (
            SELECT 1
            FROM (
                SELECT coalesce(bool_or(use.amount IN ('as_usual', 'more')), FALSE) AS whole,
                    coalesce(sum(use.puffs) FILTER (WHERE use.purpose = 'maintenance'), 0) AS puffs,
                    coalesce(bool_or(use.source <> 'day_recall' AND use.purpose = 'maintenance' AND use.taken_at BETWEEN
                        occurrence.due_at - interval '2 hours' AND occurrence.due_at + interval '2 hours'), FALSE) AS near
                FROM inhaler_use AS use
                WHERE use.patient_id = occurrence.patient_id AND use.inhaler_id = named.id
                    AND use.local_date = occurrence.local_date AND NOT use.deleted
            ) AS uses
            WHERE uses.near OR uses.whole OR uses.puffs >= (named.slot + 1) * named.puffs_per_dose
        )
        WHEN 'check_in' THEN EXISTS (
            SELECT 1 FROM symptoms
            WHERE symptoms.patient_id = occurrence.patient_id AND symptoms.local_date = occurrence.local_date
                AND NOT symptoms.deleted
        )
        WHEN 'peak_flow' THEN EXISTS (
            SELECT 1 FROM peak_flow
            WHERE peak_flow.patient_id = occurrence.patient_id AND peak_flow.local_date = occurrence.local_date
                AND NOT peak_flow.deleted
        )
        WHEN 'control_check' THEN EXISTS (
            SELECT 1 FROM questionnaire
            WHERE questionnaire.patient_id = occurrence.patient_id AND questionnaire.instrument = 'control_check'
                AND questionnaire.local_date > occurrence.local_date - 28 AND NOT questionnaire.deleted
        )
        ELSE FALSE
    END AS logged,
    EXISTS (
        SELECT 1 FROM delivery
        WHERE delivery.message_id = occurrence.message_id AND delivery.outcome = 'handed_over'
    ) AS handed_over
FROM reminder_occurrence AS occurrence
JOIN patient ON patient.id = occurrence.patient_id
LEFT JOIN reminder_settings AS settings ON settings.patient_id = patient.id AND NOT settings.deleted
LEFT JOIN LATERAL (SELECT max(device.last_seen_at) AS at FROM device WHERE device.patient_id = patient.id) AS heard
    ON TRUE
LEFT JOIN LATERAL (
    SELECT bool_or(phone.notifications_allowed IS NOT FALSE) AS permitted,
        (array_agg(phone.time_zone ORDER BY phone.reported_at DESC))[1] AS time_zone
    FROM reminder_phone AS phone WHERE phone.patient_id = patient.id
) AS phones ON TRUE
LEFT JOIN LATERAL (
    SELECT EXISTS (
        SELECT 1 FROM consent
        WHERE consent.patient_id = patient.id AND consent.purpose = 'care' AND consent.withdrawn_at IS NULL
    ) AS yes
) AS consented ON TRUE
-- A key comes from a phone: it may name anything, so it is compared as text.
LEFT JOIN LATERAL (
    SELECT inhaler.id, inhaler.name, inhaler.puffs_per_dose,
        CASE WHEN split_part(occurrence.key, ':', 3) ~ '^[0-9]{1,2}$'
            THEN split_part(occurrence.key, ':', 3)::int ELSE 0 END AS slot
    FROM inhaler
    WHERE inhaler.patient_id = patient.id AND inhaler.id::text = split_part(occurrence.key, ':', 2)
) AS named ON TRUE
WHERE occurrence.patient_id = ANY(%(patient_ids)s) AND occurrence.judge_at <= %(now)s
ORDER BY occurrence.patient_id, occurrence.due_at, occurrence.key
