"""A made-up server for Prometheus: the golden text of the metrics, behind TLS and a token."""
import http.server
import pathlib
import re
import ssl
import subprocess
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOKEN = 'token of a viewer'


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
