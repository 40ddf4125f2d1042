"""Speed of the service with a real ltmld over mTLS (synchronous=FULL), client and server on one
machine.  Nothing is trained: the host is drained.
Example: LTML_BIN=build/bin /usr/bin/python3 tests/benchmark/service_benchmark.py"""
import pathlib
import statistics
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'e2e'))
import client_case  # noqa: E402
import harness  # noqa: E402
import service_client  # noqa: E402

SUBMITS_PER_SECOND, SECONDS = 100, 20
STORED_JOBS = 10000
STREAMS = 1000
LIMITS = {'submit_p99_ms': 50, 'first_page_ms': 200, 'start_to_serving_s': 2, 'watch_rss_mb': 150}


class Benchmark(client_case.WithClient):
    @staticmethod
    def change(config):
        config['limits'] = {'requests_per_second': 1e5, 'jobs_per_user': 2 * STORED_JOBS}

    def runTest(self):
        self.client.pool.Drain(self.stubs.pool_service.DrainRequest(host='localhost'), timeout=20)
        figures = self.submits()
        self.fill()
        figures.update(self.first_page())
        figures.update(self.restart())
        figures.update(self.watchers())
        for name, value in figures.items():
            limit = f'   (limit {LIMITS[name]})' if name in LIMITS else ''
            print(f'{name:24} {value:10.2f}{limit}')
        missed = [name for name, limit in LIMITS.items() if figures[name] > limit]
        self.assertEqual(missed, [])

    def send(self, done):
        request = self.stubs.job_service.SubmitRequest(spec=self.spec())
        start = time.monotonic()
        call = self.client.jobs.Submit.future(request, timeout=30)
        call.add_done_callback(lambda ended: done(time.monotonic() - start, ended))

    def submit_many(self, count, at_once=None, per_second=None):
        """Latencies in ms of `count` submits, at most so many at once or at a fixed rate."""
        latencies, places = [], threading.Semaphore(at_once or count)

        def done(seconds, ended):
            latencies.append(1000 * seconds if ended.exception() is None else float('inf'))
            places.release()
        start = time.monotonic()
        for i in range(count):
            places.acquire()
            if per_second:
                time.sleep(max(0, start + i / per_second - time.monotonic()))
            self.send(done)
        harness.wait_until(lambda: len(latencies) == count, 60, 'all answers')
        return sorted(latencies)

    def submits(self):
        self.submit_many(20, at_once=1)
        latencies = self.submit_many(SUBMITS_PER_SECOND * SECONDS, per_second=SUBMITS_PER_SECOND)
        return {'submit_p50_ms': statistics.median(latencies),
                'submit_p99_ms': latencies[int(0.99 * len(latencies))],
                'submit_longest_ms': latencies[-1]}

    def fill(self):
        left = STORED_JOBS - SUBMITS_PER_SECOND * SECONDS - 20
        self.assertLess(self.submit_many(left, at_once=64)[-1], float('inf'), 'a Submit failed')

    def first_page(self):
        times = []
        for _ in range(20):
            start = time.monotonic()
            answer = self.client.jobs.List(self.request('ListJobsRequest'), timeout=30)
            times.append(1000 * (time.monotonic() - start))
            self.assertEqual(len(answer.jobs), 50)
        return {'first_page_ms': max(times), 'first_page_median_ms': statistics.median(times)}

    def restart(self):
        self.client.close()
        self.server.stop()
        start = time.monotonic()
        self.server.start()
        type(self).client = service_client.Client(self.stubs, self.server.folder / 'client.toml')
        self.assertEqual(service_client.health(self.client), 1)
        return {'start_to_serving_s': time.monotonic() - start}

    def watchers(self):
        name = self.client.jobs.List(self.request('ListJobsRequest', page_size=1),
                                     timeout=30).jobs[0].name
        before = self.server.resident_bytes()
        streams = [self.client.jobs.Watch(self.request('WatchRequest', name=name), timeout=300)
                   for _ in range(STREAMS)]
        for stream in streams:
            next(stream)
        after = self.server.resident_bytes()
        for stream in streams:
            stream.cancel()
        return {'watch_rss_mb': after / 1e6, 'rss_before_watch_mb': before / 1e6}


if __name__ == '__main__':
    suite = unittest.TestSuite([Benchmark()])
    sys.exit(not unittest.TextTestRunner().run(suite).wasSuccessful())
