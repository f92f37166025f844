"""Edge-preserving smoothing, and the flat tones and ink lines drawn on top of it.

The smoothing is the guided filter (He, Sun, Tang 2010) on a coarse grid: within each cell the result is a straight line
of the guide's brightness, which keeps edges and loses texture, for a few milliseconds.
"""

import math

from PIL import Image, ImageChops, ImageFilter, ImageMath

from services.integrations.providers.demo.looks.tone import curve


def follow(picture: Image.Image, guide: Image.Image, cell: int, tolerance: float = 60.0) -> Image.Image:
    """Smooth `picture` (one band) over about `cell` pixels, and move its edges onto those of `guide` (one band).

    `tolerance` is a variance in grey levels squared: contrast below its root counts as texture.
    """
    size = guide.size
    few = (max(2, size[0] // max(1, cell)), max(2, size[1] // max(1, cell)))
    along, value = guide.convert("F"), picture.convert("F")
    squares = ImageMath.lambda_eval(lambda args: args["i"] * args["i"], i=along)
    products = ImageMath.lambda_eval(lambda args: args["i"] * args["p"], i=along, p=value)
    mean_i, mean_p, mean_ii, mean_ip = (
        each.resize(few, Image.Resampling.BOX) for each in (along, value, squares, products)
    )
    slope = ImageMath.lambda_eval(
        lambda args: (args["ip"] - args["i"] * args["p"]) / (args["ii"] - args["i"] * args["i"] + tolerance),
        i=mean_i,
        p=mean_p,
        ii=mean_ii,
        ip=mean_ip,
    )
    offset = ImageMath.lambda_eval(lambda args: args["p"] - args["s"] * args["i"], i=mean_i, p=mean_p, s=slope)
    slope = slope.resize(size, Image.Resampling.BILINEAR)
    offset = offset.resize(size, Image.Resampling.BILINEAR)
    line = ImageMath.lambda_eval(lambda args: args["s"] * args["i"] + args["o"], s=slope, i=along, o=offset)
    smooth: Image.Image = line.convert("L")
    return smooth


def smooth(picture: Image.Image, cell: int, tolerance: float = 300.0) -> Image.Image:
    """Return an RGB picture with its texture removed and its edges kept; arguments as of `follow`."""
    return Image.merge("RGB", [follow(band, band, cell, tolerance) for band in picture.split()])


def cel(picture: Image.Image, levels: int, sharpness: float = 9.0) -> Image.Image:
    """Return flat tones: every band in `levels` steps with slightly soft borders, so that they do not look jagged."""

    def steps(value: float) -> float:
        scaled = value * (levels - 1)
        floor = math.floor(scaled)
        rest = 1 / (1 + math.exp(-sharpness * (scaled - floor - 0.5)))
        return (floor + rest) / (levels - 1)

    return picture.point(curve(steps) * len(picture.getbands()))


def ink(grey: Image.Image, thickness: float, boldness: float = 1.0) -> Image.Image:
    """Return black lines on white where brightness drops; `thickness` in pixels, `boldness` lets fainter edges in.

    The difference of two blurs (Winnemöller's extended difference of Gaussians), cut by a steep curve.
    """
    fine = grey.filter(ImageFilter.GaussianBlur(thickness * 0.6))
    broad = grey.filter(ImageFilter.GaussianBlur(thickness * 1.6))
    difference = ImageChops.subtract(fine, broad, 1, 128)
    limit = 0.5 - 0.028 / boldness
    return difference.point(curve(lambda value: 1 / (1 + math.exp(-(value - limit) * 190))))


def outline(mask: Image.Image, width: int) -> Image.Image:
    """Return the mask grown by `width` pixels on all sides, with a smooth edge."""
    grown = mask.filter(ImageFilter.GaussianBlur(width * 0.75))
    return grown.point(curve(lambda value: (value - 0.08) * 12))


def shifted(mask: Image.Image, right: int, down: int) -> Image.Image:
    """Return a mask moved by whole pixels; uncovered pixels are black."""
    moved = Image.new("L", mask.size, 0)
    moved.paste(mask, (right, down))
    return moved
