"""The ports to the machine Soom runs on, and one adapter for each kind of machine."""
