"""A client in another language: Python's gRPC with the .proto files alone, against a real ltmld."""
import unittest

import grpc

import client_case
import service_client


class PythonClient(client_case.WithClient):
    def test_a_job_from_submit_to_its_report(self):
        validated = self.client.jobs.Validate(
            self.request('ValidateRequest', spec=self.spec()), timeout=20)
        self.assertEqual(list(validated.violations), [])
        job = self.submit()
        self.assertRegex(job.name, r'^jobs/[A-Za-z0-9]')
        answers = list(self.client.jobs.Watch(self.request('WatchRequest', name=job.name),
                                              timeout=180))
        self.assertEqual(answers[0].job.name, job.name, 'the job comes first')
        events = [a.event for a in answers if a.HasField('event')]
        states = [self.stubs.job_service.JobState.Name(e.state_change.to)[len('JOB_STATE_'):]
                  for e in events if e.HasField('state_change')]
        self.assertEqual(states, ['QUEUED', 'STARTING', 'RUNNING', 'SUCCEEDED'])
        self.assertEqual([e.checkpoint.step for e in events if e.HasField('checkpoint')], [6, 12])
        numbers = [e.sequence for e in events]
        self.assertEqual(numbers, sorted(set(numbers)))
        again = list(self.client.jobs.Watch(
            self.request('WatchRequest', name=job.name, after=numbers[2]), timeout=20))
        self.assertEqual([a.event.sequence for a in again if a.HasField('event')], numbers[3:])
        self.check_logs(job)
        report = self.client.jobs.GetReport(self.request('GetReportRequest', name=job.name),
                                            timeout=20)
        self.assertEqual(report.steps, 12)
        self.assertRegex(report.model_digest, '^[0-9a-f]{64}$')
        self.assert_nothing_left(self.server.folder / 'runs' / job.name.split('/')[1])

    def check_logs(self, job):
        request = self.request('LogsRequest', name=job.name, follow=True)
        chunks = list(self.client.jobs.Logs(request, timeout=20))
        folder = self.server.folder / 'runs' / job.name.split('/')[1] / 'attempts/1'
        self.assertIn(0, {c.rank for c in chunks})
        for rank in {c.rank for c in chunks} - {-1}:
            text = b''.join(c.text for c in chunks if c.rank == rank)
            self.assertEqual(text, (folder / f'rank-{rank}.log').read_bytes())
            self.assertNotEqual(text, b'')
        request.resume_after = chunks[-1].position
        self.assertEqual(list(self.client.jobs.Logs(request, timeout=20)), [])

    def test_a_running_job_is_cancelled_and_has_no_report(self):
        job = self.submit(steps=100000)
        refusal = self.refused(lambda: self.client.jobs.GetReport(
            self.request('GetReportRequest', name=job.name), timeout=20), grpc.StatusCode.NOT_FOUND)
        self.assertIn('google.rpc.PreconditionFailure', refusal)
        self.assertEqual(self.cancel(job.name), self.stubs.job_service.JOB_STATE_CANCELLED)
        again = self.client.jobs.Cancel(self.request('CancelRequest', name=job.name), timeout=20)
        self.assertEqual(again.state, self.stubs.job_service.JOB_STATE_CANCELLED)
        refusal = self.refused(lambda: self.client.jobs.Resume(
            self.request('ResumeRequest', name=job.name), timeout=20),
            grpc.StatusCode.FAILED_PRECONDITION)
        self.assertIn('google.rpc.PreconditionFailure', refusal)

    def test_a_submit_that_is_repeated_is_one_job(self):
        first = self.submit(request_id='py-1', steps=100000)
        self.assertEqual(self.submit(request_id='py-1', steps=100000).name, first.name)
        self.refused(lambda: self.submit(request_id='py-1', steps=100001),
                     grpc.StatusCode.ALREADY_EXISTS)
        self.cancel(first.name)

    def test_lists_come_in_pages(self):
        pool = self.client.pool
        pool.Drain(self.stubs.pool_service.DrainRequest(host='localhost', reason='a test'), timeout=20)
        self.addCleanup(pool.Undrain, self.stubs.pool_service.UndrainRequest(host='localhost'))
        names = [self.submit().name for _ in range(5)]
        self.addCleanup(lambda: [self.cancel(name) for name in names])
        request = self.request('ListJobsRequest', page_size=2,
                               states=[self.stubs.job_service.JOB_STATE_QUEUED])
        listed, pages = [], 0
        while True:
            answer = self.client.jobs.List(request, timeout=20)
            listed += [job.name for job in answer.jobs]
            pages += 1
            if not answer.next_page_token:
                break
            request.page_token = answer.next_page_token
        self.assertEqual(listed, names[::-1])
        self.assertEqual(pages, 3)
        request.page_token = 'not a token'
        refusal = self.refused(lambda: self.client.jobs.List(request, timeout=20),
                               grpc.StatusCode.INVALID_ARGUMENT)
        self.assertEqual(
            [v.field for v in refusal['google.rpc.BadRequest'].field_violations], ['page_token'])

    def test_bad_requests_are_explained(self):
        get = self.request('GetJobRequest', name='jobs/..')
        refusal = self.refused(lambda: self.client.jobs.Get(get, timeout=20),
                               grpc.StatusCode.INVALID_ARGUMENT)
        self.assertEqual([v.field for v in refusal['google.rpc.BadRequest'].field_violations],
                         ['name'])
        self.assertEqual(refusal['google.rpc.ErrorInfo'].domain, 'ltml')
        spec = self.spec()
        spec.resources.ranks = 5000
        refusal = self.refused(lambda: self.client.jobs.Submit(
            self.request('SubmitRequest', spec=spec), timeout=20), grpc.StatusCode.INVALID_ARGUMENT)
        self.assertIn('resources.ranks',
                      [v.field for v in refusal['google.rpc.BadRequest'].field_violations])

    def test_a_request_id_comes_back(self):
        _, call = self.client.jobs.List.with_call(
            self.request('ListJobsRequest'), timeout=20, metadata=[('x-request-id', 'mine-7')])
        self.assertIn(('x-request-id', 'mine-7'), [tuple(m) for m in call.trailing_metadata()])

    def test_health_and_reflection(self):
        self.assertEqual(service_client.health(self.client), 1)
        services = service_client.reflected_services(self.client)
        for name in ('ltml.v1.JobService', 'ltml.v1.PoolService', 'grpc.health.v1.Health'):
            self.assertIn(name, services)

    def test_only_users_are_let_in(self):
        def list_jobs(client):
            return client.jobs.List(self.request('ListJobsRequest'), timeout=20,
                                    metadata=client.metadata)
        self.refused(lambda: list_jobs(self.connect(certificate=())),
                     grpc.StatusCode.UNAUTHENTICATED)
        self.refused(lambda: list_jobs(self.connect(token='wrong')),
                     grpc.StatusCode.UNAUTHENTICATED)


if __name__ == '__main__':
    unittest.main()
