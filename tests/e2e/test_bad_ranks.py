"""Sessions of ranks that a real ltmld must not believe.  Nothing trains: Python speaks for the ranks."""
import json
import os
import queue
import threading
import unittest
import unittest.mock

import grpc

import client_case
import harness

Code = grpc.StatusCode
WORKER = '''#!/bin/sh
# A rank that says nothing: the test speaks for it.
echo "$LTML_TOKEN" > "$(dirname "$1")/token"
exec sleep 600
'''
DEADLINE = 20


class Session:
    """One rank's stream; what comes down is in `received`, and in the end the status."""

    def __init__(self, method):
        self.outgoing, self.incoming = queue.Queue(), queue.Queue()
        self.call = method(iter(self.outgoing.get, None), timeout=120)
        self.code = self.reason = None
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        try:
            for message in self.call:
                self.incoming.put(message)
        except grpc.RpcError:
            pass
        self.code, self.reason = self.call.code(), self.call.details()
        self.incoming.put(None)

    def send(self, message):
        self.outgoing.put(message)

    def next(self):
        """The next message; None at the end."""
        return self.incoming.get(timeout=DEADLINE)

    def await_kind(self, kind):
        while True:
            message = self.next()
            if message is None:
                raise AssertionError(f'the session ended before a {kind}: {self.code} {self.reason}')
            if message.WhichOneof('kind') == kind:
                return message

    def await_end(self):
        while self.next() is not None:
            pass
        return self.code, self.reason

    def close(self):
        self.outgoing.put(None)
        self.call.cancel()
        self.reader.join(DEADLINE)


class BadRanks(client_case.WithClient):
    @classmethod
    def setUpClass(cls):
        cls.worker = unittest.mock.patch.dict(os.environ)
        cls.worker.start()
        cls.addClassCleanup(cls.worker.stop)
        folder = harness.tempfile.mkdtemp(prefix='ltml-worker-')
        cls.addClassCleanup(harness.shutil.rmtree, folder)
        worker = harness.pathlib.Path(folder) / 'worker'
        worker.write_text(WORKER)
        worker.chmod(0o755)
        os.environ['LTML_WORKER'] = str(worker)
        super().setUpClass()

    def setUp(self):
        self.messages = self.stubs.worker_service
        self.worker_stub = self.stubs.worker_grpc.WorkerServiceStub(self.client.channel)
        spec = self.spec(steps=1000)
        spec.limits.stop.seconds = 1
        self.name = self.client.jobs.Submit(self.request('SubmitRequest', spec=spec), timeout=20).name
        self.addCleanup(self.end)
        attempt = self.server.folder / 'runs' / self.name.split('/')[1] / 'attempts/1'
        self.token = harness.wait_until(
            lambda: (attempt / 'token').exists() and (attempt / 'token').read_text().strip(), 30,
            'the token of the attempt')
        self.task = json.loads((attempt / 'task.json').read_text())

    def end(self):
        if self.job().state != self.stubs.job_service.JOB_STATE_FAILED:
            self.cancel(self.name)

    def session(self, method=None):
        session = Session(method or self.worker_stub.Session)
        self.addCleanup(session.close)
        return session

    def hello(self, rank=0, epoch=1, **fields):
        hello = {'rank': rank, 'world_size': 2, 'host': 'here', 'process_id': 1000 + rank,
                 'token': self.token, 'job_id': self.task['job_id'], **fields}
        return self.messages.WorkerMessage(attempt_epoch=epoch, hello=self.messages.Hello(**hello))

    def rank(self, rank=0, **fields):
        """A session that the server has taken in."""
        session = self.session()
        session.send(self.hello(rank, **fields))
        session.await_kind('keep_alive')
        return session

    def sums(self, classes=None, count=0):
        sums = self.messages.ltml_dot_v1_dot_statistics__pb2.WindowSums()
        if classes is None:
            classes = int(self.task['classes'])
        moments = sums.uniform_positive
        for numbers, value in ((moments.n, count), (moments.sum_q, 3 * count),
                               (moments.sum_q2, 9 * count)):
            numbers.extend([value] + [0] * (classes - 1))
        return sums

    def report(self, window, **sums):
        return self.messages.WorkerMessage(attempt_epoch=1, window_report=self.messages.WindowReport(
            window=window, sums=self.sums(**sums)))

    def job(self):
        return self.client.jobs.Get(self.request('GetJobRequest', name=self.name), timeout=20)

    def refused_session(self, message, *words):
        session = self.session()
        session.send(message)
        refusal = session.await_kind('refusal').refusal.reason
        code, reason = session.await_end()
        self.assertEqual(code, Code.ABORTED)
        self.assertEqual(reason, refusal)
        for word in words:
            self.assertIn(word, refusal)

    def protocol_failure(self, *words):
        """The job ends for good, with the reason."""
        failed = self.stubs.job_service.JOB_STATE_FAILED
        harness.wait_until(lambda: self.job().state == failed, 60, 'the end of the job')
        failure = self.job().failure
        self.assertEqual(failure.cause, self.messages.FAILURE_CAUSE_PROTOCOL, failure)
        for word in words:
            self.assertIn(word, failure.message)
        self.assertEqual(len(self.job().attempts), 1, 'it would only come again')

    def test_hellos_that_are_refused_cost_the_job_nothing(self):
        self.refused_session(self.hello(token='guessed'), 'rank 0 on here has a wrong token')
        self.refused_session(self.hello(token=''), 'wrong token')
        self.refused_session(self.hello(epoch=7), 'attempt epoch 7', 'the running one is 1')
        self.refused_session(self.hello(rank=2), 'this attempt has 2 ranks')
        self.refused_session(self.hello(rank=-1), 'this attempt has 2 ranks')
        self.refused_session(self.hello(world_size=3), 'this attempt has 2 ranks')
        self.refused_session(self.hello(job_id='nobody'), "job 'nobody' has no running attempt")
        self.refused_session(self.hello(host='x' * 1000), 'more than 512 bytes')
        self.refused_session(self.report(0), 'not a hello')
        self.refused_session(self.messages.WorkerMessage(attempt_epoch=1), 'not a hello')
        self.rank(0)
        self.rank(1)
        running = self.stubs.job_service.JOB_STATE_RUNNING
        harness.wait_until(lambda: self.job().state == running, 30, 'the job runs')

    def test_a_rank_that_another_process_holds(self):
        first = self.rank(0)
        self.refused_session(self.hello(process_id=999),
                             'rank 0 on here (process 999) repeats the rank of process 1000')
        self.refused_session(self.hello(host='elsewhere'), 'repeats the rank of process 1000 on here')
        first.send(self.report(0))
        first.await_kind('keep_alive')

    def test_a_hello_that_is_replayed_by_the_same_process_takes_the_rank_along(self):
        first = self.rank(0)
        second = self.rank(0)
        self.assertEqual(first.await_end(), (Code.ABORTED, 'the rank has another session'))
        second.await_kind('grant')

    def test_a_session_without_a_hello_is_ended(self):
        session = self.session()
        self.assertEqual(session.await_end(), (Code.DEADLINE_EXCEEDED, 'no hello within 10 s'))

    def test_garbage_ends_a_session_and_nothing_else(self):
        raw = self.client.channel.stream_stream('/ltml.v1.WorkerService/Session', lambda data: data,
                                                self.messages.CoordinatorMessage.FromString)
        stranger = self.session(raw)
        stranger.send(b'\xff' * 1000)
        code, _ = stranger.await_end()
        self.assertNotEqual(code, Code.OK)
        known = self.session(raw)
        known.send(self.hello().SerializeToString())
        known.await_kind('keep_alive')
        known.send(b'\xff' * 1000)
        known.await_end()
        self.rank(0).await_kind('grant')
        self.assertFalse(self.job().HasField('failure'))

    def test_messages_of_another_epoch_end_the_session(self):
        session = self.rank(0)
        session.send(self.messages.WorkerMessage(attempt_epoch=2, progress=self.messages.Progress()))
        self.assertIn('attempt epoch 2 in epoch 1', session.await_kind('refusal').refusal.reason)
        self.assertFalse(self.job().HasField('failure'))

    def test_a_window_out_of_order(self):
        self.rank(0).send(self.report(1))
        self.protocol_failure('rank 0 sent sums of window 1, expected window 0')

    def test_a_window_that_nobody_granted(self):
        session = self.rank(0)
        for window in (0, 1, 2):
            session.send(self.report(window))
        self.protocol_failure('sums of window 2', 'granted: up to 1')

    def test_a_report_that_contradicts_the_one_before(self):
        session = self.rank(0)
        session.send(self.report(0, count=1))
        session.send(self.report(0, count=1))
        session.send(self.report(0, count=2))
        self.protocol_failure('rank 0 reported window 0 again with different sums')

    def test_a_report_that_contradicts_one_that_is_folded(self):
        ranks = [self.rank(0), self.rank(1)]
        for session in ranks:
            session.send(self.report(0, count=1))
        for session in ranks:
            while session.await_kind('grant').grant.window < 2:
                pass
        ranks[1].send(self.report(0, count=1))
        self.assertEqual(ranks[1].await_kind('grant').grant.window, 2, 'an equal one is answered')
        ranks[1].send(self.report(0, count=2))
        self.protocol_failure('rank 1 reported window 0 again with different sums')

    def test_sums_of_another_number_of_classes(self):
        self.rank(0).send(self.report(0, classes=3))
        self.protocol_failure('3')

    def test_sums_that_are_impossible(self):
        message = self.report(0)
        message.window_report.sums.uniform_positive.n[0] = -1
        self.rank(0).send(message)
        self.protocol_failure('rank 0')

    def test_a_second_hello_in_a_session(self):
        session = self.rank(0)
        session.send(self.hello())
        self.protocol_failure('rank 0 sent a second hello')

    def test_a_checkpoint_of_a_rank_that_writes_none(self):
        self.rank(0)
        ready = self.messages.CheckpointReady(step=4)
        self.rank(1).send(self.messages.WorkerMessage(attempt_epoch=1, checkpoint_ready=ready))
        self.protocol_failure('rank 1 has a checkpoint of step 4 ready')


if __name__ == '__main__':
    unittest.main()
