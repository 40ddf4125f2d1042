"""Certificates that `ltmld init` does not make: expired ones, and those of another authority."""
import pathlib
import subprocess
import tempfile

CONFIG = '''
[ca]
default_ca = pool
[pool]
dir = {folder}
database = {folder}/index
serial = {folder}/serial
new_certs_dir = {folder}
certificate = {authority}
private_key = {key}
default_md = sha256
policy = anything
unique_subject = no
x509_extensions = extensions
[anything]
commonName = supplied
[req]
distinguished_name = nothing
[nothing]
[extensions]
basicConstraints = critical,CA:FALSE
extendedKeyUsage = {usage}
{names}
'''


def openssl(*arguments):
    subprocess.run(['openssl', *map(str, arguments)], check=True, capture_output=True, timeout=60)


def make_authority(folder):
    """authority.pem and authority.key in `folder`."""
    openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
            '-days', 2, '-subj', '/CN=another authority', '-keyout', folder / 'authority.key',
            '-out', folder / 'authority.pem')


def issue(authority, name, start, end, address=None):
    """(certificate, key) as bytes, good from `start` to `end` (YYYYMMDDHHMMSSZ), signed by the
    authority.pem and authority.key of a folder; for a server where it has an `address`."""
    with tempfile.TemporaryDirectory(prefix='ltml-ca-') as work:
        work = pathlib.Path(work)
        (work / 'index').write_text('')
        (work / 'serial').write_text('01\n')
        (work / 'config').write_text(CONFIG.format(
            folder=work, authority=authority / 'authority.pem', key=authority / 'authority.key',
            usage='serverAuth' if address else 'clientAuth',
            names=f'subjectAltName = IP:{address}' if address else ''))
        openssl('req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
                '-config', work / 'config', '-subj', f'/CN={name}', '-keyout', work / 'key',
                '-out', work / 'request')
        openssl('ca', '-batch', '-notext', '-config', work / 'config', '-startdate', start,
                '-enddate', end, '-in', work / 'request', '-out', work / 'certificate')
        return (work / 'certificate').read_bytes(), (work / 'key').read_bytes()


def expired(authority, name, address=None):
    return issue(authority, name, '20200101000000Z', '20200102000000Z', address)
