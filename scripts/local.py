"""Runs Pesan in containers on this machine and tests it. See scripts/local, which starts this."""

import contextlib
import json
import os
import pathlib
import resource
import secrets
import shlex
import shutil
import subprocess
import sys
import tarfile
import time
import urllib.request

import boto3
from samcli.yamlhelper import yaml_parse

from rehearse import REGION, Failure, command, free_port, process, run

NETWORK = "pesan-local"
CLOUD = "pesan-local-cloud"  # the container of LocalStack
PORT = 4566
LOCALSTACK = "docker.io/localstack/localstack:4.14.0"
HOST_IMAGE = "pesan-session-host:local"
HOST = "pesan-local-host"
SECRET = "/pesan/secret"
BUCKET = "pesan-media"


class Engine:
    """What runs containers: Docker where it answers, else Podman, whose API sam uses as if it were Docker's."""

    def __init__(self, folder, running):
        self.environment = dict(os.environ)
        self.log = os.path.join(folder, "engine.log")
        if shutil.which("docker") and subprocess.run(["docker", "version"], capture_output=True).returncode == 0:
            self.command, self.podman = ["docker"], False
            return
        if not shutil.which("podman") or os.geteuid() != 0:
            raise Failure("Docker doesn't answer, and there is no Podman that root runs (Debian: apt-get install podman runc)")
        self.command, self.podman = ["podman"], True
        most = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 16384)
        conf = os.path.join(folder, "containers.conf")
        with open(conf, "w") as file:
            file.write(f'[containers]\ndefault_ulimits = ["nofile={most}:{most}", "nproc=16384:16384"]\n'
                       '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n')
        sock = os.path.join(folder, "engine.sock")
        self.environment |= dict(CONTAINERS_CONF=conf, DOCKER_HOST="unix://" + sock)
        running.enter_context(process(
            ["podman", "system", "service", "--time=0", "unix://" + sock], running.enter_context(open(self.log, "ab")), env=self.environment))
        for _ in range(100):
            if os.path.exists(sock):
                return
            time.sleep(0.1)
        raise Failure("Podman's API doesn't start: " + pathlib.Path(self.log).read_text(errors="replace"))

    def __call__(self, *arguments):
        run(self.command + list(arguments), self.log, env=self.environment)

    def quietly(self, *arguments):
        return subprocess.run(self.command + list(arguments), capture_output=True, env=self.environment).returncode == 0


def files_of_base():
    """A shell, what images' own steps call, and certificates, with the libraries that they need: enough to build on."""
    programs = [os.path.realpath(shutil.which(name)) for name in ("sh", "mv", "cp", "chmod", "mkdir", "rm", "env")]
    programs += [shutil.which(name) for name in ("sh", "mv", "cp", "chmod", "mkdir", "rm", "env")]
    return set(programs) | libraries(programs) | {"/etc/ssl/certs/ca-certificates.crt"}


def libraries(binaries):
    found = set()
    for line in subprocess.run(["ldd", *binaries], capture_output=True, text=True).stdout.splitlines():
        for word in line.split():
            if word.startswith("/") and os.path.exists(word.rstrip(":")):
                found.add(word.rstrip(":"))
    return found


def import_image(engine, folder, name, files, *changes):
    """Makes an image of files of this machine, under their own names."""
    archive = os.path.join(folder, "image.tar")
    with tarfile.open(archive, "w") as tar:
        for link in ("bin", "sbin", "lib", "lib64"):  # to their places under /usr, as on most systems
            if os.path.islink("/" + link):
                tar.add("/" + link, arcname=link)
        places = set()
        for file in files:
            places.add(os.path.join(os.path.realpath(os.path.dirname(file)), os.path.basename(file)))
            places.add(os.path.realpath(file))
        for place in sorted(places):
            tar.add(place, arcname=place.lstrip("/"), recursive=False)
        tmp = tarfile.TarInfo("tmp")
        tmp.type, tmp.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(tmp)
    engine("import", *(word for change in changes for word in ("--change", change)), archive, name)


def tree(*folders, without=()):
    for folder in folders:
        for at, below, names in os.walk(folder):
            below[:] = [name for name in below if name not in without]
            yield from (os.path.join(at, name) for name in names)


def make_stand_ins(engine, folder, ministack, architecture):
    base = files_of_base()
    import_image(engine, folder, f"public.ecr.aws/lambda/provided:al2023-{architecture}", base, "ENV PATH=/usr/bin:/bin")
    import_image(engine, folder, "docker.io/library/golang:1.26", base,
                 "ENV PATH=/usr/local/go/bin:/usr/bin:/bin", "ENV HOME=/tmp", "ENV GOPROXY=off", "ENV GOMODCACHE=/go/pkg/mod", "ENV GOCACHE=/go/build")
    ministack = os.path.realpath(ministack)
    python = os.path.join(ministack, "bin", "python")
    prefix = subprocess.run([python, "-c", "import sys; print(sys.base_prefix)"], capture_output=True, text=True).stdout.strip()
    version = f"python3.{sys.version_info.minor}"
    lib = os.path.join(prefix, "lib", version)
    files = set(tree(lib, without=("test", "site-packages", "dist-packages", "idlelib", "__pycache__", "ensurepip")))
    files |= set(tree(ministack, without=("__pycache__",)))
    files |= {os.path.join(prefix, "bin", name) for name in ("python3", version)} | set(tree(os.path.join(prefix, "lib"), without=(version,)) if prefix != "/usr" else ())
    shared = [file for file in files if file.endswith(".so") or ".so." in file]
    files |= base | libraries([os.path.realpath(python), *shared])
    import_image(engine, folder, LOCALSTACK, files, f'ENTRYPOINT ["{python}", "-m", "ministack"]', f"ENV GATEWAY_PORT={PORT}",
                 "ENV BIND_HOST=0.0.0.0", f"ENV MINISTACK_REGION={REGION}", "ENV HOME=/tmp", "ENV IOT_MTLS_ENABLED=0", "ENV SFTP_ENABLED=0")


def build_host(engine, stand_ins, arch):
    more = []
    if stand_ins:  # the compiler and what it has fetched and made are this machine's
        run(["go", "mod", "download"], engine.log)
        go = json.loads(subprocess.run(["go", "env", "-json"], capture_output=True, text=True).stdout)
        for name, at in ("GOROOT", "/usr/local/go"), ("GOMODCACHE", "/go/pkg/mod"), ("GOCACHE", "/go/build"):
            more += ["--volume", f"{go[name]}:{at}"]
    engine("build", "--platform", "linux/" + arch, *more, "-f", "session-host/Dockerfile", "-t", HOST_IMAGE, ".")


def wait_for(url):
    for _ in range(600):
        with contextlib.suppress(OSError):
            urllib.request.urlopen(url, timeout=2).close()
            return
        time.sleep(0.2)
    raise Failure(f"{url} doesn't answer")


def make_resources(secret):
    """Tables, queues, the bucket and the secret, as the template makes them. Returns the programs' variables, and the queues' numbers."""
    def aws(service):
        return boto3.client(service, region_name=REGION, endpoint_url=f"http://127.0.0.1:{PORT}",
                            aws_access_key_id="test", aws_secret_access_key="test")

    with open("template.yaml") as file:
        template = yaml_parse(file.read())
    _, names, tables = template["Resources"]["Fn::ForEach::Tables"]
    table = tables["${Name}Table"]["Properties"]
    variables = {}
    for name in names:
        aws("dynamodb").create_table(
            TableName=name, **{key: table[key] for key in ("BillingMode", "AttributeDefinitions", "KeySchema")})
        variables[name.upper() + "_TABLE"] = name
    queue = template["Resources"]["Fn::ForEach::CommandQueues"][2]["Queue${Number}"]["Properties"]
    kept = ("FifoQueue", "FifoThroughputLimit", "DeduplicationScope", "VisibilityTimeout", "ReceiveMessageWaitTimeSeconds")
    numbers = template["Parameters"]["Queues"]["Default"]
    for number in numbers.split(","):
        aws("sqs").create_queue(QueueName=f"pesan-queue-{number}.fifo", Attributes={
            key: str(queue[key]).lower() if isinstance(queue[key], bool) else str(queue[key]) for key in kept})
    event = template["Resources"]["EventQueue"]["Properties"]
    aws("sqs").create_queue(QueueName="pesan-events.fifo", Attributes={
        key: str(event[key]).lower() if isinstance(event[key], bool) else str(event[key]) for key in kept if key in event})
    aws("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    aws("ssm").put_parameter(Name=SECRET, Type="SecureString", Value=secret)
    variables["MEDIA_BUCKET"] = BUCKET
    return variables, numbers


def local(options, progress, folder):
    architecture = {"amd64": "x86_64"}.get(options.arch, options.arch)
    access = dict(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_REGION=REGION, AWS_DEFAULT_REGION=REGION)
    with contextlib.ExitStack() as running:
        engine = Engine(folder, running)
        with progress.step("build the functions and the suite for this machine"):
            run(["make", "--no-print-directory", "functions", "suite", "ARCH=" + options.arch], engine.log)
        if options.stand_ins:
            with progress.step("make base images of this machine's own files"):
                make_stand_ins(engine, folder, options.ministack, architecture)
        with progress.step("build the session host's image"):
            build_host(engine, options.stand_ins, options.arch)
        with progress.step("start what stands for AWS"):
            engine.quietly("rm", "-f", CLOUD)
            if not engine.quietly("network", "inspect", NETWORK):
                engine("network", "create", NETWORK)
            running.callback(engine.quietly, "network", "rm", "-f", NETWORK)
            engine("run", "-d", "--name", CLOUD, "--network", NETWORK, "--network-alias", "cloud", "-p", f"127.0.0.1:{PORT}:{PORT}",
                   "-e", "SERVICES=dynamodb,s3,sqs,ssm", LOCALSTACK)
            running.callback(engine.quietly, "rm", "-f", CLOUD)
            wait_for(f"http://127.0.0.1:{PORT}/_localstack/health")
            secret = os.environ.get("PESAN_SECRET") or secrets.token_hex(20)
            variables, numbers = make_resources(secret)

        def places(cloud):
            return dict(AWS_ENDPOINT_URL=f"http://{cloud}:{PORT}", SECRET_PARAMETER=SECRET,
                        EVENT_QUEUE_URL=f"http://{cloud}:{PORT}/000000000000/pesan-events.fifo",
                        QUEUE_URL=f"http://{cloud}:{PORT}/000000000000/pesan-queue-{{{numbers}}}.fifo")
        with progress.step("start the functions"):
            sam = shlex.split(options.sam)
            environment = engine.environment | access | dict(SAM_CLI_TELEMETRY="0", SAM_CLI_ENABLE_LANGUAGE_EXTENSIONS="1")
            run(sam + ["build", "--build-dir", folder + "/build"], engine.log, env=environment)
            built = pathlib.Path(folder, "build", "template.yaml")  # sam hands over only variables that the template names
            built.write_text(built.read_text().replace("        COUNTRY_CODE:", "        AWS_ENDPOINT_URL: ''\n        COUNTRY_CODE:", 1))
            env_file = pathlib.Path(folder, "env.json")
            env_file.write_text(json.dumps({"Parameters": variables | places("cloud")}))
            port = options.port or free_port()
            api = os.path.join(folder, "api.log")
            running.enter_context(process(
                sam + ["local", "start-api", "--template", str(built), "--env-vars", str(env_file), "--port", str(port),
                       "--warm-containers", "LAZY", "--docker-network", NETWORK,
                       "--parameter-overrides", "Architecture=" + architecture] + ["--skip-pull-image"] * options.stand_ins,
                running.enter_context(open(api, "ab")), env=environment))
            wait_for_api(f"http://127.0.0.1:{port}/api/noSuchEndpoint", api)
        # The host shares this machine's network: so it reaches the simulated WhatsApp, which listens here only.
        values = variables | places("127.0.0.1") | access | dict(STACK_NAME="local", HEALTH_ADDRESS="127.0.0.1:0")
        host = engine.command + ["run", "--rm", "--name", HOST, "--network", "host", "--read-only"]
        running.callback(engine.quietly, "rm", "-f", HOST)
        for name, value in values.items():
            host += ["-e", f"{name}={value}"]
        url = f"http://127.0.0.1:{port}"
        if options.serve:
            print(f"The API is at {url}, the system secret is {secret}", flush=True)
            with process(host + [HOST_IMAGE], None, env=engine.environment) as p:
                p.wait()
            return
        host += ["-e", "WHATSAPP_ADDRESS", "-e", "WHATSAPP_ROOT_KEY", HOST_IMAGE]
        # The suite kills the host and starts it again. What it kills is the engine's client; the container goes before the next begins.
        remove = shlex.join(engine.command + ["rm", "-f", HOST])
        host = ["sh", "-c", f"{remove} >/dev/null 2>&1; exec {shlex.join(host)}"]
        with progress.step("run the end-to-end suite: HTTP API → functions → SQS → session host → WhatsApp → DynamoDB"):
            # sam's containers can't call sam itself, as the function of assistants would have to. Files lead to the name that the
            # containers know.
            with process(["bin/e2e", "-url", url, "-limit", "15m", "-without", "Assistant", "-here", "cloud", "--"] + host, None, env=engine.environment | dict(PESAN_SECRET=secret)) as p:
                code = p.wait()
            if code != 0:
                keep = os.path.abspath("local.log")
                with open(keep, "wb") as out:
                    for log in (engine.log, api):
                        out.write(pathlib.Path(log).read_bytes())
                raise Failure(f"the suite failed; the logs of the containers and of sam are in {keep}")


def wait_for_api(url, log):
    """Waits until the functions answer: the first call builds sam's image."""
    for _ in range(900):
        try:
            urllib.request.urlopen(url, timeout=60).close()
        except urllib.error.HTTPError as e:
            if e.code == 404:
                return
        except OSError:
            pass
        time.sleep(0.5)
    raise Failure("sam local doesn't answer: " + pathlib.Path(log).read_text(errors="replace")[-4000:])


def arguments(parser):
    parser.add_argument("--ministack", required=True, help="folder of MiniStack's environment")
    parser.add_argument("--serve", action="store_true", help="stay, instead of running the suite")
    parser.add_argument("--stand-ins", action="store_true", help="pull no image")
    parser.add_argument("--port", type=int, help="of the API; a free one")


if __name__ == "__main__":
    command("local", __doc__, local, arguments)
