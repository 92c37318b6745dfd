"""One Python file and one kv file a screen; each reads one state object."""
