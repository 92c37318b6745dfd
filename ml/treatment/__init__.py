"""What each legal change of treatment would do for this patient: trial priors, updated by the patient's own history."""
