"""The rules a doctor reviews: pure functions over plain values, every number in a dated TOML file with its source."""
