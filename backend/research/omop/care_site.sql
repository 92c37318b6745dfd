SELECT care_site_id, name, NULL
FROM (SELECT DISTINCT care_site_id, hospital_id FROM export_person) AS site
JOIN hospital ON hospital.id = hospital_id
ORDER BY care_site_id
