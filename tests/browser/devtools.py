"""Debian's chromium, driven over the DevTools protocol on a pair of pipes; nothing but the standard library."""
import base64
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import tempfile
import time

CHROMIUM = shutil.which('chromium')
# Where --remote-debugging-pipe reads and writes.
READ, WRITE = 3, 4


class Browser:
    """A browser without a window.  Use with `with`."""

    def __init__(self):
        self.profile = tempfile.mkdtemp(prefix='ltml-browser-')
        to_child, self._to_browser = os.pipe()
        self._from_browser, from_child = os.pipe()

        def take_pipes():
            # Through numbers that neither end has, as one may be the other's.
            ends = os.dup(to_child), os.dup(from_child)
            high = [fcntl_dup(end, 20) for end in ends]
            os.dup2(high[0], READ)
            os.dup2(high[1], WRITE)

        self.process = subprocess.Popen(
            [CHROMIUM, '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage',
             '--no-first-run', '--disable-background-networking', '--disable-component-update',
             '--disable-sync', '--ignore-certificate-errors', '--remote-debugging-pipe',
             f'--user-data-dir={self.profile}', 'about:blank'],
            preexec_fn=take_pipes, close_fds=False, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, 'HOME': self.profile})
        os.close(to_child)
        os.close(from_child)
        self._buffer = b''
        self._number = 0
        self._events = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        os.close(self._to_browser)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self._from_browser)
        shutil.rmtree(self.profile, ignore_errors=True)

    def call(self, method, session=None, seconds=30, **parameters):
        self._number += 1
        message = {'id': self._number, 'method': method, 'params': parameters}
        if session:
            message['sessionId'] = session
        os.write(self._to_browser, json.dumps(message).encode() + b'\0')
        deadline = time.monotonic() + seconds
        while True:
            answer = self._read(deadline, method)
            if answer.get('id') == self._number:
                if 'error' in answer:
                    raise RuntimeError(f'{method}: {answer["error"]}')
                return answer['result']
            self._events.append(answer)

    def events(self, session, method):
        """What the browser has told of its own accord so far."""
        return [event['params'] for event in self._events
                if event.get('method') == method and event.get('sessionId') == session]

    def _read(self, deadline, what):
        while b'\0' not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._from_browser], [], [], left)[0]:
                raise TimeoutError(f'chromium did not answer in time: {what}')
            more = os.read(self._from_browser, 1 << 16)
            if not more:
                raise RuntimeError(f'chromium has ended during {what}')
            self._buffer += more
        message, self._buffer = self._buffer.split(b'\0', 1)
        return json.loads(message)

    def page(self):
        return Page(self)


def fcntl_dup(descriptor, least):
    import fcntl
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD, least)


class Page:
    """A tab that remembers what went wrong in it."""

    def __init__(self, browser):
        self._browser = browser
        target = browser.call('Target.createTarget', url='about:blank')['targetId']
        self._session = browser.call('Target.attachToTarget', targetId=target,
                                     flatten=True)['sessionId']
        for domain in ('Page', 'Runtime', 'Log', 'Network'):
            self._call(f'{domain}.enable')
        self.size(1200, 900)

    def _call(self, method, **parameters):
        return self._browser.call(method, self._session, **parameters)

    def headers(self, headers):
        self._call('Network.setExtraHTTPHeaders', headers=headers)

    def size(self, width, height, mobile=False):
        self._call('Emulation.setDeviceMetricsOverride', width=width, height=height,
                   deviceScaleFactor=1, mobile=mobile)

    def media(self, scheme='light', media=''):
        """Light or dark; `media` may be "print"."""
        self._call('Emulation.setEmulatedMedia', media=media,
                   features=[{'name': 'prefers-color-scheme', 'value': scheme}])

    def scripts(self, enabled):
        self._call('Emulation.setScriptExecutionDisabled', value=not enabled)

    def open(self, url, seconds=30):
        """Returns the status of the answer, once the page has loaded."""
        seen = len(self._browser.events(self._session, 'Page.loadEventFired'))
        answers = len(self._browser.events(self._session, 'Network.responseReceived'))
        self._call('Page.navigate', url=str(url))
        deadline = time.monotonic() + seconds
        while len(self._browser.events(self._session, 'Page.loadEventFired')) == seen:
            if time.monotonic() > deadline:
                raise TimeoutError(f'{url} did not load')
            self.run('0')
            time.sleep(0.02)
        for answer in self._browser.events(self._session, 'Network.responseReceived')[answers:]:
            if answer['type'] == 'Document':
                return answer['response']['status']
        return None

    def run(self, expression):
        """The value of a piece of JavaScript."""
        result = self._call('Runtime.evaluate', expression=expression, returnByValue=True,
                            awaitPromise=True)
        if 'exceptionDetails' in result:
            raise RuntimeError(f'{expression}: {result["exceptionDetails"]}')
        return result['result'].get('value')

    def wait(self, expression, seconds=30):
        """Until a piece of JavaScript is true; returns its value."""
        deadline = time.monotonic() + seconds
        while True:
            value = self.run(expression)
            if value:
                return value
            if time.monotonic() > deadline:
                raise TimeoutError(f'not within {seconds} s: {expression}')
            time.sleep(0.05)

    def problems(self):
        """Errors of the console, exceptions, and answers that are no success."""
        events = self._browser.events
        found = [str(e['exceptionDetails']) for e in events(self._session, 'Runtime.exceptionThrown')]
        found += [str(e['args']) for e in events(self._session, 'Runtime.consoleAPICalled')
                  if e['type'] in ('error', 'warning')]
        found += [e['entry']['text'] + ' ' + e['entry'].get('url', '')
                  for e in events(self._session, 'Log.entryAdded')
                  if e['entry']['level'] in ('error', 'warning')]
        found += [f'{e["response"]["status"]} {e["response"]["url"]}'
                  for e in events(self._session, 'Network.responseReceived')
                  if e['response']['status'] >= 400]
        return found

    def requests(self):
        """Addresses of all that was asked for."""
        return [e['request']['url']
                for e in self._browser.events(self._session, 'Network.requestWillBeSent')]

    def screenshot(self, file, whole=True, clip=None):
        parameters = {'format': 'png', 'captureBeyondViewport': whole}
        if clip:
            parameters['clip'] = {**clip, 'scale': 1}
        elif whole:
            size = self._call('Page.getLayoutMetrics')['cssContentSize']
            parameters['clip'] = {'x': 0, 'y': 0, 'width': size['width'],
                                  'height': min(size['height'], 8000), 'scale': 1}
        data = self._call('Page.captureScreenshot', **parameters)['data']
        pathlib.Path(file).write_bytes(base64.b64decode(data))
