"""Balanced draws from a long-tailed set, that of draws_figures.cc: draws.py PEER IMAGES CLASSES, where PEER is
weighted (torch's WeightedRandomSampler) or class_aware (a class in turn, then an image of it)."""
import itertools
import random
import sys
import time

import numpy as np

from process import Measured, report

DRAWS = 2_000_000


def counts_of(images, classes):
    harmonic = sum(1 / k for k in range(1, classes + 1))
    counts = np.maximum(1, (images / (harmonic * np.arange(1, classes + 1))).astype(np.int64))
    counts[0] += images - counts.sum()
    return counts


def labels_of(images, classes):
    labels = np.repeat(np.arange(classes, dtype=np.int32), counts_of(images, classes))
    np.random.default_rng(1).shuffle(labels)
    return labels


def weighted(labels, classes):
    """One epoch with replacement, as its documentation shows it."""
    import torch
    labels = torch.from_numpy(labels)
    weights = 1 / torch.bincount(labels, minlength=classes).double()
    return iter(torch.utils.data.WeightedRandomSampler(weights[labels], len(labels)))


class Cycle:
    """All of a list in random order, then again in another."""

    def __init__(self, items):
        self.items, self.at = list(items), len(items)

    def __next__(self):
        if self.at == len(self.items):
            random.shuffle(self.items)
            self.at = 0
        self.at += 1
        return self.items[self.at - 1]


def class_aware(labels, classes):
    """The class-aware sampler in common use, its lists made with numpy."""
    order = np.argsort(labels, kind='stable')
    ends = np.cumsum(np.bincount(labels, minlength=classes))
    images = [Cycle(order[begin:end].tolist()) for begin, end in zip([0, *ends[:-1]], ends)]
    turns = Cycle(range(classes))
    while True:
        yield next(images[next(turns)])


def main():
    peer, (images, classes) = sys.argv[1], map(int, sys.argv[2:])
    labels = labels_of(images, classes)
    with Measured() as cost:
        draws = {'weighted': weighted, 'class_aware': class_aware}[peer](labels, classes)
        next(draws)
        start = time.perf_counter()
        count = sum(1 for _ in itertools.islice(draws, DRAWS))
        seconds = time.perf_counter() - start
    report(start_seconds=cost.seconds - seconds, memory_mb=cost.memory_bytes / 1e6,
           draws_per_second=count / seconds)


main()
