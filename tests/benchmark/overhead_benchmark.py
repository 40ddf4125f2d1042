"""What the service adds to a job: from the acknowledgement of Submit to SUCCEEDED, against a bare
mpirun of the same program with the same arguments on the same data, in pairs one after the other.
The bare one finds a coordinator that is there already, on a Unix socket and without a store; ltmld
takes the job over mTLS, stores it (synchronous=FULL), places it, starts supervisor and mpirun, and
sweeps.
Example: ninja -C build bare_coordinator && LTML_BIN=build/bin /usr/bin/python3 tests/benchmark/overhead_benchmark.py"""
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'e2e'))
import client_case  # noqa: E402
import harness  # noqa: E402

COORDINATOR = harness.BIN.resolve().parent / 'tests/bare_coordinator'
PAIRS, RANKS, STEPS = 12, 2, 6
LIMIT_SECONDS = 0.3
TOKEN = 'bare'


class Benchmark(client_case.WithClient):
    def runTest(self):
        name, _ = self.serve()
        self.take_apart(name)
        differences, served, bare = [], [], []
        for pair in range(PAIRS):
            first, second = (self.serve, self.bare) if pair % 2 else (self.bare, self.serve)
            times = {first: first()[1], second: second()[1]}
            served.append(times[self.serve])
            bare.append(times[self.bare])
            differences.append(served[-1] - bare[-1])
        for title, values in (('service', served), ('bare mpirun', bare), ('overhead', differences)):
            values.sort()
            print(f'{title:12} median {statistics.median(values):6.3f} s   '
                  f'from {values[0]:6.3f} to {values[-1]:6.3f} s')
        print(f'{PAIRS} pairs, {RANKS} ranks, {STEPS} steps   (limit of the overhead {LIMIT_SECONDS} s)')
        self.assertLess(statistics.median(differences), LIMIT_SECONDS)

    def serve(self):
        """(name, seconds) of a job of the service."""
        job = self.submit(steps=STEPS)
        start = time.monotonic()
        for answer in self.client.jobs.Watch(self.request('WatchRequest', name=job.name), timeout=120):
            if not getattr(self, 'arguments', None):
                self.arguments = self.mpirun_arguments(job.name)
            if answer.event.state_change.to == self.stubs.job_service.JOB_STATE_SUCCEEDED:
                return job.name, time.monotonic() - start
        raise AssertionError(f'{job.name} did not succeed')

    def mpirun_arguments(self, name):
        """Of the mpirun of a job that runs; None while there is none."""
        folder = str(self.server.folder / 'runs' / name.split('/')[1])
        for pid, command in harness.processes_with(folder):
            words = command.split(' ')
            if words[0] == 'mpirun':
                return words
        return None

    def take_apart(self, name):
        """From a job of the service: the run folder before it starts, its task, and its mpirun."""
        self.assertIsNotNone(self.arguments, 'the mpirun of the first job was not seen')
        self.run_folder = self.server.folder / 'runs' / name.split('/')[1]
        self.task = json.loads((self.run_folder / 'attempts/1/task.json').read_text())
        wrapper = self.arguments.index('--rank') - 1
        self.worker = self.arguments[wrapper + 3]
        scratch = self.arguments[self.arguments.index('orte_tmpdir_base') + 1]
        self.scratch = pathlib.Path(f'{scratch}-bare')
        self.scratch.mkdir()
        self.addCleanup(shutil.rmtree, self.scratch)
        self.mpirun = [word.replace(scratch, str(self.scratch)) for word in self.arguments[:wrapper]]

    def bare(self):
        """(folder, seconds) of mpirun alone."""
        folder = self.folder / f'bare-{time.monotonic_ns()}'
        (folder / 'attempts/1').mkdir(parents=True)
        for name in ('job.json', 'dataset.json'):
            shutil.copy(self.run_folder / name, folder / name)
        task = folder / 'attempts/1/task.json'
        task.write_text(json.dumps({**self.task, 'run_folder': str(folder), 'authority': '',
                                    'coordinator': f'unix:{self.scratch}/socket'}))
        environment = {**os.environ, 'LTML_TOKEN': TOKEN, 'OMP_NUM_THREADS': '1'}
        coordinator = subprocess.Popen([COORDINATOR, task, str(RANKS)], env=environment, text=True,
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            self.assertEqual(coordinator.stdout.readline(), 'ready\n')
            start = time.monotonic()
            done = subprocess.run([*self.mpirun, self.worker, task], env=environment,
                                  capture_output=True, text=True, timeout=120)
            seconds = time.monotonic() - start
        finally:
            coordinator.communicate(timeout=20)
        self.assertEqual(done.returncode, 0, done.stderr)
        digests = {json.loads((run / 'report.json').read_text())['model_digest']
                   for run in (folder, self.run_folder)}
        self.assertEqual(len(digests), 1, 'they did not do the same')
        return folder, seconds


if __name__ == '__main__':
    suite = unittest.TestSuite([Benchmark()])
    sys.exit(not unittest.TextTestRunner().run(suite).wasSuccessful())
