"""How similar two pictures are: PSNR of their colours, and SSIM of their brightness."""

import math

from PIL import Image, ImageChops, ImageMath, ImageStat

_WINDOW = 8  # pixels
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2  # of the definition (Wang et al., 2004)


def psnr(first: Image.Image, second: Image.Image) -> float:
    """Return the peak signal-to-noise ratio of two RGB images in dB; infinite if they are equal."""
    squares = ImageStat.Stat(ImageChops.difference(first, second)).sum2
    mean = sum(squares) / (3 * first.width * first.height)
    return 10 * math.log10(255**2 / mean) if mean else math.inf


def ssim(first: Image.Image, second: Image.Image) -> float:
    """Return the mean structural similarity of windows of 8 x 8 pixels; 1 if they are equal."""
    a, b = (image.convert("L").convert("F") for image in (first, second))
    mean_a, mean_b = a.reduce(_WINDOW), b.reduce(_WINDOW)
    squares_a, squares_b, products = (_product(*pair).reduce(_WINDOW) for pair in ((a, a), (b, b), (a, b)))
    found = ImageMath.lambda_eval(
        lambda at: (
            (2 * at["a"] * at["b"] + _C1)
            * (2 * (at["ab"] - at["a"] * at["b"]) + _C2)
            / (at["a"] * at["a"] + at["b"] * at["b"] + _C1)
            / (at["aa"] - at["a"] * at["a"] + at["bb"] - at["b"] * at["b"] + _C2)
        ),
        a=mean_a,
        b=mean_b,
        aa=squares_a,
        bb=squares_b,
        ab=products,
    )
    return float(found.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0)))


def _product(first: Image.Image, second: Image.Image) -> Image.Image:
    found: Image.Image = ImageMath.lambda_eval(lambda at: at["first"] * at["second"], first=first, second=second)
    return found
