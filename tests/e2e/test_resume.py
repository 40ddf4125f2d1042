"""SIGKILL of every process of a run, inside and at the edges of statistics windows, then --resume."""
import json
import shutil
import unittest

import harness

STEPS = 15   # windows of 4 steps: 0, 1, 2 and a short last one


class Resume(harness.WithData):
    def killed_run(self, checkpoint, victim, ranks=2):
        """A run with one checkpoint at step `checkpoint`, killed right after it was written."""
        folder = self.folder / f'killed-{checkpoint}-{victim}-{ranks}'
        job = self.job(steps=STEPS, checkpoint=checkpoint, ranks=ranks)
        process = self.start(job, folder)
        harness.wait_until((folder / f'checkpoints/step-{checkpoint:09d}/manifest.json').exists, 60,
                           'checkpoint')
        for pid in self.victims(victim, folder, process):
            harness.kill(pid)
        _, errors = process.communicate(timeout=60)
        self.assertNotEqual(process.returncode, 0)
        self.assert_nothing_left(folder)
        return job, folder, errors

    def victims(self, victim, folder, process):
        if victim == 'cli':
            return [process.pid]
        name = {'rank': 'ltml-worker', 'mpirun': 'mpirun', 'supervisor': 'ltml-supervisor'}[victim]
        found = [pid for pid, command in harness.processes_with(str(folder))
                 if command.split()[0].endswith(name)]
        self.assertTrue(found, f'no {victim} found')
        return found[-1:]

    def drop_later_checkpoints(self, folder, step):
        """A kill takes a moment; make sure that the resume starts at `step`."""
        for path in (folder / 'checkpoints').iterdir():
            if path.name > f'step-{step:09d}':
                shutil.rmtree(path)

    def whole(self, ranks):
        folder = self.folder / f'whole-{ranks}'
        if not folder.exists():
            self.train(self.job(steps=STEPS, ranks=ranks), folder)
        return self.report(folder)['model_digest']

    def test_every_edge_of_a_window(self):
        # s mod 4 = 1, 3, 0 in the windows 0, 1 and the last.
        for step in (1, 3, 4, 5, 7, 8, 13):
            with self.subTest(step=step):
                job, folder, _ = self.killed_run(step, 'rank')
                self.drop_later_checkpoints(folder, step)
                self.train(job, folder, '--resume')
                self.assertEqual(self.report(folder)['model_digest'], self.whole(2))
                steps = [int(json.loads(line)['step'])
                         for line in (folder / 'metrics.jsonl').read_text().splitlines()]
                self.assertEqual(steps, sorted(set(steps)))

    def test_every_process(self):
        for victim in ('mpirun', 'supervisor', 'cli'):
            with self.subTest(victim=victim):
                job, folder, _ = self.killed_run(5, victim)
                self.drop_later_checkpoints(folder, 5)
                self.train(job, folder, '--resume')
                self.assertEqual(self.report(folder)['model_digest'], self.whole(2))

    def test_other_world_sizes(self):
        for ranks in (1, 3):
            with self.subTest(ranks=ranks):
                job, folder, _ = self.killed_run(6, 'rank', ranks=ranks)
                self.drop_later_checkpoints(folder, 6)
                copy = self.folder / f'copy-{ranks}'
                shutil.copytree(folder, copy)
                self.train(job, folder, '--resume')
                self.assertEqual(self.report(folder)['model_digest'], self.whole(ranks))
                self.train(job, copy, '--resume', '--ranks', '2')
                self.assertEqual(self.report(copy)['steps'], str(STEPS))
                self.assertEqual(self.report(copy)['world_size'], 2)

    def test_a_damaged_checkpoint_is_named_and_the_one_before_used(self):
        folder = self.folder / 'damaged'
        job = self.job(steps=12, checkpoint=4)
        self.train(job, folder)
        digest = self.report(folder)['model_digest']
        damaged = folder / 'checkpoints/step-000000012/model.safetensors'
        content = bytearray(damaged.read_bytes())
        content[len(content) // 2] ^= 1
        damaged.write_bytes(content)
        result = self.train(job, folder, '--resume')
        self.assertIn('step-000000012/model.safetensors', result.stderr)
        self.assertEqual(self.report(folder)['model_digest'], digest)

    def test_resume_refuses_another_job(self):
        folder = self.folder / 'other'
        self.train(self.job(steps=4), folder)
        result = self.train(self.job(steps=4), folder, '--resume', '--set', 'streams.seed=9', code=2)
        self.assertIn('streams.seed', result.stderr)


if __name__ == '__main__':
    unittest.main(verbosity=2)
