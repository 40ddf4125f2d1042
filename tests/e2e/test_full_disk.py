"""A store on a disk that fills up: a small tmpfs."""
import errno
import os
import subprocess
import unittest

import grpc

import client_case
import harness
import service_client

SIZE = 8 << 20


class FullDisk(client_case.WithClient):
    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise unittest.SkipTest('mounting a small disk needs root')
        super().setUpClass()

    @classmethod
    def change(cls, config):
        disk = cls.folder / 'disk'
        disk.mkdir()
        subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={SIZE}', 'tmpfs', disk], check=True)
        cls.addClassCleanup(subprocess.run, ['umount', '--lazy', disk], check=True)
        config['paths']['store'] = str(disk / 'store')

    @property
    def filler(self):
        return self.folder / 'disk/filler'

    def fill(self, leave=0):
        """Takes all space of the disk but for `leave` bytes."""
        self.addCleanup(self.make_room)
        with open(self.filler, 'wb', buffering=0) as file:
            try:
                while True:
                    file.write(bytes(1 << 16))
            except OSError as error:
                self.assertEqual(error.errno, errno.ENOSPC)
            file.truncate(max(file.tell() - leave, 0))

    def make_room(self):
        self.filler.unlink(missing_ok=True)

    def drained(self):
        pool = self.stubs.pool_service
        self.client.pool.Drain(pool.DrainRequest(host='localhost'), timeout=20)
        self.addCleanup(lambda: self.client.pool.Undrain(pool.UndrainRequest(host='localhost'),
                                                         timeout=20))

    def start_again(self):
        self.client.close()
        self.server.start()
        type(self).client = service_client.Client(self.stubs, self.server.folder / 'client.toml')

    def try_submit(self):
        """(the job's name, None) or (None, the error)."""
        try:
            return self.submit().name, None
        except grpc.RpcError as error:
            return None, error

    def try_cancel(self, name):
        try:
            self.client.jobs.Cancel(self.request('CancelRequest', name=name), timeout=20)
        except grpc.RpcError as error:
            self.check_told(error)
            return False
        return True

    def check_states(self, names, cancelled):
        """What was acknowledged has happened, and nothing else."""
        states = self.stubs.job_service
        for name in names:
            job = self.client.jobs.Get(self.request('GetJobRequest', name=name), timeout=20)
            self.assertEqual(job.state, states.JOB_STATE_CANCELLED if name in cancelled
                             else states.JOB_STATE_QUEUED)

    def listed(self):
        request = self.request('ListJobsRequest', page_size=1000)
        return {job.name for job in self.client.jobs.List(request, timeout=20).jobs}

    def check_told(self, error):
        self.assertEqual(error.code(), grpc.StatusCode.UNAVAILABLE, error)
        self.assertIn('full', error.details())

    def test_jobs_are_neither_lost_nor_acknowledged_falsely(self):
        self.drained()
        before = self.listed()
        self.fill(leave=1 << 20)
        acknowledged, refusals = set(), []
        while len(refusals) < 20:
            name, error = self.try_submit()
            if error is None:
                acknowledged.add(name)
            else:
                refusals.append(error)
            self.assertLess(len(acknowledged), 2000, 'the disk does not fill up')
        for error in refusals:
            self.check_told(error)
        self.assertGreater(len(acknowledged), 10)
        self.assertEqual(self.listed() - before, acknowledged)
        cancelled = {name for name in acknowledged if self.try_cancel(name)}
        self.check_states(acknowledged, cancelled)
        self.make_room()
        later = harness.wait_until(lambda: self.try_submit()[0], 20, 'a submit after there is room')
        self.server.kill()
        self.start_again()
        self.assertEqual(self.listed() - before, acknowledged | {later})
        self.check_states(acknowledged | {later}, cancelled)
        for name in (acknowledged | {later}) - cancelled:
            self.assertTrue(self.try_cancel(name))

    def test_a_running_job_waits_for_room_and_goes_on(self):
        steps = 400
        alone = self.folder / 'alone'
        self.train(self.job(steps=steps), alone)
        job = self.server.submit(self.job(steps=steps))
        self.server.await_step(job, 20)
        self.fill()
        harness.wait_until(lambda: any('journal_failed' in line for line in self.server.lines), 30,
                           'the journal of the job is refused')
        # Ranks train what they have been granted, and wait.
        stopped = int(self.server.job(job)['step'])
        self.assertLess(stopped, steps - 20)
        self.make_room()
        self.server.run('wait', job)
        self.assertEqual(self.server.digest(job), self.report(alone)['model_digest'])
        self.assertEqual(len(self.server.job(job)['attempts']), 1)

    def test_a_server_that_cannot_start_says_why(self):
        self.server.stop()
        self.fill()
        self.server.spawn()
        code = self.server.process.wait(60)
        self.assertEqual(code, 5, self.server.lines)
        last = self.server.lines[-1]
        self.assertIn(self.server.config['paths']['store'], last)
        self.assertIn('full', last)
        self.make_room()
        self.start_again()


if __name__ == '__main__':
    unittest.main()
