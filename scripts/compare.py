"""Trains the quick-start set with full LTML and with parts of it, three seeds each, every row seeing
the same number of images, and prints one Markdown table of test mAP: mean and spread over the seeds.

Run through scripts/demo --compare, which builds and imports first.  Finished runs are kept below
runs/compare and not trained again."""
import json
import pathlib
import statistics
import subprocess
import sys

SEEDS = (1, 2, 3)
ROWS = {
    'full LTML': [],
    'without compensation': ['loss.compensation="none"'],
    'without consistency': ['loss.consistency=0.0'],
    'uniform branch alone, 64 images': ['model.branches="uniform"', 'streams.global_batch=64'],
    're-balanced branch alone, 64 images': ['model.branches="rebalanced"', 'streams.global_batch=64'],
}
GROUPS = ('total', 'head', 'medium', 'tail')


def train(name, settings, seed):
    run = pathlib.Path('runs/compare') / f'{name.replace(" ", "-").replace(",", "")}-seed{seed}'
    report = run / 'report.json'
    if not report.exists():
        command = ['build/bin/ltml', 'train', 'examples/clipart/job.toml', '--run', str(run),
                   '--set', f'streams.seed={seed}']
        for setting in settings:
            command += ['--set', setting]
        if run.exists():
            command.append('--resume')
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    means = json.loads(report.read_text())['mean_average_precision']
    return [100 * means[group] for group in GROUPS]


def cell(values):
    return f'{statistics.mean(values):.1f} ± {statistics.stdev(values):.1f}'


def main():
    print('| setting | ' + ' | '.join(GROUPS) + ' |')
    print('| --- |' + ' ---: |' * len(GROUPS))
    for name, settings in ROWS.items():
        results = [train(name, settings, seed) for seed in SEEDS]
        print(f'| {name} | ' + ' | '.join(cell(column) for column in zip(*results)) + ' |')
        sys.stdout.flush()


main()
