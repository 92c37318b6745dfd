"""The design system: colours, type, space, motion. Widgets and screens take every value from here.

Colours are paired, ``x`` with ``on_x`` and ``x_soft`` with ``on_x_soft``; tests hold every pair at a contrast of 4.5
or more (WCAG 2.2, 1.4.3).
"""

from dataclasses import dataclass
from pathlib import Path

from kivy.core.text import LabelBase
from kivy.metrics import Metrics, dp

Colour = tuple[float, float, float, float]

_FONTS = Path(__file__).parent / "fonts"
TEXT_SCALES = (1.0, 1.25, 1.5, 2.0)


def _hex(text: str) -> Colour:
    red, green, blue = (int(text[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue, 1.0


@dataclass(frozen=True)
class Palette:
    """Every colour of one appearance."""

    paper: Colour
    surface: Colour
    sunken: Colour
    line: Colour
    ink: Colour
    soft: Colour
    primary: Colour
    on_primary: Colour
    primary_soft: Colour
    on_primary_soft: Colour
    warm_soft: Colour
    on_warm_soft: Colour
    green: Colour
    on_green: Colour
    green_soft: Colour
    on_green_soft: Colour
    yellow: Colour
    on_yellow: Colour
    yellow_soft: Colour
    on_yellow_soft: Colour
    red: Colour
    on_red: Colour
    red_soft: Colour
    on_red_soft: Colour
    none: Colour
    on_none: Colour
    none_soft: Colour
    on_none_soft: Colour


LIGHT = Palette(
    paper=_hex("#FAF6F0"),
    surface=_hex("#FFFFFF"),
    sunken=_hex("#F2ECE3"),
    line=_hex("#E3DACD"),
    ink=_hex("#1F2B2E"),
    soft=_hex("#55636A"),
    primary=_hex("#1C5D73"),
    on_primary=_hex("#FFFFFF"),
    primary_soft=_hex("#DDECF0"),
    on_primary_soft=_hex("#123F4E"),
    warm_soft=_hex("#FBE9DC"),
    on_warm_soft=_hex("#7A3412"),
    green=_hex("#2B7A4B"),
    on_green=_hex("#FFFFFF"),
    green_soft=_hex("#E0F2E5"),
    on_green_soft=_hex("#17502F"),
    yellow=_hex("#E9AB1E"),
    on_yellow=_hex("#2C2000"),
    yellow_soft=_hex("#FDF1CF"),
    on_yellow_soft=_hex("#664600"),
    red=_hex("#B42318"),
    on_red=_hex("#FFFFFF"),
    red_soft=_hex("#FCE3DE"),
    on_red_soft=_hex("#8A1710"),
    none=_hex("#66747A"),
    on_none=_hex("#FFFFFF"),
    none_soft=_hex("#F2ECE3"),
    on_none_soft=_hex("#46545A"),
)

DARK = Palette(
    paper=_hex("#11181B"),
    surface=_hex("#1B2529"),
    sunken=_hex("#263238"),
    line=_hex("#36454C"),
    ink=_hex("#EFF2F0"),
    soft=_hex("#AEBBBE"),
    primary=_hex("#8CCBE0"),
    on_primary=_hex("#06303E"),
    primary_soft=_hex("#1E3D48"),
    on_primary_soft=_hex("#CDE9F2"),
    warm_soft=_hex("#44302A"),
    on_warm_soft=_hex("#FBDCC9"),
    green=_hex("#7DD3A0"),
    on_green=_hex("#05301A"),
    green_soft=_hex("#1C3A2A"),
    on_green_soft=_hex("#C4EDD4"),
    yellow=_hex("#F2C14E"),
    on_yellow=_hex("#2C2000"),
    yellow_soft=_hex("#40351B"),
    on_yellow_soft=_hex("#FBE5AF"),
    red=_hex("#FF9D90"),
    on_red=_hex("#4A0802"),
    red_soft=_hex("#4D221D"),
    on_red_soft=_hex("#FFD8D2"),
    none=_hex("#93A2A7"),
    on_none=_hex("#11181B"),
    none_soft=_hex("#263238"),
    on_none_soft=_hex("#C6D0D2"),
)

# role: (weight, size in dp, line height, largest text scale). Text that is large already grows less, so that a
# narrow phone at 200 % still shows whole words.
TYPE = {
    "giant": ("Bold", 64, 1.0, 1.25),
    "number": ("Bold", 40, 1.0, 1.4),
    "headline": ("Bold", 26, 1.12, 1.5),
    "title": ("Bold", 19, 1.15, 1.75),
    "body": ("Regular", 17, 1.2, 2.0),
    "strong": ("Bold", 17, 1.2, 2.0),
    "label": ("Medium", 15, 1.15, 2.0),
    "small": ("Regular", 14, 1.2, 2.0),
    "caption": ("Medium", 12, 1.0, 1.3),
}


class Look:
    """The appearance in force. Screens are built anew when it changes, so nothing here needs to be observed."""

    def __init__(self) -> None:
        self.palette = LIGHT
        self.reduced_motion = False
        self.text_scale = 1.0

    def wear(self, *, dark: bool, text_scale: float, reduced_motion: bool) -> None:
        """Puts on an appearance; text_scale is one of TEXT_SCALES."""
        self.palette = DARK if dark else LIGHT
        self.reduced_motion = reduced_motion
        self.text_scale = text_scale
        Metrics.fontscale = text_scale

    def colour(self, name: str) -> Colour:
        """A colour of the palette by name."""
        found: Colour = getattr(self.palette, name)
        return found

    def font(self, role: str) -> str:
        """The registered font of a role of TYPE."""
        return f"Soom{TYPE[role][0]}"

    def size(self, role: str) -> float:
        """The font size of a role, in pixels."""
        _, size_dp, _, largest_scale = TYPE[role]
        return float(dp(size_dp) * min(self.text_scale, largest_scale))

    def line_height(self, role: str) -> float:
        """The line height of a role, as a multiple of its size."""
        return TYPE[role][2]

    @property
    def seconds(self) -> float:
        """How long a movement lasts."""
        return 0.0 if self.reduced_motion else 0.18


look = Look()


def typeface_file(weight: str) -> Path:
    """The font file of a weight."""
    return _FONTS / f"Pretendard-{weight}.otf"


def register_typeface() -> None:
    """Makes the weights known to Kivy. Raises FileNotFoundError when the typeface was not brought yet."""
    for weight in ("Regular", "Medium", "Bold"):
        file = typeface_file(weight)
        if not file.exists():
            raise FileNotFoundError(f"{file.name} is missing; run `make assets`")
        LabelBase.register(f"Soom{weight}", str(file))
    # KivyMD's own pickers and whatever Kivy draws by itself speak Korean and Estonian, too.
    LabelBase.register("Roboto", str(_FONTS / "Pretendard-Regular.otf"), fn_bold=str(_FONTS / "Pretendard-Bold.otf"))
