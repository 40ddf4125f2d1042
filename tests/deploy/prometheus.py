"""The real Prometheus."""
import contextlib
import json
import math
import pathlib
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request

import yaml

DEPLOY = pathlib.Path(__file__).resolve().parents[2] / 'deploy'


def free_port():
    with socket.create_server(('127.0.0.1', 0)) as taken:
        return taken.getsockname()[1]


class Prometheus:
    """Debian's program on loopback, with a copy of deploy/prometheus that scrapes every second.
    With a certificate of the authority and a token for a server off loopback; without them as
    docs/operations.md says for one on it."""

    def __init__(self, folder, target, authority=None, token=None):
        self.folder = folder / 'prometheus'
        shutil.copytree(DEPLOY / 'prometheus', self.folder)
        config = self.folder / 'prometheus.yml'
        settings = yaml.safe_load(config.read_text())
        settings['global'] = dict.fromkeys(settings['global'], '1s')
        scrape, = settings['scrape_configs']
        scrape['static_configs'] = [{'targets': [target]}]
        if authority:
            shutil.copy(authority, self.folder / scrape['tls_config']['ca_file'])
            (self.folder / scrape['authorization']['credentials_file']).write_text(token + '\n')
        else:
            scrape['scheme'] = 'http'
            del scrape['tls_config'], scrape['authorization']
        config.write_text(yaml.safe_dump(settings))
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
