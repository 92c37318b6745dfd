"""OMOP Common Data Model 5.4: which tables and concepts Soom writes, reads and checks."""
