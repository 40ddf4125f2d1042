"""Latency of ranks' sessions through a real ltmld: TLS, tokens, and a journal in the store
(synchronous=FULL).  25 jobs of 8 ranks; each rank is a real session with a heartbeat a second, and
all together report 1,000 windows of 80 classes a second.  Nothing is trained: load_ranks stands in
mpirun's place.
Example: ninja -C build load_ranks && LTML_BIN=build/bin /usr/bin/python3 tests/benchmark/sessions_benchmark.py"""
import collections
import json
import os
import pathlib
import sys
import unittest
import unittest.mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'e2e'))
import harness  # noqa: E402
import service  # noqa: E402

LOAD_RANKS = harness.BIN.resolve().parent / 'tests/load_ranks'
JOBS, RANKS, CLASSES = 25, 8, 80
WINDOWS_PER_SECOND, WINDOW, SECONDS = 5, 4, 20
LIMITS = {'grant p99': 20, 'handling p99': 20}


class Benchmark(harness.WithData):
    def make_data(self):
        """80 classes, a picture of each."""
        pictures = [json.loads(line)['image']
                    for line in (self.folder / 'train.jsonl').read_text().splitlines()]
        lines = [json.dumps({'image': pictures[i], 'labels': [f'class-{i}']})
                 for i in range(CLASSES)]
        (self.folder / 'many.jsonl').write_text('\n'.join(lines) + '\n')
        done = harness.run('data', 'import', self.folder / 'many.jsonl', self.folder / 'many',
                           '--images', harness.PICTURES, '--resize', 32)
        self.assertEqual(done.returncode, 0, done.stderr)

    def start_server(self):
        load, programs = self.folder / 'load', self.folder / 'programs'
        load.mkdir()
        programs.mkdir()
        (programs / 'mpirun.openmpi').symlink_to(LOAD_RANKS)
        with unittest.mock.patch.dict(os.environ, LTML_LOAD=str(load),
                                      PATH=f'{programs}:{os.environ["PATH"]}'):
            server = service.Server(self.folder / 'server', self.folder,
                                    slots=JOBS * RANKS).start()
        self.addCleanup(server.stop)
        return server, load

    def runTest(self):
        self.make_data()
        server, load = self.start_server()
        file = self.job(steps=WINDOW * WINDOWS_PER_SECOND * SECONDS, ranks=RANKS)
        file.write_text(file.read_text().replace('"train"', '"many"').replace('"val"', '"many"')
                        .replace('global_batch = 6', f'global_batch = {2 * RANKS}')
                        .replace('lease = "20s"', 'lease = "30s"\ngrant = "60s"'))
        jobs = [server.submit(file) for _ in range(JOBS)]
        harness.wait_until(lambda: len(list(load.glob('*.ready'))) == JOBS, 60,
                           f'sessions of all jobs; log:\n{"".join(server.lines)[-2000:]}')
        (load / 'go').touch()
        harness.wait_until(lambda: len(list(load.glob('*.txt'))) == JOBS, SECONDS + 90,
                           f'figures of all jobs; log:\n{"".join(server.lines)[-2000:]}')
        self.assertEqual({len(server.job(job)['attempts']) for job in jobs}, {1}, 'a job was lost')
        samples = collections.defaultdict(list)
        for file in load.glob('*.txt'):
            for line in file.read_text().splitlines():
                name, value = line.split()
                samples[name].append(float(value))
        self.assertEqual(len(samples['grant']),
                         JOBS * RANKS * (WINDOWS_PER_SECOND * SECONDS - 2), 'reports got lost')
        figures = {}
        for name, values in samples.items():
            values.sort()
            for title, share in (('p50', 0.5), ('p99', 0.99), ('max', 1)):
                figures[f'{name} {title}'] = values[int(share * (len(values) - 1))]
        for name, value in figures.items():
            limit = f'   (limit {LIMITS[name]})' if name in LIMITS else ''
            print(f'{name:14} {value:9.2f} ms{limit}')
        missed = [name for name, limit in LIMITS.items() if figures[name] > limit]
        self.assertEqual(missed, [])


if __name__ == '__main__':
    suite = unittest.TestSuite([Benchmark()])
    sys.exit(not unittest.TextTestRunner().run(suite).wasSuccessful())
