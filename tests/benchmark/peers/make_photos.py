"""Pictures with the statistics of photographs, as JPEG (quality 90, 4:2:0): make_photos.py FOLDER COUNT WIDTH
HEIGHT.  Colours with a 1/f spectrum, soft and hard edges, and grain.  What is there is kept."""
import pathlib
import sys

import numpy as np
from PIL import Image


def pink_noise(random, height, width, exponent):
    """A plane of mean 0 and deviation 1 whose amplitude falls as frequency ** -exponent."""
    y, x = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :]
    frequency = np.maximum(np.hypot(y, x), 1 / max(height, width))
    spectrum = np.fft.rfft2(random.standard_normal((height, width))) * frequency ** -exponent
    plane = np.fft.irfft2(spectrum, (height, width))
    return (plane - plane.mean()) / plane.std()


def photo(seed, height, width):
    random = np.random.default_rng(seed)
    light = pink_noise(random, height, width, 1.2)
    colours = np.stack([pink_noise(random, height, width, 1.6) for _ in range(3)], -1)
    picture = 120 + 38 * light[..., None] + 22 * colours
    for _ in range(12):  # things in front, each with a hard edge and a colour of its own
        shape = pink_noise(random, height, width, 2.2) > random.uniform(1.0, 2.2)
        picture[shape] += random.uniform(-60, 60, 3)
    picture += random.normal(0, 4, (height, width, 1))  # grain
    return Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))


def main():
    folder, (count, width, height) = pathlib.Path(sys.argv[1]), map(int, sys.argv[2:])
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(count):
        path = folder / f'{seed:04}-{width}x{height}.jpg'
        if not path.exists():
            photo(seed, height, width).save(path, quality=90, subsampling='4:2:0')


main()
