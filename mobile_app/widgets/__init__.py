"""The building blocks of every screen. Importing a module registers its kv rules and its classes with Kivy."""

from pathlib import Path

from kivy.lang import Builder


def load_rules(module_file: str) -> None:
    """Loads the .kv file beside a module."""
    Builder.load_file(str(Path(module_file).with_suffix(".kv")))
