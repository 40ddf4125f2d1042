"""What a real ltmld says to requests and certificates that it must not take, and that it goes on
afterwards."""
import shutil
import subprocess
import unittest

import grpc

import certificates
import client_case
import harness
import service

Code = grpc.StatusCode
GARBAGE = b'\xff' * 100


def as_is(data):
    return data


class Requests(client_case.WithClient):
    @staticmethod
    def change(config):
        config['limits'] = {'requests_per_second': 1e5, 'streams_per_user': 4}

    def setUp(self):
        self.addCleanup(self.server_answers)

    def server_answers(self):
        self.client.jobs.List(self.request('ListJobsRequest'), timeout=20)

    def told(self, call, code):
        """The message of a refusal."""
        with self.assertRaises(grpc.RpcError) as caught:
            call()
        self.assertEqual(caught.exception.code(), code, caught.exception)
        return caught.exception.details()

    def raw(self, method, data=GARBAGE, **how):
        call = self.client.channel.unary_unary(f'/ltml.v1.{method}', as_is, as_is)
        return lambda: call(data, timeout=20, **how)

    def test_bytes_that_are_no_message(self):
        for method in ('JobService/Submit', 'JobService/List', 'PoolService/Drain',
                       'PoolService/CheckHosts'):
            with self.subTest(method):
                self.assertIn(f'no message of /ltml.v1.{method}',
                              self.told(self.raw(method), Code.INVALID_ARGUMENT))
        stream = self.client.channel.unary_stream('/ltml.v1.JobService/Watch', as_is, as_is)
        self.assertIn('no message of /ltml.v1.JobService/Watch', self.told(
            lambda: list(stream(GARBAGE, timeout=20)), Code.INVALID_ARGUMENT))

    def test_a_message_over_the_limit(self):
        huge = b'\x0a' + b'\xff\xff\xff\x7f' + bytes(65 << 20)
        message = self.told(self.raw('JobService/Submit', huge), Code.RESOURCE_EXHAUSTED)
        self.assertIn(f'{64 << 20}', message, 'the limit is told')

    def test_a_job_over_the_limit(self):
        request = self.stubs.job_service.SubmitRequest(spec=self.spec())
        request.spec.name = 'x' * (2 << 20)
        refusal = self.refused(lambda: self.client.jobs.Submit(request, timeout=20),
                               Code.INVALID_ARGUMENT)
        fields = [v.field for v in refusal['google.rpc.BadRequest'].field_violations]
        self.assertEqual(fields, ['spec'])

    def test_too_much_metadata(self):
        metadata = [(f'x-{number}', 'y' * 1000) for number in range(40)]
        client = self.connect()
        message = self.told(lambda: client.jobs.List(self.request('ListJobsRequest'), timeout=20,
                                                     metadata=metadata), Code.RESOURCE_EXHAUSTED)
        self.assertIn('metadata', message)

    def test_a_request_id_that_is_none_is_replaced(self):
        for value in ('two words', 'x' * 1000, '../../etc'):
            _, call = self.client.jobs.List.with_call(
                self.request('ListJobsRequest'), timeout=20, metadata=[('x-request-id', value)])
            told = dict(tuple(m) for m in call.trailing_metadata())['x-request-id']
            self.assertRegex(told, '^[0-9a-f]{32}$')

    def test_unknown_methods_and_services(self):
        for method in ('JobService/Destroy', 'NoService/List'):
            self.told(self.raw(method, b''), Code.UNIMPLEMENTED)

    def test_too_many_streams(self):
        self.client.pool.Drain(self.stubs.pool_service.DrainRequest(host='localhost'), timeout=20)
        self.addCleanup(self.client.pool.Undrain,
                        self.stubs.pool_service.UndrainRequest(host='localhost'))
        job = self.submit()
        self.addCleanup(self.cancel, job.name)
        watch = self.request('WatchRequest', name=job.name)
        streams = [self.client.jobs.Watch(watch, timeout=60) for _ in range(4)]
        for stream in streams:
            next(stream)
        refusal = self.refused(lambda: next(self.client.jobs.Watch(watch, timeout=60)),
                               Code.RESOURCE_EXHAUSTED)
        self.assertEqual(refusal['google.rpc.ErrorInfo'].reason, 'STREAM_LIMIT')
        for stream in streams:
            stream.cancel()

    def test_an_examination_of_a_host_that_is_not_the_pools(self):
        request = self.stubs.pool_service.CheckHostsRequest(hosts=['nobody'])
        self.refused(lambda: self.client.pool.CheckHosts(request, timeout=20), Code.NOT_FOUND)


class Rate(client_case.WithClient):
    @staticmethod
    def change(config):
        config['limits'] = {'requests_per_second': 2}

    def test_too_many_requests_are_told_when_to_come_back(self):
        def ask():
            for _ in range(20):
                self.client.jobs.List(self.request('ListJobsRequest'), timeout=20)
        refusal = self.refused(ask, Code.RESOURCE_EXHAUSTED)
        self.assertEqual(refusal['google.rpc.ErrorInfo'].reason, 'RATE_LIMIT')
        delay = refusal['google.rpc.RetryInfo'].retry_delay
        self.assertGreater(delay.seconds + delay.nanos, 0)
        result = self.server.command('jobs')
        if result.returncode != 0:
            self.assertIn('try again in', result.stderr)


class Certificates(client_case.WithClient):
    def client_toml(self, certificate=None, authority=None, server=None):
        """A client.toml like the pool's, but for what is given."""
        folder = self.folder / self.id().split('.')[-1]
        folder.mkdir(exist_ok=True)
        pool = self.server.folder
        user = next((pool / 'users').iterdir())
        for source, name in ((user / 'certificate.pem', 'certificate.pem'),
                             (user / 'key.pem', 'key.pem'),
                             (pool / 'tls/authority.pem', 'authority.pem')):
            shutil.copy(source, folder / name)
        if certificate:
            (folder / 'certificate.pem').write_bytes(certificate[0])
            (folder / 'key.pem').write_bytes(certificate[1])
        if authority:
            shutil.copy(authority, folder / 'authority.pem')
        (folder / 'client.toml').write_text(service.toml({
            'server': server or self.server.config['listen'], 'authority': 'authority.pem',
            'certificate': 'certificate.pem', 'key': 'key.pem'}) + '\n')
        return folder / 'client.toml'

    def jobs(self, code, **how):
        result = harness.run('jobs', '--config', self.client_toml(**how), timeout=60)
        self.assertEqual(result.returncode, code, result.stderr)
        return result.stderr

    def foreign(self):
        folder = self.folder / 'foreign'
        if not folder.exists():
            folder.mkdir()
            certificates.make_authority(folder)
        return folder

    def test_a_users_certificate_that_has_ended(self):
        ended = certificates.expired(self.server.folder / 'tls', 'root')
        self.assertIn('the certificate ended at 2020-01-02', self.jobs(6, certificate=ended))
        # A client that does not look is refused by the server.
        client = self.connect(certificate=ended)
        self.refused(lambda: client.jobs.List(self.request('ListJobsRequest'), timeout=20),
                     Code.UNAVAILABLE)

    def test_a_user_of_a_foreign_authority(self):
        foreign = certificates.issue(self.foreign(), 'root', '20200101000000Z', '20991231000000Z')
        message = self.jobs(4, certificate=foreign)
        self.assertIn('closes the connection at this certificate', message)
        client = self.connect(certificate=foreign)
        self.refused(lambda: client.jobs.List(self.request('ListJobsRequest'), timeout=20),
                     Code.UNAVAILABLE)

    def test_a_server_of_a_foreign_authority(self):
        message = self.jobs(6, authority=self.foreign() / 'authority.pem')
        self.assertIn('its certificate cannot be trusted', message)
        self.assertIn(self.server.config['listen'], message)

    def test_a_servers_certificate_that_has_ended(self):
        other = service.Server(self.folder / 'ended', self.folder)
        certificate, key = certificates.expired(other.folder / 'tls', 'ltmld', '127.0.0.1')
        (other.folder / 'tls/server.pem').write_bytes(certificate)
        (other.folder / 'tls/server.key').write_bytes(key)
        refused = subprocess.run([service.LTMLD, 'run', str(other.folder)], capture_output=True,
                                 text=True, timeout=60)
        self.assertEqual(refused.returncode, 6, refused.stderr)
        self.assertIn('the certificate ended at 2020-01-02', refused.stderr)
        self.assertIn('ltmld renew', refused.stderr)
        subprocess.run([service.LTMLD, 'renew', str(other.folder)], check=True, capture_output=True)
        other.start()
        self.addCleanup(other.stop)
        other.run('jobs')

    def test_a_server_whose_certificate_ends_while_it_runs(self):
        # ltmld does not start with such a certificate, so another server shows it.
        certificate, key = certificates.expired(self.server.folder / 'tls', 'ltmld', '127.0.0.1')
        server = grpc.server(None)
        port = server.add_secure_port('127.0.0.1:0',
                                      grpc.ssl_server_credentials([(key, certificate)]))
        server.start()
        self.addCleanup(server.stop, None)
        message = self.jobs(6, server=f'127.0.0.1:{port}')
        self.assertIn('certificate has expired', message)
        self.assertIn(f'127.0.0.1:{port}', message)

    def tearDown(self):
        self.client.jobs.List(self.request('ListJobsRequest'), timeout=20)


if __name__ == '__main__':
    unittest.main()
