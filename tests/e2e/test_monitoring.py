"""What ltmld serves over HTTP, from outside: metrics, pages, health; who may see them; the log."""
import base64
import http.client
import json
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time
import unittest

import harness
import service

FOREVER = 100000
# Names that break what does not escape: markup, quotes of a label, a line's end, a terminal's escape.
HOSTILE = ['<script>alert(1)</script>', 'a"} 1 ltml_fake{x="', "'; drop\\", '--></table>', '${x}`%s']
NOT_PRINTABLE = '\nltml_fake 7\n\x1b[31mred\u202egnp'


def get(address, path, method='GET', headers=None, context=None):
    """(status, headers, body) of one request."""
    host, port = address.rsplit(':', 1)
    connection = (http.client.HTTPSConnection(host, int(port), timeout=20, context=context) if context
                  else http.client.HTTPConnection(host, int(port), timeout=20))
    try:
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


def series(text):
    """Samples of Prometheus' text format: {'name{labels}': value}."""
    return {line.rsplit(' ', 1)[0]: float(line.rsplit(' ', 1)[1])
            for line in text.splitlines() if not line.startswith('#')}


class Monitoring(harness.WithData):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = service.Server(cls.folder / 'server', cls.folder, slots=2, change=cls.change)
        cls.server.start()
        cls.addClassCleanup(cls.server.stop)

    @staticmethod
    def change(config):
        config['monitoring'] = {'grace': '4s'}

    def get(self, path, **options):
        return get(self.server.http, path, **options)

    def page(self, path):
        status, headers, body = self.get(path)
        self.assertEqual(status, 200, body[:500])
        self.assertEqual(headers['Content-Type'], 'text/html; charset=utf-8')
        return body

    def metrics(self):
        status, _, body = self.get('/metrics')
        self.assertEqual(status, 200, body[:500])
        return body

    def submit(self, file, *arguments):
        """A job that is gone when the test ends, however it ends."""
        job = self.server.submit(file, *arguments)
        self.addCleanup(self.end, job)
        return job

    def end(self, job):
        if self.server.command('cancel', job).returncode == 0:
            self.server.await_state(job, 'CANCELLED')

    def test_metrics_of_a_job_come_move_and_go(self):
        job = self.submit(self.job(steps=FOREVER, checkpoint=10,
                                   text='[monitoring]\ntop_classes = 3\n'))
        self.server.await_step(job, 30)
        first = series(self.metrics())
        check = subprocess.run([shutil.which('promtool'), 'check', 'metrics'], input=self.metrics(),
                               capture_output=True, text=True, timeout=60)
        self.assertEqual((check.returncode, check.stdout, check.stderr), (0, '', ''))
        labels = f'{{job="{job}"}}'
        self.assertGreaterEqual(first['ltml_job_step' + labels], 30)
        self.assertEqual(first['ltml_job_steps' + labels], FOREVER)
        self.assertEqual(first[f'ltml_job_state{{job="{job}",state="running"}}'], 1)
        self.assertEqual(first['ltml_jobs{state="running"}'], 1)
        self.assertEqual(first['ltml_host_slots_used{host="localhost"}'], 2)
        self.assertGreater(first['ltml_store_commit_duration_seconds_count'], 0)
        self.assertGreater(
            first['grpc_server_handled_total{grpc_service="ltml.v1.JobService",grpc_method="Submit",'
                  'grpc_code="OK"}'], 0)

        def moved():
            now = series(self.metrics())
            timed = now.get(f'ltml_job_compute_seconds_total{{job="{job}",rank="1"}}', 0) > 0
            return [now] if timed and now['ltml_job_step' + labels] > first['ltml_job_step' + labels] else None
        now = harness.wait_until(moved, 30, 'the step moves')[0]
        self.assertGreater(now['ltml_job_step_duration_seconds_count' + labels], 0)
        for rank in '01':
            of_rank = f'{{job="{job}",rank="{rank}"}}'
            self.assertGreater(now['ltml_job_compute_seconds_total' + of_rank], 0)
            self.assertAlmostEqual(now['ltml_rank_last_message_timestamp_seconds' + of_rank],
                                   time.time(), delta=30)
        self.assertAlmostEqual(now['ltml_job_checkpoint_last_success_timestamp_seconds' + labels],
                               time.time(), delta=60)
        shown = [name for name in now
                 if name.startswith(f'ltml_class_rebalanced_positives_total{{job="{job}",')]
        self.assertTrue(3 <= len(shown) <= 6, shown)
        self.assertGreater(sum(now[name] for name in shown), 0)
        for name in first:
            if '_total' in name and name in now:
                self.assertGreaterEqual(now[name], first[name], name)
        self.end(job)
        self.assertIn(f'job="{job}"', self.metrics())
        harness.wait_until(lambda: f'job="{job}"' not in self.metrics(), 30,
                           'series go when the grace period is over')

    def test_pages_of_a_job_that_trains(self):
        job = self.submit(self.job(steps=FOREVER, checkpoint=10), '--set',
                                 'evaluation.every_steps=10')
        self.server.await_step(job, 40)
        home = self.page('/')
        self.assertIn(f'href="/jobs/{job}"', home)
        self.assertIn('running', home)
        self.assertIn('localhost', home)
        page = harness.wait_until(
            lambda: [p for p in [self.page(f'/jobs/{job}')] if 'id="weakest"' in p], 60,
            'a validation on the page')[0]
        for section in ('top', 'curves', 'tail', 'ranks', 'classes', 'attempts', 'logs'):
            self.assertTrue(f'<section id="{section}"' in page, section)
        for part in ('/live.js', 'http-equiv="refresh"'):
            self.assertTrue(part in page, part)
        status, headers, text = self.get(f'/jobs/{job}/logs/0')
        self.assertEqual((status, headers['Content-Type']), (200, 'text/plain; charset=utf-8'))
        self.assertRegex(text, r'info run_started rank=0 step=0 of=\d+ world_size=2\n')
        self.assertRegex(text, r'info checkpoint_written rank=0 step=10 ')
        orders = {order: re.findall(r'<th scope="row"><bdi>([^<]*)',
                                    self.page(f'/jobs/{job}?classes={order}').split('id="classes-table"')[1])
                  for order in ('rarest', 'weakest', 'name', 'nonsense')}
        self.assertEqual(orders['name'], sorted(orders['name']))
        self.assertNotEqual(orders['rarest'], orders['name'])
        self.assertEqual(orders['rarest'], orders['nonsense'])
        self.end(job)
        self.assertNotIn('/live.js', self.page(f'/jobs/{job}'))

    def test_what_is_asked_wrongly_is_refused(self):
        self.assertEqual(self.get('/healthz')[::2], (200, 'ok\n'))
        self.assertEqual(self.get('/readyz')[::2], (200, 'ready\n'))
        for path in ('/jobs/nobody', '/jobs/', '/jobs/a/b', '/jobs/nobody/logs/0', '/metrics/', '/ltmld.toml',
                     '/../../../../etc/passwd', '/%2e%2e/%2e%2e/etc/passwd', '/jobs/..%2f..%2fetc',
                     '/jobs/nobody/logs/x'):
            self.assertEqual(self.get(path)[0], 404, path)
        self.assertEqual(self.get('/?page=nonsense')[0], 400)
        status, headers, body = self.get('/', method='HEAD')
        self.assertEqual((status, body), (200, ''))
        self.assertGreater(int(headers['Content-Length']), 1000)
        for method in ('POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'):
            status, headers, _ = self.get('/', method=method, headers={
                'Origin': 'http://evil', 'Access-Control-Request-Method': 'GET'})
            self.assertEqual(status, 405, method)
            self.assertEqual(headers['Allow'], 'GET, HEAD')
            self.assertNotIn('Access-Control-Allow-Origin', headers)
        self.assertEqual(self.get('/', headers={'Upgrade': 'websocket', 'Connection': 'Upgrade',
                                                'Sec-WebSocket-Key': 'x', 'Sec-WebSocket-Version': '13'})[0], 200)
        # A name of the web that was made to point to loopback.
        self.assertEqual(self.get('/metrics', headers={'Host': 'evil.example'})[0], 403)
        self.assertEqual(self.get('/metrics', headers={'Host': 'localhost'})[0], 200)
        self.assertGreaterEqual(self.get('/', headers={'X-Long': 'x' * 20000})[0], 400)

    def test_every_answer_forbids_what_pages_do_not_need(self):
        for path, method in (('/', 'GET'), ('/metrics', 'GET'), ('/nowhere', 'GET'), ('/', 'POST')):
            headers = self.get(path, method=method)[1]
            self.assertEqual(headers['X-Content-Type-Options'], 'nosniff')
            self.assertEqual(headers['Referrer-Policy'], 'no-referrer')
            self.assertEqual(headers['Cache-Control'], 'no-store')
            policy = headers['Content-Security-Policy']
            self.assertIn("default-src 'none'", policy)
            self.assertNotIn('unsafe', policy)

    def test_clients_that_stand_still_are_let_go(self):
        host, port = self.server.http.split(':')
        idle = [socket.create_connection((host, int(port)), timeout=30) for _ in range(12)]
        for connection in idle:
            self.addCleanup(connection.close)
            connection.sendall(b'GET / HTTP/1.1\r\nHost: ')
        self.assertEqual(self.get('/healthz')[0], 200)
        start = time.monotonic()
        while idle[0].recv(4096):
            pass
        self.assertLess(time.monotonic() - start, 20)

    def hostile_data(self):
        """The data set with its classes renamed."""
        names = {}
        for part in ('train', 'val'):
            rows = [json.loads(line) for line in
                    (self.folder / f'{part}.jsonl').read_text().splitlines()]
            for row in rows:
                row['labels'] = [names.setdefault(label, f'{HOSTILE[len(names) % len(HOSTILE)]} {len(names)}')
                                 for label in row['labels']]
            (self.folder / f'hostile-{part}.jsonl').write_text(
                ''.join(json.dumps(row) + '\n' for row in rows))
        for part in ('train', 'val'):
            result = harness.run('data', 'import', self.folder / f'hostile-{part}.jsonl',
                                 self.folder / f'hostile-{part}', '--images', harness.PICTURES,
                                 '--resize', 48)
            self.assertEqual(result.returncode, 0, result.stderr)

    def test_hostile_names_break_nothing(self):
        self.hostile_data()
        file = self.job(steps=FOREVER, text='[monitoring]\nper_class = "all"\n')
        text = file.read_text()
        # A job's name is plain, or it is refused; names of classes are what they are.
        for name in [*HOSTILE, NOT_PRINTABLE]:
            file.write_text(text.replace('name = "small"', 'name = ' + json.dumps(name)))
            refused = self.server.command('submit', file)
            self.assertEqual(refused.returncode, 2, name)
            self.assertEqual(re.findall('[\x00-\x09\x0b-\x1f\x7f\u202e]', refused.stderr), [])
        file.write_text(text.replace('"train"', '"hostile-train"').replace('"val"', '"hostile-train"'))
        job = self.submit(file)
        self.server.await_step(job, 8)
        text = self.metrics()
        check = subprocess.run([shutil.which('promtool'), 'check', 'metrics'], input=text,
                               capture_output=True, text=True, timeout=60)
        self.assertEqual((check.returncode, check.stdout), (0, ''), check.stderr)
        self.assertNotIn('\nltml_fake', text)
        classes = json.loads(harness.run('data', 'info', self.folder / 'hostile-train', '--output',
                                         'json').stdout)['classes']
        self.assertEqual(len([n for n in series(text) if n.startswith('ltml_class_train_images')]),
                         len(classes))
        self.assertTrue('&lt;script&gt;alert' in self.page(f'/jobs/{job}'))
        for page in (self.page('/'), self.page(f'/jobs/{job}')):
            self.assertFalse('<script>alert' in page)
            self.assertEqual(re.findall('[\x00-\x09\x0b-\x1f\x7f\u202e]', page), [])
        self.end(job)
        for line in self.server.lines:
            self.assertRegex(line, r'^\d{4}-\d\d-\d\dT[\d:.]+Z (debug|info|warning|error) \S+')
            self.assertEqual(re.findall('[\x00-\x09\x0b-\x1f\x7f\u202e]', line), [])

    def test_the_level_of_the_log_changes_while_it_runs(self):
        def heard(event):
            return [line for line in self.server.lines if f' {event} ' in line]

        def change(level):
            self.server.config['log'] = {'level': level}
            self.server._write('ltmld.toml', self.server.config)
            count = len(heard('log_level_read')) + len(heard('configuration_refused'))
            self.server.process.send_signal(signal.SIGHUP)
            harness.wait_until(lambda: len(heard('log_level_read')) + len(heard('configuration_refused'))
                               > count, 10, f'level {level}')
        self.get('/healthz')
        self.assertEqual(heard('http_request'), [])
        change('debug')
        self.get('/healthz?secret=1')
        line = harness.wait_until(lambda: heard('http_request'), 10, 'a request in the log')[0]
        self.assertIn('method=GET path=/healthz status=200', line)
        self.assertNotIn('secret', line)
        change('loud')
        self.assertIn('log.level', heard('configuration_refused')[0])
        self.assertEqual(self.get('/readyz')[0], 200)
        change('info')
        count = len(heard('http_request'))
        self.get('/healthz')
        time.sleep(0.3)
        self.assertEqual(len(heard('http_request')), count)


class OffLoopback(harness.WithData):
    """HTTPS, for users with a token."""

    def start(self, change):
        server = service.Server(self.folder / self.id().split('.')[-1], self.folder)
        added = subprocess.run([service.LTMLD, 'user', str(server.folder), 'vera', '--role', 'viewer',
                                '--token'], capture_output=True, text=True, timeout=60)
        self.assertEqual(added.returncode, 0, added.stderr)
        server.config = service.tomllib.loads((server.folder / 'ltmld.toml').read_text())
        change(server.config)
        server._write('ltmld.toml', server.config)
        return server

    def test_a_token_is_needed(self):
        server = self.start(lambda config: config.update(http='0.0.0.0:0')).start()
        self.addCleanup(server.stop)
        address = '127.0.0.1:' + server.http.split(':')[1]
        context = ssl.create_default_context(cafile=server.folder / 'tls/authority.pem')
        token = (server.folder / 'users/vera/token').read_text().strip()

        def status(path, authorization=None):
            headers = {'Authorization': authorization} if authorization else {}
            return get(address, path, headers=headers, context=context)

        def basic(name, password):
            return 'Basic ' + base64.b64encode(f'{name}:{password}'.encode()).decode()
        for path in ('/', '/metrics', '/live.js', '/jobs/x'):
            answer = status(path)
            self.assertEqual(answer[0], 401, path)
            self.assertIn('Basic', answer[1]['WWW-Authenticate'])
        for wrong in ('Bearer x', 'Bearer ', 'Bearer', basic('vera', 'x'), basic('ada', token),
                      'Basic !', 'Digest ' + token):
            self.assertEqual(status('/metrics', wrong)[0], 401, wrong)
        for right in ('Bearer ' + token, basic('vera', token), basic('', token)):
            self.assertEqual(status('/metrics', right)[0], 200, right)
        self.assertIn('Jobs', status('/', 'Bearer ' + token)[2])
        self.assertEqual(status('/healthz')[0], 200)
        self.assertNotEqual(server.run('jobs', '--output', 'json'), None)
        # No plaintext on that port.
        with self.assertRaises((http.client.HTTPException, OSError)):
            get(address, '/healthz')
        # A client that stands still does not hold up the end.
        with socket.create_connection(('127.0.0.1', int(server.http.split(':')[1])), timeout=20):
            start = time.monotonic()
            server.stop()
            self.assertEqual(server.process.returncode, 0)
            self.assertLess(time.monotonic() - start, 4)

    def test_settings_that_would_tell_everybody_are_refused(self):
        def refusal(change):
            server = service.Server(self.folder / f'refused-{time.monotonic_ns()}', self.folder,
                                    change=change)
            result = subprocess.run([service.LTMLD, 'run', str(server.folder)], capture_output=True,
                                    text=True, timeout=30)
            self.assertEqual(result.returncode, 2, result.stderr)
            return result.stderr

        def insecure(config):
            config.update(http='0.0.0.0:0', insecure=True)
            config['users'][0]['token_sha256'] = '0' * 64
        self.assertIn('no user with a token', refusal(lambda config: config.update(http='0.0.0.0:0')))
        self.assertIn('plaintext', refusal(insecure))
        self.assertIn('http: got "nowhere"', refusal(lambda config: config.update(http='nowhere')))

    def test_a_taken_address_is_told(self):
        with socket.create_server(('127.0.0.1', 0)) as taken:
            address = f'127.0.0.1:{taken.getsockname()[1]}'
            server = service.Server(self.folder / 'taken', self.folder,
                                    change=lambda config: config.update(http=address))
            result = subprocess.run([service.LTMLD, 'run', str(server.folder)], capture_output=True,
                                    text=True, timeout=30)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(address, result.stderr)
        self.assertIn('change `http`', result.stderr)


if __name__ == '__main__':
    unittest.main()
