#!/usr/bin/python3
"""What monitoring costs training: the same job by turns on a server that is scraped every second, with
its page open, and on one that serves no HTTP.  Two ranks on one machine, which the server shares.
Example: LTML_BIN=build/bin /usr/bin/python3 tests/benchmark/monitoring_cost.py"""
import argparse
import json
import pathlib
import statistics
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'e2e'))
import harness  # noqa: E402
import service  # noqa: E402
import test_monitoring  # noqa: E402

GOAL = 1.01
SETTINGS = ('--set', 'model.width=16', '--set', 'model.image_size=64', '--set',
            'streams.global_batch=16', '--set', 'monitoring.per_class="all"')


class Reader(threading.Thread):
    """Prometheus, and somebody who looks."""

    def __init__(self, address, job):
        super().__init__(daemon=True)
        self.address, self.paths = address, ('/metrics', f'/jobs/{job}')
        self.ended, self.answers = threading.Event(), 0

    def run(self):
        while not self.ended.wait(1):
            for path in self.paths:
                self.answers += test_monitoring.get(self.address, path)[0] == 200


class Cost(harness.WithData):
    pairs, steps = 9, 400

    def seconds_a_step(self, server, watched):
        job = server.submit(self.job(steps=self.steps), *SETTINGS)
        reader = Reader(server.http, job) if watched else None
        if reader:
            reader.start()
        server.run('wait', job, timeout=600)
        if reader:
            reader.ended.set()
            reader.join()
            self.assertGreater(reader.answers, 5)
        report = json.loads(server.run('report', job, '--output', 'json'))
        return 2 * 16 / report['images_per_second']

    def runTest(self):
        servers = {}
        for watched, http in ((True, '127.0.0.1:0'), (False, '')):
            servers[watched] = service.Server(
                self.folder / f'server-{watched}', self.folder, slots=2,
                change=lambda config, http=http: config.update(http=http)).start()
            self.addCleanup(servers[watched].stop)
        for watched in (True, False):
            self.seconds_a_step(servers[watched], watched)  # warms up
        ratios = []
        for pair in range(self.pairs):
            order = (True, False) if pair % 2 else (False, True)
            took = {watched: self.seconds_a_step(servers[watched], watched) for watched in order}
            ratios.append(took[True] / took[False])
            print(f'on {1000 * took[True]:.2f} ms, off {1000 * took[False]:.2f} ms a step, '
                  f'ratio {ratios[-1]:.4f}', flush=True)
        median = statistics.median(ratios)
        print(f'ratio on/off: median {median:.4f}, from {min(ratios):.4f} to {max(ratios):.4f} '
              f'(goal: below {GOAL})')
        self.assertLess(median, GOAL)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--pairs', type=int, default=Cost.pairs)
    parser.add_argument('--steps', type=int, default=Cost.steps)
    arguments = parser.parse_args()
    Cost.pairs, Cost.steps = arguments.pairs, arguments.steps
    unittest.main(argv=sys.argv[:1])
