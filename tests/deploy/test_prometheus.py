"""A real Prometheus with our configuration, rules and pages scrapes a server; every query that we ship
is put to it."""
import html.parser
import json
import pathlib
import re
import shutil
import sys
import tempfile
import time
import unittest
import urllib.parse

import exposition
import prometheus

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'e2e'))
import harness  # noqa: E402
import service  # noqa: E402

# A name of a series in PromQL.
NAME = re.compile(r'(?<![\w:"])((?:[a-z_]+:)?(?:ltml|grpc_server|process)_\w+(?::\w+)?|up|ALERTS)(?![\w:="])')


class Links(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in ('href', 'src')]


class Shipped:
    """The checks, whatever is scraped."""
    empty = {}  # queries that have no data here, and why that is right

    @classmethod
    def watch(cls, folder, target, *secrets):
        cls.prometheus = prometheus.Prometheus(folder, target, *secrets)
        cls.addClassCleanup(cls.prometheus.close)
        cls.instance = target
        harness.wait_until(cls.prometheus.is_up, 60, 'first scrape')

    @classmethod
    def await_data(cls, *queries):
        for query in queries:
            harness.wait_until(lambda: cls.prometheus.has_data(query, seconds=0), 90, query)

    def assert_data(self, query, where):
        text = (query.replace('$instance', self.instance).replace('$job', self.job)
                .replace('$__rate_interval', '20s').replace('$__range', '20s'))
        self.assertNotIn('$', text, where)
        if query in self.empty:
            self.assertFalse(self.prometheus.has_data(text), f'{where}: {self.empty[query]}?')
        else:
            self.assertTrue(self.prometheus.has_data(text), f'{where}: no data of {text}')

    def test_every_panel_and_variable_has_data(self):
        queries = 0
        for file in sorted((prometheus.DEPLOY / 'grafana/dashboards').iterdir()):
            dashboard = json.loads(file.read_text())
            for panel in dashboard['panels']:
                for target in panel['targets']:
                    with self.subTest(panel=f'{file.name}: {panel["title"]}'):
                        self.assert_data(target['expr'], panel['title'])
                        queries += 1
            for variable in dashboard['templating']['list']:
                if variable['type'] == 'query':
                    self.check_variable(variable['query']['query'])
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
            file.read_text() for file in (prometheus.DEPLOY / 'prometheus/rules').iterdir()))
        self.assertEqual(names, set(kept))

    def test_pages_are_whole_and_lead_to_each_other(self):
        page = self.prometheus.page('/consoles/ltml.html')
        for text in (f'{self.instance} answers', self.name, 'running', self.host):
            self.assertIn(text, page)
        links = Links(page).found
        self.assertIn(f'ltml-job.html?instance={self.instance.replace(":", "%3a")}&job={self.job}',
                      links)
        for link in links:
            self.assertEqual(Links(self.prometheus.page(f'/consoles/{link}')).found, ['ltml.html'])

    def job_page(self):
        return self.prometheus.page(
            f'/consoles/ltml-job.html?instance={self.instance}&job={self.job}')

    def test_the_page_of_a_job_has_ranks_and_the_weakest_class_first(self):
        shown = ('mAP, tail', 'loss, consistency', '<tr><th scope="row">0</th>',
                 '<tr><th scope="row">1</th>')
        # A rank that was lost and started again is there when two scrapes have heard it.
        deadline = time.monotonic() + 30
        while not all(text in (page := self.job_page()) for text in shown):
            self.assertLess(time.monotonic(), deadline, page)
            time.sleep(0.5)
        self.assertNotIn('No series of this job', page)
        table = page[page.index('Classes that have series'):]
        precisions = [float(value) for value in re.findall(r'</meter> ([\d.]+)</td>', table)]
        self.assertGreaterEqual(len(precisions), 3)
        self.assertEqual(precisions, sorted(precisions))

    def test_a_job_that_is_not_there_is_said_so(self):
        page = self.prometheus.page('/consoles/ltml-job.html?job=%22%7D%3Cb%3E')
        self.assertIn('No series of this job', page)
        self.assertNotIn('<b>', page)


RATES = ('job_class:ltml_class_positives:gain', 'job:ltml_job_remaining_seconds:estimate')


class GoldenText(Shipped, unittest.TestCase):
    """A made-up server behind TLS and a token, with a failed job and a hostile class."""
    job, name, host = 'b', 'clipart', 'node-a'
    empty = {
        'max by (job) (ltml_job_average_precision{instance="$instance", group="medium"})':
            'the job has no class of this group',
    }

    @classmethod
    def setUpClass(cls):
        folder = pathlib.Path(tempfile.mkdtemp(prefix='ltml-prometheus-'))
        cls.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
        server = exposition.Exposition(folder)
        cls.addClassCleanup(server.close)
        cls.watch(folder, server.address(), folder / 'authority.pem', exposition.TOKEN)
        cls.await_data(*RATES)

    def test_hostile_names_are_text(self):
        self.assertIn('cat &#34;tabby&#34;', self.job_page())


class RealRun(Shipped, harness.WithData):
    """A real ltmld on loopback, with a job on two ranks that has lost one and goes on."""
    name, host = 'small', 'localhost'
    empty = {
        'max by (job) (ltml_job_average_precision{instance="$instance", group="head"})':
            'no class of the small data set has 100 images',
    }

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = service.Server(cls.folder / 'pool', cls.folder, slots=2, change=cls.no_cooldown)
        cls.addClassCleanup(cls.server.stop)
        cls.server.start()
        cls.watch(cls.folder, cls.server.http)
        file = cls.folder / 'long.toml'
        file.write_text(harness.JOB.format(steps=100000, checkpoint=20, ranks=2)
                        .replace('[evaluation]', '[evaluation]\nevery_steps = 20'))
        cls.job = cls.server.submit(file).removeprefix('jobs/')
        cls.addClassCleanup(cls.cancel)
        cls.server.await_step(cls.job, 40)
        cls.lose_a_rank()
        cls.await_data('ltml_job_attempt == 2 and on (job) ltml_job_state{state="running"} == 1',
                       'ltml_job_loss', 'job_rank:ltml_rank_silence_seconds:now',
                       'job:ltml_job_restarts:new1h', *RATES)

    @staticmethod
    def no_cooldown(config):
        config['launch']['cooldown'] = '0s'

    @classmethod
    def cancel(cls):
        cls.server.run('cancel', cls.job)
        cls.server.await_state(cls.job, 'CANCELLED')

    @classmethod
    def lose_a_rank(cls):
        ranks = [pid for pid, command in harness.processes_with(str(cls.folder / 'pool/runs'))
                 if command.split()[0].endswith('ltml-worker')]
        assert len(ranks) == 2, ranks
        harness.kill(ranks[-1])

    def test_no_alert_fires_while_all_is_well(self):
        firing = {one['labels']['alertname'] for one in self.prometheus.get('alerts')['alerts']
                  if one['state'] == 'firing'}
        # The disk is the machine's own.
        self.assertEqual(firing - {'LtmlDiskNearlyFull'}, set())


if __name__ == '__main__':
    unittest.main(verbosity=2)
