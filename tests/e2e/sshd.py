"""A real sshd on 127.0.0.2, which mpirun and ltml take for another host than this one."""
import os
import pathlib
import shutil
import socket
import subprocess
import time

ADDRESS = '127.0.0.2'
PATH = '/usr/sbin:/usr/bin:/sbin:/bin'
DEADLINE = 30

CONFIG = '''ListenAddress {address}
Port {port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/authorized
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
PidFile {folder}/sshd.pid
'''


def missing():
    """Why there can be none here; None when there can."""
    if os.geteuid() != 0:
        return 'sshd needs root'
    if shutil.which('sshd', path=PATH) is None:
        return 'no sshd: install openssh-server'
    return None


class Sshd:
    """Keys and logs in `folder`; `agent` is the ssh that gets in."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        for name in ('host', 'user'):
            subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', self.folder / name],
                           check=True, capture_output=True, timeout=DEADLINE)
        shutil.copy(self.folder / 'user.pub', self.folder / 'authorized')
        with socket.socket() as probe:
            probe.bind((ADDRESS, 0))
            port = probe.getsockname()[1]
        config = self.folder / 'sshd_config'
        config.write_text(CONFIG.format(address=ADDRESS, port=port, folder=self.folder))
        self.agent = ['ssh', '-F', 'none', '-p', str(port), '-i', str(self.folder / 'user'),
                      '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null',
                      '-o', 'BatchMode=yes', '-o', 'LogLevel=ERROR']
        self.made = not os.path.isdir('/run/sshd')
        os.makedirs('/run/sshd', mode=0o755, exist_ok=True)
        self.process = subprocess.Popen([shutil.which('sshd', path=PATH), '-D', '-f', config, '-E',
                                         self.folder / 'sshd.log'])
        try:
            self._await()
        except BaseException:
            self.close()
            raise

    def _await(self):
        end = time.monotonic() + DEADLINE
        while not self._answers():
            if time.monotonic() > end:
                raise AssertionError('sshd does not answer: ' + (self.folder / 'sshd.log').read_text())
            time.sleep(0.05)

    def _answers(self):
        return subprocess.run([*self.agent, '--', ADDRESS, 'true'], capture_output=True,
                              timeout=DEADLINE).returncode == 0

    def lock_out(self):
        """No key gets in any more."""
        (self.folder / 'authorized').write_text('')

    def close(self):
        self.process.terminate()
        self.process.wait(DEADLINE)
        if self.made:
            os.rmdir('/run/sshd')
