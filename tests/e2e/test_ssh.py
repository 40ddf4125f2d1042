"""A real ltmld whose launch agent is ssh, with a real sshd."""
import json
import unittest

import harness
import hosts
import sshd
from service import Server


class Ssh(harness.WithData):
    @classmethod
    def setUpClass(cls):
        if sshd.missing():
            raise unittest.SkipTest(sshd.missing())
        super().setUpClass()
        # An address of this machine beside loopback, as hosts elsewhere need one.
        network = hosts.Hosts(cls.folder, 0)
        cls.addClassCleanup(network.remove)

    def setUp(self):
        name = self.id().split('.')[-1]
        keys = self.folder / f'{name}-ssh'
        keys.mkdir(mode=0o700)
        self.sshd = sshd.Sshd(keys)
        self.addCleanup(self.sshd.close)
        self.service = Server(self.folder / name, self.folder, listen=hosts.SERVER,
                              agent=self.sshd.agent,
                              hosts=[('here', 'localhost', 1), ('there', sshd.ADDRESS, 1)])
        self.addCleanup(self.service.stop)
        self.service.start()

    def test_a_job_spans_this_machine_and_one_behind_ssh(self):
        job = self.service.submit(self.job(steps=8, ranks=2))
        self.service.run('wait', job, timeout=300)
        attempt = self.service.job(job)['attempts'][-1]
        self.assertEqual(sorted(p['host'] for p in attempt['placements']), ['here', 'there'])
        self.assertIn('Accepted publickey', (self.sshd.folder / 'sshd.log').read_text())
        run = self.folder / 'alone'
        self.train(self.job(steps=8, ranks=2), run)
        self.assertEqual(self.service.digest(job), self.report(run)['model_digest'])
        self.assert_service_left_nothing(self.service)

    def test_a_running_job_is_cancelled_behind_ssh_too(self):
        job = self.service.submit(self.job(steps=100000, ranks=2))
        self.service.await_step(job, 2)
        self.service.run('cancel', job)
        self.service.await_state(job, 'CANCELLED')
        self.assert_service_left_nothing(self.service)

    def test_a_host_that_lets_nobody_in(self):
        self.sshd.lock_out()
        found = [json.loads(line) for line in
                 self.service.command('doctor', '--output', 'json').stdout.splitlines()]
        told = [f for f in found if f['host'] == 'there' and f['grade'] == 'GRADE_FAULT']
        self.assertEqual([f['subject'] for f in told], ['agent'], found)
        self.assertIn('Permission denied', told[0]['text'])
        self.assertIn(f'-- {sshd.ADDRESS} true', told[0]['cure'])
        job = self.service.submit(self.job(steps=8, ranks=2,
                                           text='\n[queue]\ncluster_restarts = 0\n'))
        self.service.await_state(job, 'FAILED')
        failure = self.service.job(job)['failure']
        self.assertEqual(failure['cause'], 'FAILURE_CAUSE_LAUNCH')
        self.assertIn('Permission denied', failure['message'])
        self.assert_service_left_nothing(self.service)


if __name__ == '__main__':
    unittest.main()
