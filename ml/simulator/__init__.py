"""A virtual cohort of people with asthma, on which trials can be run and forecasts can be judged.

Only evaluation and the command line may import this package; no model may (tests/ml/simulator holds that).
"""
