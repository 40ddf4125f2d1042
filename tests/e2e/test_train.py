"""Training, evaluation and plans with the real programs under mpirun."""
import csv
import json
import re
import signal
import unittest

import harness


def logged_images(run_folder, ranks, attempt=1):
    """{(step, rank): images} from the debug log of the ranks."""
    found = {}
    for rank in range(ranks):
        text = (run_folder / f'attempts/{attempt}/rank-{rank}.log').read_text()
        for step, images in re.findall(r'step_images .*?step=(\d+) .*?images=([\d,]+)', text):
            found[int(step), rank] = [int(i) for i in images.split(',')]
    return found


class Train(harness.WithData):
    def test_run_folder_report_and_equal_digests(self):
        job = self.job(steps=12, checkpoint=6)
        digests = []
        for name in ('a', 'b'):
            folder = self.folder / f'run-{name}'
            result = self.train(job, folder)
            self.assertIn('tail', result.stdout)
            report = self.report(folder)
            digests.append(report['model_digest'])
            self.assertEqual(report['steps'], '12')
            self.assertEqual(report['world_size'], 2)
            self.assertEqual(report['images'], '70')
            self.assertGreater(report['mean_average_precision']['total'], 0)
            self.assertRegex(report['model_digest'], r'^[0-9a-f]{64}$')
            lines = [json.loads(line) for line in (folder / 'metrics.jsonl').read_text().splitlines()]
            self.assertEqual(int(lines[-1]['step']), 12)
            self.assertGreater(lines[-1]['loss'], 0)
            lines = [json.loads(line)
                     for line in (folder / 'evaluations.jsonl').read_text().splitlines()]
            self.assertEqual([int(line['step']) for line in lines], [12])
            # The test set is the validation set, and there is one checkpoint to choose from.
            self.assertEqual(lines[0]['average_precision'],
                             [c.get('average_precision', -1) for c in report['classes']])
            summary = json.loads((folder / 'attempts/1/attempt.json').read_text())
            self.assertEqual([r['times']['steps'] for r in summary['ranks']], ['12', '12'])
            self.assertEqual(summary['attempt']['last_step'], '12')
            names = sorted(p.name for p in (folder / 'checkpoints').iterdir())
            self.assertEqual(names, ['step-000000006', 'step-000000012'])
            self.assert_nothing_left(folder)
        self.assertEqual(digests[0], digests[1])

    def test_ranks_draw_what_plan_prints(self):
        job = self.job(steps=5)
        names = [json.loads(line)['image']
                 for line in (self.folder / 'train.jsonl').read_text().splitlines()]
        global_steps = {}
        for ranks in (1, 2, 3):
            folder = self.folder / f'plan-{ranks}'
            self.train(job, folder, '--ranks', str(ranks), env={'LTML_LOG_LEVEL': 'debug'})
            logged = logged_images(folder, ranks)
            plan = harness.run('plan', job, '--steps', '0:5', '--world-size', ranks)
            self.assertEqual(plan.returncode, 0, plan.stderr)
            planned = {}
            for line in plan.stdout.splitlines():
                row = json.loads(line)
                planned.setdefault((row['step'], row['rank']), []).extend(row['images'])
            self.assertEqual({key: [names[i] for i in images] for key, images in logged.items()},
                             planned)
            for step in range(5):
                for stream in ('uniform', 'rebalanced'):
                    images = [i for line in plan.stdout.splitlines() for row in [json.loads(line)]
                              if row['step'] == step and row['stream'] == stream
                              for i in row['images']]
                    self.assertEqual(len(images), 6)
                    self.assertEqual(global_steps.setdefault((step, stream), images), images)

    def test_evaluation_is_exact_and_independent_of_ranks(self):
        from sklearn.metrics import average_precision_score
        folder = self.folder / 'for-eval'
        self.train(self.job(steps=6), folder)
        reports = []
        for ranks in (1, 2, 3):
            predictions = self.folder / f'predictions-{ranks}.csv'
            result = harness.run('eval', folder, '--data', self.folder / 'val', '--ranks', ranks,
                                 '--predictions', predictions, '--output', 'json')
            self.assertEqual(result.returncode, 0, result.stderr)
            reports.append([(row['name'], row.get('average_precision'))
                            for row in json.loads(result.stdout)['classes']])
        self.assertEqual(reports[0], reports[1])
        self.assertEqual(reports[0], reports[2])
        rows = list(csv.reader(predictions.read_text().splitlines()))
        truth = {row['image']: set(row['labels']) for row in
                 map(json.loads, (self.folder / 'val.jsonl').read_text().splitlines())}
        self.assertEqual(len(rows) - 1, len(truth))
        checked = 0
        for k, (name, ours) in enumerate(reports[0]):
            self.assertEqual(rows[0][k + 1], name)
            labels = [name in truth[row[0]] for row in rows[1:]]
            if not any(labels):
                self.assertIsNone(ours)
                continue
            checked += 1
            theirs = average_precision_score(labels, [float(row[k + 1]) for row in rows[1:]])
            self.assertAlmostEqual(ours, theirs, delta=1e-12)
        self.assertGreater(checked, 10)

    def test_test_time_flip_changes_predictions(self):
        folder = self.folder / 'for-flip'
        self.train(self.job(steps=4), folder, '--ranks', '1')
        plain, flipped = (self.folder / f'{name}.csv' for name in ('plain', 'flipped'))
        for file, tta in ((plain, 'none'), (flipped, 'flip')):
            result = harness.run('eval', folder, '--data', self.folder / 'val', '--tta', tta,
                                 '--predictions', file)
            self.assertEqual(result.returncode, 0, result.stderr)
        self.assertNotEqual(plain.read_text(), flipped.read_text())

    def test_every_row_of_the_ablation_trains(self):
        rows = [('model.branches="uniform"',), ('model.branches="rebalanced"',),
                ('loss.compensation="none"',), ('loss.compensation="learnable"',),
                ('loss.compensation="labels"',), ('loss.consistency=0.0', 'loss.weighting="none"'),
                ('optimizer.kind="adamw"', 'schedule.decay="cosine"', 'optimizer.learning_rate=0.001')]
        digests = set()
        for number, settings in enumerate(rows):
            folder = self.folder / f'ablation-{number}'
            arguments = [a for s in settings for a in ('--set', s)]
            self.train(self.job(steps=6), folder, *arguments)
            result = harness.run('eval', folder, '--data', self.folder / 'val')
            self.assertEqual(result.returncode, 0, result.stderr)
            digests.add(self.report(folder)['model_digest'])
        self.assertEqual(len(digests), len(rows))

    def test_interrupt_writes_a_checkpoint_and_resume_goes_on(self):
        whole = self.folder / 'uninterrupted'
        job = self.job(steps=400)
        self.train(job, whole)
        folder = self.folder / 'interrupted'
        process = self.start(job, folder)
        harness.wait_until(lambda: (folder / 'metrics.jsonl').exists() and
                           (folder / 'metrics.jsonl').stat().st_size > 0, 60, 'first step')
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, errors)
        self.assertIn('--resume', errors)
        self.assertEqual(len(list((folder / 'checkpoints').iterdir())), 1)
        self.assert_nothing_left(folder)
        self.train(job, folder, '--resume')
        self.assertEqual(self.report(folder)['model_digest'], self.report(whole)['model_digest'])


if __name__ == '__main__':
    unittest.main(verbosity=2)
