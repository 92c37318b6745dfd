"""A labelled line to type into."""

from kivy.properties import StringProperty

from mobile_app.widgets import load_rules
from mobile_app.widgets.surface import Column


class Field(Column):
    """A label above one line of text; ``ids.input`` is Kivy's TextInput."""

    label = StringProperty("")
    hint = StringProperty("")
    input_type = StringProperty("text")


load_rules(__file__)
