"""Attempts on several hosts: network, process and mount namespaces of this machine, and a real sshd.

Needs root, ip, nsenter and unshare; without them it says so and ends with 77.
"""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / 'e2e'))
import sshd  # noqa: E402

DRIVER = os.path.join(os.environ.get('LTML_TEST_BIN', 'build/tests'), 'launch_driver')
RANK = os.path.join(os.environ.get('LTML_TEST_BIN', 'build/tests'), 'ring_rank')
DEADLINE = 30
PATH = '/usr/sbin:/usr/bin:/sbin:/bin'


def eventually(condition, what, limit=DEADLINE):
    end = time.monotonic() + limit
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f'not within {limit} s: {what}')
        time.sleep(0.05)


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=DEADLINE).stdout


def read(path):
    try:
        with open(path, encoding='utf-8') as file:
            return file.read()
    except OSError:
        return ''


def marked_processes(launch_id):
    mark = f'LTML_ATTEMPT={launch_id}'.encode()
    found = []
    for name in os.listdir('/proc'):
        try:
            if not name.isdigit():
                continue
            with open(f'/proc/{name}/environ', 'rb') as file:
                if mark in file.read().split(b'\0'):
                    found.append(int(name))
        except OSError:
            pass
    return found


class Host:
    """A host of its own but for the file system: what it is made of ends with its first process."""

    SCRIPT = 'mount -t tmpfs tmpfs /dev/shm && hostname "$0" && ip link set lo up && echo up && exec sleep 600'

    def __init__(self, bridge, name, address):
        self.address = address
        self.outer = f'{bridge}{name}'
        self.parent = subprocess.Popen(
            ['unshare', '--net', '--uts', '--pid', '--mount', '--ipc', '--fork', '--mount-proc',
             'sh', '-c', self.SCRIPT, f'ltml-{name}'], stdout=subprocess.PIPE, text=True)
        assert self.parent.stdout.readline() == 'up\n', 'cannot make namespaces'
        children = read(f'/proc/{self.parent.pid}/task/{self.parent.pid}/children')
        self.process = int(children.split()[0])

    def connect(self, bridge):
        run('ip', 'link', 'add', self.outer, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', str(self.process))
        run('ip', 'link', 'set', self.outer, 'master', bridge, 'up')
        self.inside('ip', 'addr', 'add', f'{self.address}/24', 'dev', 'eth0')
        self.inside('ip', 'link', 'set', 'eth0', 'up')

    def inside(self, *command):
        return run('nsenter', '-t', str(self.process), '-a', *command)

    def cut(self):
        run('ip', 'link', 'set', self.outer, 'down')

    def join(self):
        run('ip', 'link', 'set', self.outer, 'up')

    def close(self):
        # At once: with the namespace alone it would go a while later.
        subprocess.run(['ip', 'link', 'del', self.outer], capture_output=True, timeout=DEADLINE, check=False)
        os.kill(self.process, signal.SIGKILL)
        self.parent.wait(DEADLINE)
        self.parent.stdout.close()


AGENT = '''#!/bin/sh
# Called as ssh is: -- ADDRESS COMMAND.
[ "$1" = -- ] && [ $# = 3 ] || exit 90
exec nsenter -t "$(cat "{folder}/$2")" -a env -i PATH={path} HOME=/root setsid --wait sh -c "$3"
'''


class AttemptCase(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='ltml-hosts-')
        self.addCleanup(shutil.rmtree, self.folder)
        self.attempt = os.path.join(self.folder, 'attempts', '1')
        self.launch_id = os.urandom(16).hex()
        self.driver = None

    def launch(self, hosts, agent, grace=5000, rank=RANK):
        environment = dict(os.environ, LTML_WORKER=rank, OMPI_ALLOW_RUN_AS_ROOT='1')
        self.driver = subprocess.Popen(
            [DRIVER, self.folder, self.attempt, self.launch_id, str(grace), hosts, *agent],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        self.addCleanup(self.end)
        self.assertEqual(self.driver.stdout.readline(), 'started\n')

    def end(self):
        if self.driver.poll() is None:
            self.say('stop-now')
            self.driver.wait(DEADLINE)
        self.driver.stdin.close()
        self.driver.stdout.close()

    def say(self, line):
        self.driver.stdin.write(line + '\n')
        self.driver.stdin.flush()

    def record(self):
        text = self.driver.stdout.readline()
        self.assertEqual(self.driver.wait(DEADLINE), 0, text)
        return json.loads(text)

    def log(self, name):
        return read(os.path.join(self.attempt, name))

    def ranks_run(self, ranks):
        eventually(lambda: all('sum=' in self.log(f'rank-{rank}.log') for rank in range(ranks)),
                   'the ranks add')

    def scratch(self):
        return f'/dev/shm/ltml-{self.launch_id[:16]}'

    def nothing_is_left(self):
        self.assertEqual(marked_processes(self.launch_id), [])
        self.assertFalse(os.path.exists(self.scratch()))


class NamespacesTest(AttemptCase):
    def setUp(self):
        super().setUp()
        # Two numbers of this process, so that tests beside each other do not meet.
        self.network = f'10.77.{os.getpid() % 200 + 10}'
        self.bridge = f'lt{os.getpid() % 100000}'
        run('ip', 'link', 'add', self.bridge, 'type', 'bridge')
        self.addCleanup(run, 'ip', 'link', 'del', self.bridge)
        run('ip', 'addr', 'add', f'{self.network}.1/24', 'dev', self.bridge)
        run('ip', 'link', 'set', self.bridge, 'up')
        self.hosts = []
        for number in (2, 3):
            host = Host(self.bridge, f'h{number}', f'{self.network}.{number}')
            self.addCleanup(host.close)
            host.connect(self.bridge)
            self.hosts.append(host)
            with open(os.path.join(self.folder, host.address), 'w', encoding='utf-8') as file:
                file.write(str(host.process))
        agent = os.path.join(self.folder, 'agent')
        with open(agent, 'w', encoding='utf-8') as file:
            file.write(AGENT.format(folder=self.folder, path=PATH))
        os.chmod(agent, 0o700)
        self.agent = [agent]

    def start(self, **options):
        first, second = (host.address for host in self.hosts)
        self.launch(f'{first}:1,localhost:1,{second}:2', self.agent, **options)
        self.ranks_run(4)

    def hosts_are_clean(self):
        for host in self.hosts:
            self.assertEqual(host.inside('ls', '/dev/shm'), '')
        self.nothing_is_left()

    def test_ranks_run_in_order_and_stop_by_their_own_way(self):
        self.start()
        for rank, name in enumerate(['ltml-h2', socket.gethostname(), 'ltml-h3', 'ltml-h3']):
            self.assertIn(f'host={name} sum=10 token=the-token threads=1 mark={self.launch_id}',
                          self.log(f'rank-{rank}.log'))
        self.say('stop')
        record = self.record()
        self.assertEqual(record['exit_status'], 0, record)
        self.assertEqual(record['unswept_hosts'], [])
        for rank in range(4):
            self.assertIn('asked', self.log(f'rank-{rank}.log'))
        self.hosts_are_clean()

    def test_stop_at_once(self):
        self.start()
        self.say('stop-now')
        self.assertEqual(self.record()['stop_reason'], 'the test says so')
        self.hosts_are_clean()

    def test_killed_rank_on_another_host_ends_the_attempt(self):
        self.start()
        self.hosts[1].inside('sh', '-c', 'kill -9 $(pidof ring_rank)')
        self.assertNotEqual(self.record()['exit_status'], 0)
        self.assertIn('signal 9', self.log('mpirun.log'))
        self.hosts_are_clean()

    def test_killed_daemon_ends_the_attempt(self):
        self.start()
        self.hosts[0].inside('sh', '-c', 'kill -9 $(pidof orted)')
        self.record()
        self.hosts_are_clean()

    def test_cut_host_ends_the_attempt_and_is_swept_where_the_agent_still_reaches_it(self):
        self.start(grace=2000)
        self.hosts[1].cut()
        record = self.record()
        self.assertEqual(record['unswept_hosts'], [])
        self.hosts_are_clean()

    def test_host_without_an_answer_is_named(self):
        self.start()
        with open(self.agent[0], 'w', encoding='utf-8') as file:
            file.write('#!/bin/sh\nexit 255\n')
        self.say('stop')
        unswept = self.record()['unswept_hosts']
        self.assertEqual(len(unswept), 2, unswept)
        self.assertIn(self.hosts[0].address, unswept[0])


class SshTest(AttemptCase):
    """The agent is ssh, and the other host 127.0.0.2, which mpirun does not take for its own."""

    def setUp(self):
        super().setUp()
        if sshd.missing():
            self.skipTest(sshd.missing())
        server = sshd.Sshd(self.folder)
        self.addCleanup(server.close)
        self.agent = server.agent

    def test_ranks_run_and_stop(self):
        self.launch(f'localhost:1,{sshd.ADDRESS}:1', self.agent)
        self.ranks_run(2)
        self.assertIn('sum=3 token=the-token threads=1', self.log('rank-1.log'))
        self.say('stop')
        record = self.record()
        self.assertEqual(record['exit_status'], 0, record)
        self.assertEqual(record['unswept_hosts'], [])
        self.assertIn('asked', self.log('rank-1.log'))
        self.nothing_is_left()


if __name__ == '__main__':
    needed = [program for program in ('ip', 'nsenter', 'unshare') if shutil.which(program) is None]
    if os.geteuid() != 0 or needed:
        print(f'skipped: needs root, and programs that are missing: {needed}')
        sys.exit(77)
    unittest.main()
