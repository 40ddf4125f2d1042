"""What a run writes for TensorBoard, as the real TensorBoard serves it."""
import csv
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import urllib.parse
import urllib.request

import harness

PACKAGES = harness.ROOT / '.deps/tensorboard'
GROUPS = ('total', 'head', 'medium', 'tail')
THRESHOLDS = 101


def float32(value):
    """The value as an event holds it."""
    return struct.unpack('f', struct.pack('f', value))[0]


class Tensorboard:
    """The real program over a folder of runs, on a port that the system chose."""

    def __init__(self, folder, fast):
        if not PACKAGES.is_dir():
            raise AssertionError(f'no {PACKAGES}: run scripts/setup')
        self.log = tempfile.TemporaryFile('w+')
        self.process = subprocess.Popen(
            [sys.executable, '-m', 'tensorboard.main', '--logdir', str(folder), '--host',
             '127.0.0.1', '--port', '0', f'--load_fast={"true" if fast else "false"}'],
            stdout=subprocess.DEVNULL, stderr=self.log,
            env={**os.environ, 'PYTHONPATH': str(PACKAGES)})

    def __enter__(self):
        self.address = harness.wait_until(self._address, 60, 'address of TensorBoard')
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)
        self.log.close()

    def _address(self):
        self.log.seek(0)
        text = self.log.read()
        assert self.process.poll() is None, text
        found = re.search(r'TensorBoard \S+ at (http://\S+)', text)
        return found and found.group(1)

    def get(self, plugin, route, **query):
        url = f'{self.address}data/plugin/{plugin}/{route}?{urllib.parse.urlencode(query)}'
        with urllib.request.urlopen(url, timeout=20) as answer:
            return json.load(answer)

    def tags(self, plugin, run):
        return sorted(self.get(plugin, 'tags').get(run, {}))

    def scalars(self, run, tag):
        """Step -> value.  A step that comes twice is an error."""
        points = self.get('scalars', 'scalars', run=run, tag=tag)
        steps = [step for _, step, _ in points]
        assert steps == sorted(set(steps)), f'{tag}: {steps}'
        return {step: value for _, step, value in points}


class RunInTensorboard(harness.WithData):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.runs = cls.folder / 'runs'
        cls.runs.mkdir()

    def run_twice(self, name, between=lambda folder: None):
        """40 steps, of which 11 to 40 are lost and trained again by a second attempt."""
        folder = self.runs / name
        job = self.job(steps=40, checkpoint=10)
        arguments = ('--set', 'evaluation.every_steps=20', '--set', 'monitoring.per_class=all')
        self.train(job, folder, *arguments)
        self.digest = self.report(folder)['model_digest']
        for path in (folder / 'checkpoints').iterdir():
            if path.name > 'step-000000010':
                shutil.rmtree(path)
        between(folder)
        self.train(job, folder, *arguments, '--resume')
        return folder

    def lines(self, folder, name):
        return {int(line['step']): line for line in
                map(json.loads, (folder / name).read_text().splitlines())}

    def test_shows_every_step_once_with_the_values_of_the_run(self):
        folder = self.run_twice('resumed')
        self.assertEqual(len(list(folder.glob('events.out.tfevents.*'))), 2)
        for fast in (True, False):
            with self.subTest(fast=fast), Tensorboard(self.runs, fast) as tensorboard:
                harness.wait_until(lambda: 40 in self.loaded(tensorboard), 60, 'events of step 40')
                self.check_steps(tensorboard, folder)
                self.check_precisions(tensorboard, folder)
                self.check_curves(tensorboard, folder)

    def loaded(self, tensorboard):
        tag = 'mean_average_precision/total'
        if tag not in tensorboard.tags('scalars', 'resumed'):
            return {}
        return tensorboard.scalars('resumed', tag)

    def check_steps(self, tensorboard, folder):
        lines = self.lines(folder, 'metrics.jsonl')
        self.assertEqual(sorted(lines)[-4:], [10, 20, 30, 40])
        for tag, field in {'loss/total': 'loss', 'loss/uniform': 'classification_uniform',
                           'loss/rebalanced': 'classification_rebalanced',
                           'loss/consistency': 'consistency', 'learning_rate': 'learning_rate',
                           'images_per_second': 'images_per_second',
                           'wait/data_ratio': 'data_wait_ratio',
                           'wait/grant_seconds': 'grant_wait_seconds'}.items():
            self.assertEqual(tensorboard.scalars('resumed', tag),
                             {step: float32(line[field]) for step, line in lines.items()}, tag)

    def check_precisions(self, tensorboard, folder):
        validations = self.lines(folder, 'evaluations.jsonl')
        self.assertEqual(sorted(validations), [20, 40])
        present = [group for group in GROUPS
                   if group in validations[40]['mean_average_precision']]
        self.assertEqual(present, ['total', 'medium', 'tail'])
        for group in present:
            self.assertEqual(
                tensorboard.scalars('resumed', f'mean_average_precision/{group}'),
                {step: float32(line['mean_average_precision'][group])
                 for step, line in validations.items()}, group)
        self.assertEqual(tensorboard.tags('histograms', 'resumed'),
                         sorted(f'class_average_precision/{group}' for group in present))
        points = tensorboard.get('histograms', 'histograms', run='resumed',
                                 tag='class_average_precision/total')
        self.assertEqual([step for _, step, _ in points], [20, 40])
        for _, step, buckets in points:
            values = [value for value in validations[step]['average_precision'] if value >= 0]
            self.assertEqual(sum(count for _, _, count in buckets), len(values))
            for left, right, count in buckets[1:-1]:
                self.assertEqual(count, sum(left < value + 1e-7 and value + 1e-7 < right
                                            for value in values), (left, right))

    def check_curves(self, tensorboard, folder):
        scores, labels = self.predictions(folder)
        classes = sorted(name for name in scores if any(labels[name]))
        self.assertEqual(
            [tag for tag in tensorboard.tags('pr_curves', 'resumed') if tag.startswith('class_')],
            [f'class_precision_recall/{name}' for name in classes])
        for tag, members in [('precision_recall/total', classes),
                             *((f'class_precision_recall/{name}', [name]) for name in classes)]:
            curve = tensorboard.get('pr_curves', 'pr_curves', run='resumed', tag=tag)['resumed'][-1]
            self.assertEqual(curve['step'], 40)
            pairs = [pair for name in members for pair in zip(scores[name], labels[name])]
            # TensorBoard leaves out the end, where nothing is predicted any more.
            self.assertGreater(len(curve['thresholds']), 0)
            self.assertLessEqual(len(curve['thresholds']), THRESHOLDS)
            positives = sum(label for _, label in pairs)
            for i, threshold in enumerate(curve['thresholds']):
                hits = sum(label for score, label in pairs if score >= threshold)
                guesses = sum(score >= threshold for score, _ in pairs)
                self.assertEqual(curve['true_positives'][i], hits, (tag, threshold))
                self.assertEqual(curve['false_positives'][i], guesses - hits, (tag, threshold))
                self.assertAlmostEqual(curve['precision'][i], hits / guesses if guesses else 0, 6)
                self.assertAlmostEqual(curve['recall'][i], hits / positives, 6)

    def predictions(self, folder):
        """Class -> scores and labels of the validation images, by the weights of step 40."""
        file = self.folder / 'predictions.csv'
        result = harness.run('eval', folder / 'checkpoints/step-000000040', '--data',
                             self.folder / 'val', '--predictions', file)
        self.assertEqual(result.returncode, 0, result.stderr)
        with file.open(newline='') as table:
            rows = {row.pop('image'): row for row in csv.DictReader(table)}
        truth = [json.loads(line) for line in (self.folder / 'val.jsonl').read_text().splitlines()]
        self.assertEqual(len(rows), len(truth))
        names = list(next(iter(rows.values())))
        return ({name: [float32(float(rows[line['image']][name])) for line in truth]
                 for name in names},
                {name: [name in line['labels'] for line in truth] for name in names})

    def test_a_full_disk_is_one_warning_and_does_not_change_the_run(self):
        folder = self.run_twice(
            'full', lambda folder: (folder / 'events.out.tfevents.0000000002.ltml').symlink_to(
                '/dev/full'))
        log = ''.join(path.read_text() for path in (folder / 'attempts/2').rglob('*.log'))
        self.assertEqual(log.count('tensorboard_stopped'), 1, log)
        self.assertIn('No space left on device', log)
        self.assertEqual(self.report(folder)['model_digest'], self.digest)

    def test_writes_none_where_the_job_says_so(self):
        folder = self.runs / 'without'
        self.train(self.job(steps=2), folder, '--set', 'monitoring.tensorboard=false')
        self.assertEqual(list(folder.glob('events*')), [])


if __name__ == '__main__':
    unittest.main(verbosity=2)
