"""Exact mean average precision of made-up scores, those of evaluation_figures.cc:
evaluation.py PEER IMAGES CLASSES THREADS, where PEER is sklearn or torchmetrics."""
import sys

import numpy as np

from process import Measured, report


def mix(x):
    """SplitMix64's finaliser."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xbf58476d1ce4e5b9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94d049bb133111eb)
    return x ^ (x >> np.uint64(31))


def make_set(images, classes):
    scores = np.empty((images, classes), np.float32)
    labels = np.empty((images, classes), np.uint8)
    one_in = np.minimum(np.arange(classes) + 2, images // 10).astype(np.uint64)
    for i in range(images):
        random = mix(np.arange(i * classes, (i + 1) * classes, dtype=np.uint64))
        scores[i] = (random >> np.uint64(40)).astype(np.float32) * np.float32(2 ** -24)
        labels[i] = (random & np.uint64(0xFFFFFFFF)) % one_in == 0
    return scores, labels


def sklearn(scores, labels, threads):
    """As shipped: it has no threads."""
    from sklearn.metrics import average_precision_score
    return lambda: float(average_precision_score(labels, scores))


def torchmetrics(scores, labels, threads):
    import torch
    from torchmetrics.functional.classification import multilabel_average_precision
    torch.set_num_threads(threads)
    scores, labels = torch.from_numpy(scores), torch.from_numpy(labels)
    return lambda: float(multilabel_average_precision(scores, labels, scores.shape[1], thresholds=None))


def main():
    peer, images, classes, threads = sys.argv[1], *map(int, sys.argv[2:])
    run = {'sklearn': sklearn, 'torchmetrics': torchmetrics}[peer](*make_set(images, classes), threads)
    with Measured() as cost:
        value = run()
    report(seconds=cost.seconds, memory_mb=cost.memory_bytes / 1e6, mean_average_precision=value)


main()
