"""A labelled line to type into."""

from kivy.properties import BooleanProperty, StringProperty

from mobile_app.widgets import load_rules
from mobile_app.widgets.surface import Column


class Field(Column):
    """A label above one line of text; ``ids.input`` is Kivy's TextInput."""

    label = StringProperty("")
    hint = StringProperty("")
    input_type = StringProperty("text")
    is_long = BooleanProperty(False)
    is_secret = BooleanProperty(False)


load_rules(__file__)
