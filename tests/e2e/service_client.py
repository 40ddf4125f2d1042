"""A client of ltmld in Python: stubs made from proto/ when it starts, TLS or token, and the details
of errors."""
import importlib
import pathlib
import subprocess
import sys
import tempfile
import tomllib

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLUGIN = '/usr/bin/grpc_python_plugin'


class Stubs:
    """Python modules of the .proto files, in a folder that lives as long as this object."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix='ltml-stubs-')
        google = ROOT / '.deps/python'
        ours = sorted((ROOT / 'proto/ltml/v1').glob('*.proto'))
        theirs = [google / 'google/rpc' / f'{name}.proto' for name in ('status', 'error_details')]
        subprocess.run(['protoc', f'--proto_path={ROOT / "proto"}', f'--proto_path={google}',
                        f'--python_out={self.folder.name}', f'--grpc_out={self.folder.name}',
                        f'--plugin=protoc-gen-grpc={PLUGIN}', *map(str, ours + theirs)], check=True)
        sys.path.insert(0, self.folder.name)
        # protoc's google/ would stand behind the installed package of that name.
        import google as package
        package.__path__.append(str(pathlib.Path(self.folder.name) / 'google'))
        for name in ('job', 'job_service', 'pool_service', 'report', 'worker_service'):
            setattr(self, name, importlib.import_module(f'ltml.v1.{name}_pb2'))
        self.job_grpc = importlib.import_module('ltml.v1.job_service_pb2_grpc')
        self.pool_grpc = importlib.import_module('ltml.v1.pool_service_pb2_grpc')
        self.worker_grpc = importlib.import_module('ltml.v1.worker_service_pb2_grpc')
        self.status = importlib.import_module('google.rpc.status_pb2')
        self.details = importlib.import_module('google.rpc.error_details_pb2')

    def close(self):
        sys.path.remove(self.folder.name)
        self.folder.cleanup()


class Client:
    """The services behind one client.toml.  `certificate` and `token` stand in for what is there."""

    def __init__(self, stubs, config_file, certificate=None, token=None):
        config = tomllib.loads(config_file.read_text())
        folder = config_file.parent
        self.server = config['server']
        self.channel = grpc.secure_channel(
            self.server, self._credentials(folder, config, certificate, token))
        self.jobs = stubs.job_grpc.JobServiceStub(self.channel)
        self.pool = stubs.pool_grpc.PoolServiceStub(self.channel)
        self.metadata = [('authorization', f'Bearer {token}')] if token else []

    @staticmethod
    def _credentials(folder, config, certificate, token):
        def read(key):
            return (folder / config[key]).read_bytes()
        if token is not None or certificate == ():
            return grpc.ssl_channel_credentials(read('authority'))
        certificate, key = certificate or (read('certificate'), read('key'))
        return grpc.ssl_channel_credentials(read('authority'), key, certificate)

    def close(self):
        self.channel.close()

    def raw(self, method, request, serialize, deserialize):
        """A unary call of a service without stubs."""
        return self.channel.unary_unary(method, serialize, deserialize)(
            request, timeout=20, metadata=self.metadata)


def details(stubs, error):
    """{name of the google.rpc message: the message} of an RpcError."""
    status = stubs.status.Status()
    for key, value in error.trailing_metadata():
        if key == 'grpc-status-details-bin':
            status.ParseFromString(value)
    found = {}
    for packed in status.details:
        name = packed.TypeName()
        detail = getattr(stubs.details, name.rsplit('.', 1)[1])()
        packed.Unpack(detail)
        found[name] = detail
    return found


def _file(package, name, messages):
    """A .proto file with messages of {field: (number, type, repeated)}."""
    file = descriptor_pb2.FileDescriptorProto(name=name, package=package, syntax='proto3')
    for message, fields in messages.items():
        entry = file.message_type.add(name=message)
        for field, (number, kind, repeated) in fields.items():
            added = entry.field.add(name=field, number=number, label=3 if repeated else 1)
            if isinstance(kind, str):
                added.type, added.type_name = 11, f'.{package}.{kind}'
            else:
                added.type = kind
    return file


STRING, INTEGER = 9, 5


def messages_of(file):
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    factory = message_factory.MessageFactory(pool)
    return {entry.name: factory.GetPrototype(pool.FindMessageTypeByName(f'{file.package}.{entry.name}'))
            for entry in file.message_type}


def health(client, service=''):
    """The serving status of grpc.health.v1: 1 is SERVING."""
    types = messages_of(_file('grpc.health.v1', 'health.proto', {
        'HealthCheckRequest': {'service': (1, STRING, False)},
        'HealthCheckResponse': {'status': (1, INTEGER, False)}}))
    answer = client.raw('/grpc.health.v1.Health/Check', types['HealthCheckRequest'](service=service),
                        types['HealthCheckRequest'].SerializeToString,
                        types['HealthCheckResponse'].FromString)
    return answer.status


def reflected_services(client):
    """Names of the services that grpc.reflection tells of."""
    types = messages_of(_file('grpc.reflection.v1alpha', 'reflection.proto', {
        'ServerReflectionRequest': {'list_services': (7, STRING, False)},
        'ServiceResponse': {'name': (1, STRING, False)},
        'ListServiceResponse': {'service': (1, 'ServiceResponse', True)},
        'ServerReflectionResponse': {'list_services_response': (6, 'ListServiceResponse', False)}}))
    call = client.channel.stream_stream(
        '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo',
        types['ServerReflectionRequest'].SerializeToString,
        types['ServerReflectionResponse'].FromString)
    answers = call(iter([types['ServerReflectionRequest'](list_services='*')]), timeout=20,
                   metadata=client.metadata)
    return [service.name for service in next(answers).list_services_response.service]
