"""A real Prometheus with our configuration, rules and pages scrapes a server; every query that we ship
is put to it."""
import contextlib
import html.parser
import http.server
import json
import math
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tests/e2e'))
import harness  # noqa: E402

DEPLOY = ROOT / 'deploy'
TOKEN = 'token of a viewer'
# A name of a series in PromQL.
NAME = re.compile(r'(?<![\w:"])((?:[a-z_]+:)?(?:ltml|grpc_server|process)_\w+(?::\w+)?|up|ALERTS)(?![\w:="])')

# Queries that have no data here, and why that is right.
EMPTY = {
    'max by (job) (ltml_job_average_precision{instance="$instance", group="medium"})':
        'the golden job has no class of this group',
}


class Exposition:
    """The golden text of the metrics, behind TLS and a token.  With each scrape counters grow."""

    def __init__(self, folder):
        self.text = (ROOT / 'tests/unit/monitoring/metrics.txt').read_text()
        self.scrapes = 0
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
                        'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1', '-subj', '/CN=test',
                        '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', folder / 'key.pem',
                        '-out', folder / 'authority.pem'], check=True, capture_output=True)
        handler = type('Handler', (Handler,), {'exposition': self})
        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / 'authority.pem', folder / 'key.pem')
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def address(self):
        return f'127.0.0.1:{self.server.server_address[1]}'

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def scrape(self):
        self.scrapes += 1
        return re.sub(r'^(\w+_(?:total|count|sum|bucket)(?:\{.*\})?) (\S+)$',
                      lambda found: f'{found[1]} {float(found[2]) * (1 + self.scrapes / 100)}',
                      self.text, flags=re.M)


class Handler(http.server.BaseHTTPRequestHandler):
    exposition = None

    def do_GET(self):
        allowed = self.headers['Authorization'] == f'Bearer {TOKEN}' and self.path == '/metrics'
        body = self.exposition.scrape().encode() if allowed else b''
        self.send_response(200 if allowed else 401)
        self.send_header('Content-Type', 'text/plain; version=0.0.4; charset=utf-8')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def free_port():
    with socket.create_server(('127.0.0.1', 0)) as taken:
        return taken.getsockname()[1]


class Prometheus:
    """Debian's program on loopback, with a copy of deploy/prometheus that scrapes every second."""

    def __init__(self, folder, target):
        self.folder = folder / 'prometheus'
        shutil.copytree(DEPLOY / 'prometheus', self.folder)
        shutil.copy(folder / 'authority.pem', self.folder)
        (self.folder / 'token').write_text(TOKEN + '\n')
        config = self.folder / 'prometheus.yml'
        text = config.read_text()
        assert 'ltmld.example:7611' in text and text.count('15s') == 2
        config.write_text(text.replace('ltmld.example:7611', target).replace('15s', '1s')
                          .replace('10s', '1s'))
        port = free_port()
        self.url = f'http://127.0.0.1:{port}'
        self.log = (self.folder / 'log').open('w+')
        self.process = subprocess.Popen(
            ['prometheus', f'--config.file={config}', f'--storage.tsdb.path={self.folder / "data"}',
             f'--web.listen-address=127.0.0.1:{port}',
             f'--web.console.templates={self.folder / "consoles"}',
             f'--web.console.libraries={self.folder / "none"}'],
            stdout=subprocess.DEVNULL, stderr=self.log)

    def close(self):
        self.process.terminate()
        self.process.wait(20)
        self.log.close()

    def page(self, path):
        with urllib.request.urlopen(self.url + path, timeout=20) as answer:
            return answer.read().decode()

    def get(self, route, **query):
        return json.loads(self.page(f'/api/v1/{route}?{urllib.parse.urlencode(query)}'))['data']

    def is_up(self):
        assert self.process.poll() is None, (self.folder / 'log').read_text()
        with contextlib.suppress(OSError):
            targets = self.get('targets')['activeTargets']
            return bool(targets) and targets[0]['health'] == 'up'

    def has_data(self, query, seconds=20):
        """Whether the query gives a number in the last `seconds`, as a graph asks for it."""
        now = time.time()
        result = self.get('query_range', query=query, start=now - seconds, end=now, step=1)['result']
        return any(math.isfinite(float(value)) for one in result for _, value in one['values'])


class Links(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in ('href', 'src')]


class Shipped(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix='ltml-prometheus-'))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.server = Exposition(cls.folder)
        cls.addClassCleanup(cls.server.close)
        cls.prometheus = Prometheus(cls.folder, cls.server.address())
        cls.addClassCleanup(cls.prometheus.close)
        cls.instance, cls.job = cls.server.address(), 'b'
        harness.wait_until(cls.prometheus.is_up, 60, 'first scrape')
        # Two evaluations after two scrapes: rates have data then, and what is recorded from them.
        harness.wait_until(
            lambda: cls.prometheus.has_data('job_class:ltml_class_positives:gain') and
            cls.prometheus.has_data('job:ltml_job_remaining_seconds:estimate'), 60, 'rates')

    def assert_data(self, query, where):
        text = (query.replace('$instance', self.instance).replace('$job', self.job)
                .replace('$__rate_interval', '20s').replace('$__range', '20s'))
        self.assertNotIn('$', text, where)
        if query in EMPTY:
            self.assertFalse(self.prometheus.has_data(text), f'{where}: {EMPTY[query]}?')
        else:
            self.assertTrue(self.prometheus.has_data(text), f'{where}: no data of {text}')

    def test_every_panel_and_variable_has_data(self):
        queries = 0
        for file in sorted((DEPLOY / 'grafana/dashboards').iterdir()):
            dashboard = json.loads(file.read_text())
            for panel in dashboard['panels']:
                for target in panel['targets']:
                    with self.subTest(panel=f'{file.name}: {panel["title"]}'):
                        self.assert_data(target['expr'], panel['title'])
                        queries += 1
            for variable in dashboard['templating']['list']:
                if variable['type'] == 'query':
                    self.check_variable(variable['definition'])
        self.assertGreater(queries, 50)

    def check_variable(self, definition):
        selector, label = re.fullmatch(r'label_values\((.*), (\w+)\)', definition).groups()
        series = self.prometheus.get(
            'series', **{'match[]': selector.replace('$instance', self.instance)})
        self.assertIn({'instance': self.instance, 'job': self.job}[label],
                      [one[label] for one in series])

    def test_every_rule_is_healthy_and_has_something_to_judge(self):
        names = set()
        for group in self.prometheus.get('rules')['groups']:
            for rule in group['rules']:
                names.add(rule['name'])
                with self.subTest(rule=rule['name']):
                    self.assertEqual(rule['health'], 'ok', rule.get('lastError'))
                    if rule['type'] == 'recording':
                        self.assert_data(rule['name'], rule['name'])
                    for name in NAME.findall(re.sub(r'\{[^}]*\}|"[^"]*"', '', rule['query'])):
                        self.assert_data(name, rule['name'])
        kept = re.findall(r'- (?:alert|record): (\S+)', ''.join(
            file.read_text() for file in (DEPLOY / 'prometheus/rules').iterdir()))
        self.assertEqual(names, set(kept))

    def test_pages_are_whole_and_lead_to_each_other(self):
        page = self.prometheus.page('/consoles/ltml.html')
        for text in (f'{self.instance} answers', 'clipart', 'running', 'node-a'):
            self.assertIn(text, page)
        links = Links(page).found
        self.assertIn(f'ltml-job.html?instance={urllib.parse.quote(self.instance, safe="")}'
                      f'&job={self.job}', [link.replace('%3a', '%3A') for link in links])
        for link in links:
            job = self.prometheus.page(f'/consoles/{link}')
            self.assertEqual(Links(job).found, ['ltml.html'])
        job = self.prometheus.page(f'/consoles/ltml-job.html?instance={self.instance}&job={self.job}')
        self.assertNotIn('No series of this job', job)
        for text in ('sky', 'cow', 'cat &#34;tabby&#34;', 'mAP, tail', 'loss, consistency'):
            self.assertIn(text, job)
        self.assertLess(job.index('>cat '), job.index('>sky<'))  # the weakest first

    def test_a_job_that_is_not_there_is_said_so(self):
        page = self.prometheus.page('/consoles/ltml-job.html?job=%22%7D%3Cb%3E')
        self.assertIn('No series of this job', page)
        self.assertNotIn('<b>', page)


if __name__ == '__main__':
    unittest.main(verbosity=2)
