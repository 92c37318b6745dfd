"""Real-world-evidence studies: one protocol file, every hospital for itself, estimates combined without rows."""
