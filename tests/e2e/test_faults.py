"""Bad input and broken runs: one clear error, the right exit code, nothing left behind."""
import json
import pathlib
import shutil
import signal
import subprocess
import unittest

import harness


class Faults(harness.WithData):
    def rank_processes(self, folder):
        return [pid for pid, command in harness.processes_with(str(folder))
                if command.split()[0].endswith('ltml-worker')]

    def running(self, folder, job):
        process = self.start(job, folder)
        harness.wait_until(lambda: (folder / 'metrics.jsonl').exists() and
                           (folder / 'metrics.jsonl').stat().st_size > 0, 60, 'first step')
        return process

    def test_killed_rank_is_named(self):
        folder = self.folder / 'killed-rank'
        process = self.running(folder, self.job(steps=100000))
        harness.kill(self.rank_processes(folder)[-1])
        _, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 1, errors)
        self.assertRegex(errors, r'rank [01]')
        self.assertNotIn('terminate called', errors)
        self.assert_nothing_left(folder)

    def test_stopped_rank_is_found_by_its_deadline(self):
        folder = self.folder / 'stopped-rank'
        job = self.job(steps=100000)
        job.write_text(job.read_text().replace('lease = "20s"', 'lease = "3s"'))
        process = self.running(folder, job)
        ranks = self.rank_processes(folder)
        harness.kill(ranks[-1], signal.SIGSTOP)
        _, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 1, errors)
        self.assertRegex(errors, r'rank [01]')
        self.assertIn('step', errors)
        self.assert_nothing_left(folder)

    def test_a_rank_that_cannot_reach_the_coordinator_ends(self):
        folder = self.folder / 'unreachable'
        job = self.job(steps=4)
        self.train(job, folder)
        task = json.loads((folder / 'attempts/1/task.json').read_text())
        task['coordinator'] = f'unix:{self.folder}/nobody-listens'
        task['job']['limits']['start'] = '2s'
        (self.folder / 'task.json').write_text(json.dumps(task))
        result = subprocess.run(['mpirun', '--allow-run-as-root', '-n', '1',
                                 harness.BIN / 'ltml-worker', self.folder / 'task.json'],
                                capture_output=True, text=True, timeout=30)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn('nobody-listens', result.stderr)

    def test_a_second_run_on_a_folder_is_refused(self):
        folder = self.folder / 'twice'
        job = self.job(steps=100000)
        job.write_text(job.read_text().replace('stop = "10s"', 'stop = "1s"'))
        process = self.running(folder, job)
        second = harness.run('train', job, '--run', folder, '--resume')
        self.assertEqual(second.returncode, 6, second.stderr)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        self.assert_nothing_left(folder)

    def test_an_existing_run_folder_needs_resume(self):
        folder = self.folder / 'exists'
        folder.mkdir()
        (folder / 'something').write_text('')
        result = self.train(self.job(), folder, code=6)
        self.assertIn('--resume', result.stderr)

    def test_bfloat16_is_refused_on_a_processor_without_it(self):
        if 'avx512_bf16' in pathlib.Path('/proc/cpuinfo').read_text():
            self.skipTest('this processor has AVX512-BF16')
        folder = self.folder / 'bfloat16'
        job = self.job()
        job.write_text(job.read_text().replace('[limits]', 'precision = "bfloat16"\n[limits]'))
        result = self.train(job, folder, code=1)
        self.assertRegex(result.stderr, r'resources.precision is "bfloat16", but the processor of host \S+ '
                         r'has no AVX512-BF16')
        self.assert_nothing_left(folder)

    def test_truncated_shard_is_named(self):
        copy = self.folder / 'truncated'
        shutil.copytree(self.folder / 'train', copy)
        shard = copy / 'shard-00000.tar'
        shard.write_bytes(shard.read_bytes()[:-2000])
        result = self.train(self.job(), self.folder / 'r1', '--set', f'data.train="{copy}"', code=1)
        self.assertIn('shard-00000.tar', result.stderr)

    def test_damaged_image_names_the_image(self):
        copy = self.folder / 'damaged-image'
        shutil.copytree(self.folder / 'train', copy)
        shard = copy / 'shard-00000.tar'
        content = bytearray(shard.read_bytes())
        at = 0
        while (at := content.find(b'\xff\xda', at)) >= 0:   # every start of scan
            content[at + 1] = 0
            at += 2
        shard.write_bytes(content)
        folder = self.folder / 'r-damaged-image'
        result = self.train(self.job(), folder, '--set', f'data.train="{copy}"', code=1)
        self.assertIn('.png', result.stderr)
        self.assert_nothing_left(folder)

    def test_other_data_than_the_checkpoint(self):
        folder = self.folder / 'other-data'
        job = self.job(steps=4, checkpoint=2)
        self.train(job, folder, '--set', f'data.train="{self.folder / "train"}"')
        copy = self.folder / 'moved'
        shutil.copytree(self.folder / 'train', copy)
        try:
            shutil.rmtree(self.folder / 'train')
            shutil.copytree(self.folder / 'val', self.folder / 'train')
            result = harness.run('train', job, '--run', folder, '--resume')
            self.assertEqual(result.returncode, 1, result.stderr)
            self.assertIn('fingerprint', result.stderr)
        finally:
            shutil.rmtree(self.folder / 'train')
            shutil.copytree(copy, self.folder / 'train')

    def test_missing_data_and_weights(self):
        result = self.train(self.job(), self.folder / 'r2', '--set', 'data.train="nowhere"', code=1)
        self.assertIn('nowhere', result.stderr)
        weights = self.folder / 'w.safetensors'
        shutil.copy(harness.ROOT / 'tests/golden/resnet18_width8.safetensors', weights)
        result = self.train(self.job(), self.folder / 'r3', '--set', f'model.weights="{weights}"',
                            code=1)
        self.assertIn('conv1.weight', result.stderr)

    def test_job_file_faults_come_all_at_once(self):
        job = self.folder / 'faulty.toml'
        job.write_text('[data]\ntrain = "train"\n[model]\nwitdh = 3\nimage_size = "big"\n'
                       '[schedule]\nsteps = -4\n[resources]\nranks = 64\n')
        result = self.train(job, self.folder / 'r4', code=2)
        for text in ('width', 'image_size', 'steps', ':4', ':5', ':7'):
            self.assertIn(text, result.stderr)

    def test_more_ranks_than_images(self):
        result = self.train(self.job(), self.folder / 'r5', '--ranks', '7', code=2)
        self.assertIn('ranks', result.stderr)

    def test_usage_errors(self):
        for arguments in (['trian'], ['train'], ['train', 'x.toml', '--rnks', '2'], ['predict', 'x']):
            result = harness.run(*arguments)
            self.assertEqual(result.returncode, 2, (arguments, result.stderr))
            self.assertNotIn('terminate', result.stderr)
        self.assertEqual(harness.run('train', 'no-such.toml').returncode, 3)
        self.assertEqual(harness.run('eval', self.folder / 'no-run', '--data',
                                     self.folder / 'val').returncode, 3)

    def test_stdout_carries_the_result_alone(self):
        folder = self.folder / 'json'
        result = self.train(self.job(steps=4), folder, '--output', 'json')
        self.assertEqual(json.loads(result.stdout)['model_digest'],
                         self.report(folder)['model_digest'])


if __name__ == '__main__':
    unittest.main(verbosity=2)
