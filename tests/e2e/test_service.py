"""ltmld and ltml from outside: jobs of a team, and a server that is killed while they run."""
import json
import subprocess
import unittest

import harness
import service

FOREVER = 100000


class WithServer(harness.WithData):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = service.Server(cls.folder / 'server', cls.folder, slots=2).start()
        cls.addClassCleanup(cls.server.stop)


class Service(WithServer):
    def refused(self, code, *arguments):
        result = self.server.command(*arguments)
        self.assertEqual(result.returncode, code, result.stderr)
        return result.stderr

    def end(self, job):
        self.server.run('cancel', job)
        self.server.await_state(job, 'CANCELLED')

    def test_watch_logs_and_report_of_a_job(self):
        result = self.server.command('submit', self.job(steps=12, checkpoint=6), '--watch')
        self.assertEqual(result.returncode, 0, result.stderr)
        for word in ('queued', 'starting on localhost', 'running', 'checkpoint of step 6',
                     'succeeded'):
            self.assertIn(word, result.stderr)
        listed = json.loads(self.server.run('jobs', '--limit', 1, '--output', 'json'))
        job = listed['name'].removeprefix('jobs/')
        self.assertIn('[0]', self.server.run('logs', job, '-f'))
        self.assertNotIn('[0]', self.server.run('logs', job, '--rank', 0))
        self.assertIn('mAP', self.server.run('report', job))
        self.assertIn('succeeded', self.server.run('wait', job))
        self.assertIn('succeeded', self.server.run('jobs', '--state', 'succeeded'))

    def test_every_rank_tells_where_its_time_went(self):
        job = self.server.submit(self.job(steps=FOREVER))
        self.server.await_step(job, 30)
        ranks = harness.wait_until(lambda: [r for r in [self.server.job(job)['ranks']]
                                            if all(int(rank['times']['steps']) > 0 for rank in r)],
                                   30, 'times of both ranks')[0]
        self.assertEqual([rank['rank'] for rank in ranks], [0, 1])
        for rank in ranks:
            self.assertEqual(rank['host'], 'localhost')
            self.assertEqual(rank['phase'], 'PHASE_STEP')
            self.assertGreater(rank['times']['compute_seconds'], 0)
            self.assertGreater(rank['times']['collective_wait_seconds'], 0)
            self.assertTrue(rank['last_message_time'])
        self.end(job)
        self.assertEqual(self.server.job(job)['ranks'], [])

    def test_a_paused_job_goes_on_to_the_same_model(self):
        file = self.job(steps=60, checkpoint=20)
        whole = self.server.submit(file)
        self.server.run('wait', whole)
        job = self.server.submit(file)
        self.server.await_step(job, 5)
        self.server.run('pause', job)
        self.server.await_state(job, 'PAUSED')
        paused = self.server.job(job)
        self.assertGreaterEqual(int(paused['checkpoint_step']), 5)
        self.assertIn('0', self.server.run('hosts').splitlines()[-1].split())
        self.server.run('resume', job)
        self.server.run('wait', job)
        self.assertEqual(self.server.digest(job), self.server.digest(whole))
        self.assertEqual(self.server.states(job),
                         ['QUEUED', 'STARTING', 'RUNNING', 'STOPPING', 'PAUSED', 'QUEUED', 'STARTING',
                          'RUNNING', 'SUCCEEDED'])

    def test_a_cancelled_job_ends_with_one(self):
        job = self.server.submit(self.job(steps=FOREVER))
        self.server.await_step(job, 1)
        waiting = self.server.submit(self.job(steps=FOREVER))
        self.assertIn('waits', self.server.run('job', waiting))
        self.assertIn('has not ended',
                      self.refused(5, 'wait', waiting, '--timeout', 1))
        self.end(waiting)
        self.end(job)
        self.refused(1, 'wait', job)
        self.refused(6, 'pause', job)
        self.assertIn('run_started', self.server.run('logs', job, '--rank', 1))
        self.assertIn('run_stopped', self.server.run('logs', job))
        self.assert_nothing_left(self.server.folder / 'runs' / job)

    def test_faults_are_explained(self):
        self.assertIn('nobody', self.refused(3, 'job', 'nobody'))
        stderr = self.refused(2, 'submit', self.job(ranks=3))
        self.assertIn('resources.ranks', stderr)
        self.assertIn('localhost 2', stderr)
        outside = self.job()
        outside.write_text(outside.read_text().replace('train = "train"', 'train = "/etc"'))
        self.assertIn('data.train', self.refused(2, 'submit', outside))
        result = harness.run('jobs', '--server', '127.0.0.1:1', timeout=60,
                             env={'LTML_CONFIG': str(self.server.folder / 'client.toml')})
        self.assertEqual(result.returncode, 5, result.stderr)
        self.assertIn('127.0.0.1:1', result.stderr)

    def test_the_same_request_id_is_the_same_job(self):
        file = self.job(steps=FOREVER)
        first = self.server.submit(file, '--request-id', 'again')
        self.assertEqual(self.server.submit(file, '--request-id', 'again'), first)
        self.refused(6, 'submit', file, '--request-id', 'again', '--set', 'schedule.steps=12')
        self.end(first)

    def test_a_viewer_sees_and_changes_nothing(self):
        other = service.Server(self.folder / 'viewers', self.folder)
        subprocess.run([service.LTMLD, 'user', str(other.folder), 'vera', '--role', 'viewer',
                        '--token'], check=True, capture_output=True)
        other.config = service.tomllib.loads((other.folder / 'ltmld.toml').read_text())
        other.start()
        self.addCleanup(other.stop)
        config = other.folder / 'users/vera/client.toml'
        config.write_text(config.read_text().replace('127.0.0.1:0', other.config['listen']))
        as_vera = {'LTML_CONFIG': str(config)}
        self.assertEqual(harness.run('jobs', env=as_vera).returncode, 0)
        denied = harness.run('submit', self.job(), env=as_vera)
        self.assertEqual(denied.returncode, 4, denied.stderr)
        self.assertIn('viewer', denied.stderr)
        audit = (other.folder / 'store/audit.jsonl').read_text().splitlines()
        last = json.loads(audit[-1])
        self.assertEqual((last['user'], last['method'], last['result']),
                         ('vera', 'JobService.Submit', 'PERMISSION_DENIED'))

    def test_a_second_server_is_refused(self):
        second = subprocess.run([service.LTMLD, 'run', str(self.server.folder)],
                                capture_output=True, text=True, timeout=60)
        self.assertEqual(second.returncode, 6, second.stderr)
        other = service.Server(self.folder / 'second', self.folder)
        other.config['listen'] = self.server.config['listen']
        (other.folder / 'ltmld.toml').write_text(service.toml(other.config))
        taken = subprocess.run([service.LTMLD, 'run', str(other.folder)], capture_output=True,
                               text=True, timeout=60)
        self.assertEqual(taken.returncode, 5, taken.stderr)
        self.assertIn(other.config['listen'], taken.stderr)


class Killed(WithServer):
    """kill -9 of the server in each state of a job: the job reaches its end, once, and the same."""

    def undisturbed(self, steps):
        run_folder = self.folder / f'alone-{steps}'
        if not run_folder.exists():
            self.train(self.job(steps=steps, checkpoint=20), run_folder)
        return self.report(run_folder)['model_digest']

    def restart(self):
        self.server.kill()
        self.server.start()

    def finished(self, job, steps, attempts=1):
        self.server.run('wait', job)
        self.assertEqual(self.server.digest(job), self.undisturbed(steps))
        self.assertEqual(len(self.server.job(job)['attempts']), attempts)
        self.assertEqual(self.server.states(job).count('SUCCEEDED'), 1)
        self.assert_nothing_left(self.server.folder / 'runs' / job)

    def test_while_running(self):
        job = self.server.submit(self.job(steps=80, checkpoint=20))
        for step in (5, 25, 45):
            self.server.await_step(job, step)
            self.restart()
        self.finished(job, 80)
        steps = [json.loads(line)['step'] for line in
                 (self.server.folder / 'runs' / job / 'metrics.jsonl').read_text().splitlines()]
        self.assertEqual(steps, sorted(set(steps)), 'no step is repeated')

    def test_while_queued(self):
        first = self.server.submit(self.job(steps=FOREVER))
        self.server.await_step(first, 1)
        job = self.server.submit(self.job(steps=40, checkpoint=20))
        self.restart()
        self.assertEqual(self.server.state(job), 'QUEUED')
        self.server.run('cancel', first)
        self.finished(job, 40)

    def test_while_starting(self):
        for _ in range(5):
            # Killed between the record of an attempt and its supervisor, it takes another attempt,
            # which costs none of its restarts.
            job = self.server.submit(self.job(steps=40, checkpoint=20,
                                              text='\n[queue]\ncluster_restarts = 0\n'))
            self.restart()
            self.server.run('wait', job)
            self.finished(job, 40, len(self.server.job(job)['attempts']))
            self.assertLessEqual(len(self.server.job(job)['attempts']), 2)

    def test_while_stopping(self):
        job = self.server.submit(self.job(steps=FOREVER))
        self.server.await_step(job, 3)
        self.server.run('cancel', job)
        self.restart()
        self.server.await_state(job, 'CANCELLED')
        self.assert_nothing_left(self.server.folder / 'runs' / job)
        job = self.server.submit(self.job(steps=60, checkpoint=20))
        self.server.await_step(job, 3)
        self.server.run('pause', job)
        self.restart()
        self.server.await_state(job, 'PAUSED')
        self.server.run('resume', job)
        self.finished(job, 60, 2)

    def test_while_recovering(self):
        job = self.server.submit(self.job(steps=60, checkpoint=20))
        self.server.await_step(job, 25)
        worker = [pid for pid, command in
                  harness.processes_with(str(self.server.folder / 'runs' / job))
                  if 'ltml-worker' in command.split(' ')[0]][0]
        harness.kill(worker)
        # The only host rests after a loss, so the job waits.
        self.server.await_state(job, 'RECOVERING')
        self.restart()
        self.finished(job, 60, 2)
        self.assertEqual(self.server.states(job).count('RECOVERING'), 1)

    def test_while_paused(self):
        job = self.server.submit(self.job(steps=60, checkpoint=20))
        self.server.await_step(job, 3)
        self.server.run('pause', job)
        self.server.await_state(job, 'PAUSED')
        self.restart()
        self.assertEqual(self.server.state(job), 'PAUSED')
        self.server.run('resume', job)
        self.finished(job, 60, 2)

    def test_longer_than_a_lease(self):
        job = self.server.submit(self.job(steps=400, checkpoint=20), '--set', 'limits.lease=2s')
        self.server.await_step(job, 25)
        self.server.kill()
        folder = self.server.folder / 'runs' / job
        self.assert_nothing_left(folder)
        self.server.start()
        self.finished(job, 400, 2)


if __name__ == '__main__':
    unittest.main()
