"""JPEG photographs to normalised float tensors of 224 x 224 pixels, on one thread: photos.py PEER FOLDER [SECONDS],
where PEER is pillow, torchvision or dali.  Random resized crop, flip, colour jitter, normalisation."""
import io
import itertools
import pathlib
import sys
import time

from process import report

SIZE, MEAN, STD = 224, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
DALI_BATCH = 32


def pillow(files):
    import torch
    from PIL import Image
    from torchvision import transforms as t
    torch.set_num_threads(1)
    make = t.Compose([t.RandomResizedCrop(SIZE), t.RandomHorizontalFlip(), t.ColorJitter(0.4, 0.4, 0.4),
                      t.ToTensor(), t.Normalize(MEAN, STD)])
    contents = itertools.cycle([file.read_bytes() for file in files])
    return lambda: make(Image.open(io.BytesIO(next(contents))).convert('RGB')), 1


def torchvision(files):
    import torch
    from torchvision.io import ImageReadMode, decode_jpeg
    from torchvision.transforms import v2
    torch.set_num_threads(1)
    make = v2.Compose([v2.RandomResizedCrop(SIZE, antialias=True), v2.RandomHorizontalFlip(),
                       v2.ColorJitter(0.4, 0.4, 0.4), v2.ToDtype(torch.float32, scale=True),
                       v2.Normalize(MEAN, STD)])
    contents = itertools.cycle([torch.frombuffer(bytearray(file.read_bytes()), dtype=torch.uint8)
                                for file in files])
    return lambda: make(decode_jpeg(next(contents), ImageReadMode.RGB)), 1


def dali(files):
    from nvidia.dali import fn, pipeline_def, types

    @pipeline_def(batch_size=DALI_BATCH, num_threads=1, device_id=None)
    def photos():
        encoded, _ = fn.readers.file(files=[str(file) for file in files])
        image = fn.decoders.image_random_crop(encoded, device='cpu', output_type=types.RGB,
                                              random_area=[0.08, 1.0], random_aspect_ratio=[3 / 4, 4 / 3])
        image = fn.resize(image, size=[SIZE, SIZE], interp_type=types.INTERP_TRIANGULAR)
        image = fn.color_twist(image, brightness=fn.random.uniform(range=[0.6, 1.4]),
                               contrast=fn.random.uniform(range=[0.6, 1.4]),
                               saturation=fn.random.uniform(range=[0.6, 1.4]))
        return fn.crop_mirror_normalize(image, dtype=types.FLOAT, output_layout='CHW',
                                        mirror=fn.random.coin_flip(),
                                        mean=[255 * m for m in MEAN], std=[255 * s for s in STD])
    pipeline = photos()
    pipeline.build()
    return pipeline.run, DALI_BATCH


def rate(make, images, seconds):
    """Images a second, after a fifth of the time to warm up."""
    done, start = 0, time.perf_counter()
    begin = start
    while time.perf_counter() - begin < seconds:
        make()
        done += images
        if begin == start and time.perf_counter() - start > seconds / 5:
            done, begin = 0, time.perf_counter()
    return done / (time.perf_counter() - begin)


def main():
    peer, files = sys.argv[1], sorted(pathlib.Path(sys.argv[2]).iterdir())
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 5
    make, images = {'pillow': pillow, 'torchvision': torchvision, 'dali': dali}[peer](files)
    report(images_per_second=rate(make, images, seconds))


main()
