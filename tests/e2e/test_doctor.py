"""`ltml doctor` over the hosts of a pool, which are network namespaces."""
import json
import pathlib
import subprocess
import unittest

import harness
import service
from hosts import SERVER, WithHosts

# What every host is examined for.
SUBJECTS = {'slots', 'agent', 'ltml', 'mpirun', 'programs', 'runs folder', 'data', 'shared memory',
            'temporary folder', 'disk', 'limits', 'processor', 'network', 'server', 'clock'}


class Doctor(WithHosts):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()

        def change(config):
            config['launch']['interfaces'] = ['10.0.0.0/8']
        cls.server = service.Server(
            cls.folder / 'server', cls.folder, listen=SERVER, agent=cls.hosts.agent, change=change,
            hosts=[('here', 'localhost', 1)] + [(f'host{number}', address, 2) for number, address
                                                in enumerate(cls.hosts.addresses)])
        subprocess.run([service.LTMLD, 'user', str(cls.server.folder), 'vera', '--role', 'viewer'],
                       check=True, capture_output=True)
        cls.server.config['users'] = service.tomllib.loads(
            (cls.server.folder / 'ltmld.toml').read_text())['users']
        cls.server.start()
        cls.addClassCleanup(cls.server.stop)

    def doctor(self, code, config=None):
        """{host: {subject: finding}}; the client's own machine is host ''."""
        result = harness.run('doctor', '--config', config or self.server.folder / 'client.toml',
                             '--output', 'json')
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        found = {}
        for line in result.stdout.splitlines():
            finding = json.loads(line)
            found.setdefault(finding['host'], {})[finding['subject']] = finding
        return found

    def faults(self, host):
        found = self.doctor(1)
        for other in set(found) - {host}:
            for finding in found[other].values():
                self.assertNotEqual(finding['grade'], 'GRADE_FAULT', finding)
        faults = {subject: finding for subject, finding in found[host].items()
                  if finding['grade'] == 'GRADE_FAULT'}
        for finding in faults.values():
            self.assertNotEqual(finding['cure'], '', finding)
        return faults

    def before(self, host, script):
        address = self.hosts.addresses[host]
        self.hosts.before(address, script)
        self.addCleanup(self.hosts.before, address, '')

    def test_a_pool_in_good_order(self):
        found = self.doctor(0)
        self.assertEqual(set(found), {'', 'here', 'host0', 'host1'})
        for host in ('here', 'host0', 'host1'):
            self.assertEqual(set(found[host]), SUBJECTS)
        self.assertIn('answers in', found['host0']['agent']['text'])
        self.assertIn('not needed', found['here']['agent']['text'])
        self.assertIn(self.server.config['listen'], found['host1']['server']['text'])
        self.assertEqual(list((self.server.folder / 'runs').glob('.examination-*')), [])

    def test_people_get_a_table(self):
        result = self.server.command('doctor')
        self.assertEqual(result.returncode, 0, result.stderr)
        lines = result.stdout.splitlines()
        self.assertEqual(lines[0].split(), ['GRADE', 'WHERE', 'WHAT', 'FOUND'])
        self.assertTrue(any(line.split()[:3] == ['ok', 'host1', 'mpirun'] for line in lines), lines)
        self.assertTrue(any(line.split()[:3] == ['ok', 'here', 'ssh'] for line in lines), lines)

    def test_a_host_that_does_not_answer(self):
        self.before(1, 'exec sleep 600')
        faults = self.faults('host1')
        self.assertEqual(set(faults), {'agent'})
        self.assertIn('no answer within 20 s', faults['agent']['text'])
        self.assertIn(f'-- {self.hosts.addresses[1]} true', faults['agent']['cure'])

    def test_a_host_that_is_set_up_otherwise(self):
        mpirun = pathlib.Path('/usr/bin/mpirun.openmpi').resolve()
        fake = self.folder / 'mpirun'
        fake.write_text('#!/bin/sh\necho "mpirun (Open MPI) 3.1.0"\n')
        fake.chmod(0o755)
        self.before(0, f'''
            mount --bind {fake} {mpirun}
            mount -t tmpfs tmpfs {self.server.folder / 'runs'}
            ip addr flush dev eth0''')
        self.addCleanup(subprocess.run, ['ip', 'netns', 'exec', self.hosts.namespace(
            self.hosts.addresses[0]), 'ip', 'addr', 'add', f'{self.hosts.addresses[0]}/24', 'dev',
            'eth0'], check=True)
        faults = self.faults('host0')
        self.assertEqual(set(faults), {'mpirun', 'runs folder', 'network', 'server'})
        self.assertIn('Open MPI 3.1.0', faults['mpirun']['text'])
        self.assertIn("another folder than the server's", faults['runs folder']['text'])
        self.assertIn('no interface is 10.0.0.0/8', faults['network']['text'])
        self.assertIn(f'{self.server.config["listen"]} cannot be reached', faults['server']['text'])

    def test_a_host_without_the_programs(self):
        programs = harness.BIN.resolve()
        self.before(0, f'mount -t tmpfs tmpfs {programs}')
        faults = self.faults('host0')
        self.assertEqual(set(faults), {'programs'})
        self.assertIn(str(programs / 'ltml-supervisor'), faults['programs']['cure'])

    def test_who_is_no_admin_gets_a_note(self):
        config = self.server.folder / 'users/vera/client.toml'
        config.write_text(config.read_text().replace(f'{SERVER}:0', self.server.config['listen']))
        found = self.doctor(0, config)
        self.assertEqual(set(found), {'', 'here', 'host0', 'host1'})
        self.assertEqual(set(found['host0']), {'slots'})
        self.assertEqual(found['']['hosts']['grade'], 'GRADE_NOTE')
        self.assertIn('viewer', found['']['hosts']['text'])


if __name__ == '__main__':
    unittest.main()
