"""Draws Soom's icons and splash for Android; no picture is kept in the repository."""

from pathlib import Path

from PIL import Image, ImageDraw

# As the app itself draws them (widgets/breath_mark.py, theme.LIGHT): share of the outer ring, colour.
RINGS = ((1.0, "#FBE9DC"), (0.72, "#DDECF0"), (0.42, "#1C5D73"))
PAPER = "#FAF6F0"
# An adaptive icon is 108 dp, of which every launcher shows the middle 66 dp; 4 px a dp is the finest density.
_ADAPTIVE_SIDE = 432
SAFE_SHARE = 66 / 108
_NOTICE_SIDE = 96
_FINER = 4


def draw_icons(target: Path) -> None:
    """Writes icon.png, icon_foreground.png, icon_background.png, splash.png and res/…/ic_notice.png."""
    mark(512, 0.72, PAPER).save(target / "icon.png")
    mark(_ADAPTIVE_SIDE, SAFE_SHARE, None).save(target / "icon_foreground.png")
    Image.new("RGB", (_ADAPTIVE_SIDE, _ADAPTIVE_SIDE), PAPER).save(target / "icon_background.png")
    mark(720, 0.4, PAPER).save(target / "splash.png")
    folder = target / "res" / "drawable-xxxhdpi"
    folder.mkdir(parents=True)
    silhouette(_NOTICE_SIDE).save(folder / "ic_notice.png")


def mark(side: int, share: float, ground: str | None) -> Image.Image:
    """The mark in the middle of a square of ``side`` px, on paper or on nothing."""
    image = Image.new("RGBA", (side * _FINER, side * _FINER), ground or (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    for ring, colour in RINGS:
        draw.ellipse(_circle(side * _FINER, share * ring), fill=colour)
    # Drawn larger and made smaller, for smooth edges.
    return image.reduce(_FINER)


def silhouette(side: int) -> Image.Image:
    """The mark in white lines on nothing: Android shows only the opacity of a notification's icon."""
    large = side * _FINER
    image = Image.new("RGBA", (large, large), (255, 255, 255, 0))
    draw = ImageDraw.Draw(image)
    for ring, _ in RINGS[:-1]:
        draw.ellipse(_circle(large, 0.92 * ring), outline="white", width=large // 14)
    draw.ellipse(_circle(large, 0.3), fill="white")
    return image.reduce(_FINER)


def _circle(side: int, share: float) -> tuple[float, float, float, float]:
    edge = side * (1 - share) / 2
    return edge, edge, side - edge, side - edge
