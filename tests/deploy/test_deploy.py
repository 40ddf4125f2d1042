"""What deploy/ holds, without a server: rules by promtool, their runbook, dashboards as generated."""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / 'deploy'
RULES = sorted((DEPLOY / 'prometheus/rules').glob('*.yml'))


def promtool(*arguments):
    return subprocess.run(['promtool', *map(str, arguments)], capture_output=True, text=True,
                          timeout=60)


def rules(kind):
    return {rule[kind]: rule for file in RULES for group in yaml.safe_load(file.read_text())['groups']
            for rule in group['rules'] if kind in rule}


class Rules(unittest.TestCase):
    def promtool(self, *arguments):
        result = promtool(*arguments)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_promtool_takes_rules_and_configuration(self):
        self.promtool('check', 'rules', *RULES)
        with tempfile.TemporaryDirectory() as folder:
            copy = pathlib.Path(folder) / 'prometheus'
            shutil.copytree(DEPLOY / 'prometheus', copy)
            for name in ('authority.pem', 'token'):
                (copy / name).touch()
            self.promtool('check', 'config', copy / 'prometheus.yml')

    def test_alerts_fire_and_keep_silent(self):
        self.promtool('test', 'rules', ROOT / 'tests/deploy/alerts.test.yml')

    def test_each_alert_is_tested_both_ways(self):
        cases = {(case['alertname'], bool(case.get('exp_alerts')))
                 for test in yaml.safe_load((ROOT / 'tests/deploy/alerts.test.yml').read_text())['tests']
                 for case in test.get('alert_rule_test', [])}
        self.assertEqual(cases, {(name, firing) for name in rules('alert')
                                 for firing in (True, False)})

    def test_each_alert_has_its_entry_in_the_runbook(self):
        headings = re.findall(r'^### (Ltml\w+)$', (ROOT / 'docs/operations.md').read_text(), re.M)
        self.assertEqual(sorted(headings), sorted(rules('alert')))
        for name, rule in rules('alert').items():
            self.assertEqual(rule['annotations']['runbook'], f'docs/operations.md#{name.lower()}')
            self.assertEqual(sorted(rule['annotations']), ['description', 'runbook', 'summary'])
            self.assertIn(rule['labels']['severity'], ('page', 'ticket'))


class Dashboards(unittest.TestCase):
    def test_are_what_the_generator_writes(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.executable, DEPLOY / 'grafana/make_dashboards.py', folder], check=True)
            made = {file.name: file.read_text() for file in pathlib.Path(folder).iterdir()}
        kept = {file.name: file.read_text()
                for file in (DEPLOY / 'grafana/dashboards').iterdir()}
        self.assertEqual(kept, made, 'run deploy/grafana/make_dashboards.py')

    def test_panels_do_not_overlap_and_have_names_of_their_own(self):
        for file in (DEPLOY / 'grafana/dashboards').iterdir():
            panels = json.loads(file.read_text())['panels']
            titles = [one['title'] for one in panels]
            self.assertEqual(sorted(titles), sorted(set(titles)), file.name)
            taken = set()
            for one in panels:
                place = one['gridPos']
                cells = {(x, y) for x in range(place['x'], place['x'] + place['w'])
                         for y in range(place['y'], place['y'] + place['h'])}
                self.assertLessEqual(place['x'] + place['w'], 24, one['title'])
                self.assertFalse(taken & cells, one['title'])
                taken |= cells

    def test_provisioning_is_read_as_grafana_does(self):
        for kind in ('datasources', 'dashboards'):
            file = yaml.safe_load((DEPLOY / f'grafana/provisioning/{kind}/ltml.yml').read_text())
            self.assertEqual(file['apiVersion'], 1)
            self.assertEqual(len(file['providers' if kind == 'dashboards' else kind]), 1)


class Consoles(unittest.TestCase):
    def test_need_no_library_and_nothing_from_elsewhere(self):
        pages = list((DEPLOY / 'prometheus/consoles').iterdir())
        self.assertEqual(len(pages), 2)
        for page in pages:
            text = page.read_text()
            self.assertNotRegex(text, r'\{\{-? *template|<script|https?://|src=')

    def test_look_alike(self):
        styles = [re.search(r'<style>.*</style>', page.read_text(), re.S).group()
                  for page in (DEPLOY / 'prometheus/consoles').iterdir()]
        self.assertEqual(styles[0], styles[1])


if __name__ == '__main__':
    unittest.main(verbosity=2)
