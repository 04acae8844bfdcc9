"""Deploys template.yaml to MiniStack and runs the end-to-end suite through it. See scripts/rehearse, which starts this."""

import argparse
import concurrent.futures
import contextlib
import json
import os
import queue
import re
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import boto3
import botocore.config
import botocore.exceptions

REGION = "ap-southeast-3"
STACK = "pesan"
SECRET = f"/{STACK}/secret"  # the parameter
AT_ONCE = 30  # functions that the simulated AWS account may run at a time
CONDITION = dict(ConditionExpression="attribute_exists(nothing)")  # so that an allowed write has no effect
ITEM = {"pk": {"S": "rehearsal"}, "sk": {"S": "rehearsal"}}


class Failure(Exception):
    """What the person at the terminal is told."""


class Progress:
    def __init__(self):
        self.began = time.monotonic()

    @contextlib.contextmanager
    def step(self, text):
        began = time.monotonic()
        print(f"· {text}", flush=True)
        yield
        print(f"  {time.monotonic() - began:.1f} s", flush=True)


def run(command, log, **more):
    """Runs a command to its end; its output goes to the file, and to the terminal if it fails."""
    with open(log, "ab") as out:
        code = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, **more).returncode
    if code != 0:
        with open(log, errors="replace") as text:
            lines = text.read()
            failed = re.findall(r".*_FAILED.*(?:\n {20,}.*)*", lines)
            raise Failure(f"{shlex.join(command)} ends with {code}:\n" + "\n".join(failed + [lines[-4000:]]))


@contextlib.contextmanager
def process(command, out, **more):
    """Runs a command and what it starts, as a group of its own, until the block ends."""
    p = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True, **more)
    try:
        yield p
    finally:
        for number, patience in ((signal.SIGTERM, 15), (signal.SIGKILL, 5)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(p.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                p.wait(patience)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_ready(url, p, log):
    for _ in range(300):
        if p.poll() is not None:
            break
        with contextlib.suppress(OSError):
            urllib.request.urlopen(url, timeout=1).close()
            return
        time.sleep(0.2)
    with open(log, errors="replace") as text:
        raise Failure(f"MiniStack doesn't answer:\n{text.read()[-4000:]}")


def stack_resources(cloudformation):
    """Physical ids by logical ids."""
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=STACK)
    return {r["LogicalResourceId"]: r["PhysicalResourceId"] for page in pages for r in page["StackResourceSummaries"]}


def add_routes(aws, resources):
    """Adds the routes that SAM wrote into the API's OpenAPI body, which MiniStack doesn't read."""
    template = aws("cloudformation").get_template(StackName=STACK, TemplateStage="Processed")["TemplateBody"]
    if isinstance(template, str):
        template = json.loads(template)
    gateway, functions = aws("apigatewayv2"), aws("lambda")
    paths = template["Resources"]["Api"]["Properties"]["Body"]["paths"]
    for path, methods in paths.items():
        for method, call in methods.items():
            if "x-amazon-apigateway-integration" not in call:
                continue
            alias = re.search(r"functions/\$\{(\w+)\}", json.dumps(call["x-amazon-apigateway-integration"]["uri"]))[1]
            arn = resources[alias]
            integration = gateway.create_integration(
                ApiId=resources["Api"], IntegrationType="AWS_PROXY", IntegrationUri=arn, PayloadFormatVersion="2.0")
            method = "ANY" if method == "x-amazon-apigateway-any-method" else method.upper()
            gateway.create_route(
                ApiId=resources["Api"], RouteKey=path if path == "$default" else f"{method} {path}",
                Target=f"integrations/{integration['IntegrationId']}")
    return len(paths)


def session(aws, role_arn):
    """Credentials of a role."""
    c = aws("sts").assume_role(RoleArn=role_arn, RoleSessionName="rehearsal")["Credentials"]
    return dict(aws_access_key_id=c["AccessKeyId"], aws_secret_access_key=c["SecretAccessKey"], aws_session_token=c["SessionToken"])


def rights(file):
    """The written table: for each role, what it may do on each resource."""
    table = {}
    with open(file) as lines:
        for line in lines:
            role, *right = line.partition("#")[0].split() or [None]
            if role:
                table.setdefault(role, {})
                if right != ["none"]:
                    table[role][right[0]] = set(right[1:])
    return table


def attempts(resources):
    """Every right that the written table knows, with a call that needs it and changes nothing."""
    for column in ("Accounts", "Commands", "Work", "Chats", "Messages", "Reports", "Devices", "Hooks", "Secrets"):
        table = resources[column + "Table"]
        yield column, "GetItem", lambda c, t=table: c("dynamodb").get_item(TableName=t, Key=ITEM)
        yield column, "BatchGetItem", lambda c, t=table: c("dynamodb").batch_get_item(RequestItems={t: {"Keys": [ITEM]}})
        yield column, "Query", lambda c, t=table: c("dynamodb").query(
            TableName=t, KeyConditionExpression="pk = :p", ExpressionAttributeValues={":p": ITEM["pk"]})
        yield column, "Scan", lambda c, t=table: c("dynamodb").scan(TableName=t, Limit=1)
        yield column, "PutItem", lambda c, t=table: c("dynamodb").put_item(TableName=t, Item=ITEM, **CONDITION)
        yield column, "UpdateItem", lambda c, t=table: c("dynamodb").update_item(TableName=t, Key=ITEM, **CONDITION)
        yield column, "DeleteItem", lambda c, t=table: c("dynamodb").delete_item(TableName=t, Key=ITEM, **CONDITION)
        yield column, "BatchWriteItem", lambda c, t=table: c("dynamodb").batch_write_item(
            RequestItems={t: [{"DeleteRequest": {"Key": ITEM}}]})
        yield column, "ConditionCheckItem", lambda c, t=table: c("dynamodb").transact_write_items(TransactItems=[
            {"ConditionCheck": {"TableName": t, "Key": ITEM, **CONDITION}}])
    for number in range(4):
        url = resources[f"Queue{number}"]
        yield "Queues", "SendMessage", lambda c, u=url: c("sqs").send_message(QueueUrl=u, MessageBody="no group: refused")
        yield "Queues", "ReceiveMessage", lambda c, u=url: c("sqs").receive_message(QueueUrl=u, WaitTimeSeconds=0)
        yield "Queues", "DeleteMessage", lambda c, u=url: c("sqs").delete_message(QueueUrl=u, ReceiptHandle="none")
        yield "Queues", "ChangeMessageVisibility", lambda c, u=url: c("sqs").change_message_visibility(
            QueueUrl=u, ReceiptHandle="none", VisibilityTimeout=0)
    url = resources["EventQueue"]
    yield "Events", "SendMessage", lambda c, u=url: c("sqs").send_message(QueueUrl=u, MessageBody="no group: refused")
    yield "Events", "ReceiveMessage", lambda c, u=url: c("sqs").receive_message(QueueUrl=u, WaitTimeSeconds=0)
    yield "Events", "DeleteMessage", lambda c, u=url: c("sqs").delete_message(QueueUrl=u, ReceiptHandle="none")
    yield "Events", "ChangeMessageVisibility", lambda c, u=url: c("sqs").change_message_visibility(
        QueueUrl=u, ReceiptHandle="none", VisibilityTimeout=0)
    yield "Events", "GetQueueAttributes", lambda c, u=url: c("sqs").get_queue_attributes(QueueUrl=u, AttributeNames=["QueueArn"])
    yield "DeadEvents", "ReceiveMessage", lambda c: c("sqs").receive_message(QueueUrl=resources["DeadEventsQueue"], WaitTimeSeconds=0)
    bucket = resources["MediaBucket"]
    yield "Media", "GetObject", lambda c: c("s3").get_object(Bucket=bucket, Key="nobody/nothing")
    yield "Media", "PutObject", lambda c: c("s3").put_object(Bucket=bucket, Key="nobody/nothing", Body=b"", ContentMD5="AAAAAAAAAAAAAAAAAAAAAA==")
    yield "Media", "DeleteObject", lambda c: c("s3").delete_object(Bucket=bucket, Key="nobody/nothing")
    yield "Media", "ListBucket", lambda c: c("s3").list_objects_v2(Bucket=bucket, MaxKeys=1)
    yield "DeadCommands", "ReceiveMessage", lambda c: c("sqs").receive_message(QueueUrl=resources["DeadCommandsQueue"], WaitTimeSeconds=0)
    yield "Secret", "GetParameter", lambda c: c("ssm").get_parameter(Name=SECRET, WithDecryption=True)


def check_rights(aws, resources, table):
    """Tries every right under every role: what is in the table is allowed, what isn't is refused."""
    def check(role):
        credentials = session(aws, aws("iam").get_role(RoleName=resources[role + "Role"])["Role"]["Arn"])
        clients = {}

        def client(service):
            if service not in clients:
                clients[service] = aws(service, **credentials)
            return clients[service]
        wrong, refused = [], 0
        for column, action, call in attempts(resources):
            try:
                call(client)
                allowed = True
            except botocore.exceptions.ClientError as e:
                if e.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
                    raise Failure(f"{role}: {action} on {column} fails: {e}") from e
                allowed = not e.response["Error"]["Code"].startswith("AccessDenied")
            if allowed != (action in table[role].get(column, ())):
                wrong.append(f"{role} is {'allowed' if allowed else 'refused'} {action} on {column}")
            refused += not allowed
        return wrong, refused

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        results = list(pool.map(check, table))
    wrong = [line for lines, _ in results for line in lines]
    if wrong:
        raise Failure("the roles' rights aren't those of docs/rights.txt:\n" + "\n".join(wrong))
    return sum(refused for _, refused in results)


def put_secret(aws, value):
    aws("ssm").put_parameter(Name=SECRET, Type="SecureString", Value=value, Overwrite=True)


def call(url, endpoint, **form):
    """The status of a call of the API."""
    return ask(url, endpoint, **form)[0]


def ask(url, endpoint, **form):
    """The status and the body of a call of the API."""
    host = urllib.parse.urlsplit(url)
    request = urllib.request.Request(
        f"http://127.0.0.1:{host.port}/api/{endpoint}", urllib.parse.urlencode(form).encode(), {"Host": host.netloc})
    try:
        with urllib.request.urlopen(request, timeout=40) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read()


def add_device(url, secret):
    """The key and the id of a new device."""
    answer = json.loads(ask(url, "addDevice", secret=secret, name="rehearsal")[1])
    return answer["data"]["apiKey"], answer["data"]["id"]


def replace_secret(aws, url):
    """Follows the procedure of docs/aws.md while the function runs: the new secret opens at once, and then the old one doesn't."""
    old, new = (aws("ssm").get_parameter(Name=SECRET, WithDecryption=True)["Parameter"]["Value"], secrets.token_hex(20))
    have = [call(url, "listDevice", secret=old)]
    put_secret(aws, new)
    have += [call(url, "listDevice", secret=new), call(url, "listDevice", secret=old)]
    if have != [200, 200, 401]:
        raise Failure(f"listDevice answers {have}: with the secret, after its replacement with the new one, with the old one")


@contextlib.contextmanager
def asleep(host):
    """A host that doesn't work, though its heartbeat holds for some seconds more: calls that command wait for it."""
    os.killpg(host.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(host.pid, signal.SIGCONT)


def starve(url, key, calls):
    """Makes calls that command, 100 a second, and calls that read until those have been answered. Returns the statuses of both, and how
    long the slowest read took."""
    reads, slowest = [], 0
    with concurrent.futures.ThreadPoolExecutor(calls) as pool:
        commands = []
        for _ in range(calls):
            commands.append(pool.submit(call, url, "serviceStart", apiKey=key))
            time.sleep(1 / 100)
        while len(reads) < 10 or not all(c.done() for c in commands):
            began = time.monotonic()
            reads.append(call(url, "getState", apiKey=key))
            slowest = max(slowest, time.monotonic() - began)
            time.sleep(0.2)
        return [c.result() for c in commands], reads, slowest


@contextlib.contextmanager
def bounded(aws, resources, name, at_once):
    """A function that runs so many calls at a time, as CommandsAtOnce has it. MiniStack counts those of a function, not of its alias, so
    the API calls the function meanwhile."""
    gateway, functions = aws("apigatewayv2"), aws("lambda")
    arn = functions.get_function(FunctionName=resources[name])["Configuration"]["FunctionArn"]
    routes = {r["RouteKey"]: r["Target"].split("/")[1] for r in gateway.get_routes(ApiId=resources["Api"])["Items"]}
    integration = dict(ApiId=resources["Api"], IntegrationId=routes[f"ANY /api/{name[0].lower()}{name[1:]}"])
    before = gateway.get_integration(**integration)["IntegrationUri"]
    functions.put_function_concurrency(FunctionName=resources[name], ReservedConcurrentExecutions=at_once)
    gateway.update_integration(**integration, IntegrationUri=arn)
    yield
    gateway.update_integration(**integration, IntegrationUri=before)
    functions.delete_function_concurrency(FunctionName=resources[name])


def await_line(lines, text):
    """Waits until a program says something."""
    with contextlib.suppress(queue.Empty):
        while text not in lines.get(timeout=60):
            pass
        return
    raise Failure(f"the host doesn't say: {text}")


def check_starvation(options, aws, resources, url, environment):
    """Commands at 100 a second that no host carries out leave room for reads, when CommandsAtOnce bounds them."""
    secret = aws("ssm").get_parameter(Name=SECRET, WithDecryption=True)["Parameter"]["Value"]
    key, device = add_device(url, secret)
    with process([options.host], subprocess.PIPE, env=environment) as host:
        lines = queue.Queue()
        threading.Thread(target=lambda: [lines.put(line.decode()) for line in host.stdout], daemon=True).start()
        await_line(lines, "shards taken")
        if call(url, "serviceStart", apiKey=key) not in (200, 202):
            raise Failure("serviceStart fails")
        with asleep(host):
            _, free, _ = starve(url, key, AT_ONCE + 20)
        await_line(lines, "command ended")
        with bounded(aws, resources, "ServiceStart", 5), asleep(host):
            commands, reads, slowest = starve(url, key, 200)
        if reads != [200] * len(reads):
            raise Failure(f"commands starve reads, which are answered {reads}")
        print(f"  without a bound {len(free) - free.count(200)} of {len(free)} reads are turned away; with 5 at a time {commands.count(429)} of "
              f"{len(commands)} commands are, and no read, of which the slowest took {slowest:.1f} s")
        status, body = ask(url, "deleteDevice", secret=secret, id=device)
        if status not in (200, 202):
            raise Failure(f"deleteDevice answers {status} {body.decode()}")
        os.killpg(host.pid, signal.SIGTERM)
        host.wait(60)  # a poll that outlived it would take a command of the suite's, and hide it


def host_environment(aws, resources):
    """What the task definition gives the host, and the credentials of its task role."""
    task = aws("ecs").describe_task_definition(taskDefinition=resources["HostTask"])["taskDefinition"]
    environment = {e["name"]: e["value"] for e in task["containerDefinitions"][0]["environment"]}
    c = session(aws, task["taskRoleArn"])
    return environment | dict(
        AWS_ACCESS_KEY_ID=c["aws_access_key_id"], AWS_SECRET_ACCESS_KEY=c["aws_secret_access_key"],
        AWS_SESSION_TOKEN=c["aws_session_token"], AWS_REGION=REGION)


def rehearse(options, progress, folder):
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    bare = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")} | dict(TMPDIR=folder)
    local = dict(AWS_ENDPOINT_URL=endpoint, AWS_DEFAULT_REGION=REGION)
    test = dict(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", SAM_CLI_ENABLE_LANGUAGE_EXTENSIONS="1")
    log = os.path.join(folder, "ministack.log")

    def aws(service, **credentials):
        credentials = credentials or dict(aws_access_key_id="test", aws_secret_access_key="test")
        return boto3.client(service, region_name=REGION, endpoint_url=endpoint,
                            config=botocore.config.Config(retries={"total_max_attempts": 3}), **credentials)

    with contextlib.ExitStack() as running:
        with progress.step("build the functions, the host and the suite for this machine"):
            run(["make", "--no-print-directory", "functions", "host", "suite", "ARCH=" + options.arch], log + ".make")
            if options.functions:
                for folder_of in os.listdir(options.functions):
                    if os.path.isdir("dist/" + folder_of):
                        shutil.copytree(f"{options.functions}/{folder_of}", "dist/" + folder_of, dirs_exist_ok=True)
        with progress.step("start MiniStack, with IAM enforced"):
            p = running.enter_context(process(shlex.split(options.ministack), running.enter_context(open(log, "ab")), env=bare | local | test | dict(
                GATEWAY_PORT=str(port), BIND_HOST="127.0.0.1", AUTH="true", MINISTACK_REGION=REGION,
                IOT_MTLS_ENABLED="0", SFTP_ENABLED="0",
                LAMBDA_ACCOUNT_CONCURRENCY=str(AT_ONCE))))
            wait_ready(endpoint + "/_ministack/health", p, log)
        sam = shlex.split(options.sam)
        environment = bare | local | test | dict(SAM_CLI_TELEMETRY="0")
        with progress.step("sam build"):
            run(sam + ["build", "--build-dir", folder + "/build"], log + ".sam", env=environment)
        with progress.step("sam deploy"):
            put_secret(aws, secrets.token_hex(20))
            run(sam + ["deploy", "--template-file", folder + "/build/template.yaml", "--stack-name", STACK,
                       "--resolve-s3", "--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND", "--no-confirm-changeset", "--parameter-overrides",
                       "Architecture=" + {"amd64": "x86_64"}.get(options.arch, options.arch), "WebhookLoopback=true"], log + ".sam", env=environment)
        resources = stack_resources(aws("cloudformation"))
        with progress.step("add what MiniStack needs beside the template: the API's routes"):
            print(f"  {add_routes(aws, resources)} routes")
        with progress.step("try every right of every role"):
            table = rights("docs/rights.txt")
            print(f"  {len(table)} roles, {check_rights(aws, resources, table)} calls refused, all as written in docs/rights.txt")
        url = f"http://{resources['Api']}.execute-api.localhost:{port}"
        with progress.step("replace the system secret"):
            replace_secret(aws, url)
        with progress.step("command at 100 calls a second, and read beside them"):
            check_starvation(options, aws, resources, url, bare | local | host_environment(aws, resources) | dict(
                WHATSAPP_ADDRESS="127.0.0.1:1", WHATSAPP_ROOT_KEY="00" * 32, HEALTH_ADDRESS="127.0.0.1:0"))
        with progress.step("run the end-to-end suite: HTTP API → Lambda → SQS → session host → WhatsApp → DynamoDB"):
            secret = aws("ssm").get_parameter(Name=SECRET, WithDecryption=True)["Parameter"]["Value"]
            suite = [options.suite, "-url", url, "--", options.host]
            with process(suite, None, env=bare | local | host_environment(aws, resources) | dict(
                    PESAN_SECRET=secret, HEALTH_ADDRESS="127.0.0.1:0")) as p:
                code = p.wait()
            if code != 0:
                keep = os.path.abspath("rehearsal.log")
                shutil.copyfile(log, keep)
                raise Failure(f"the suite failed; MiniStack's log is in {keep}")


def command(name, description, work, add=lambda parser: None):
    """Runs work(options, progress, folder) as a command, which says how it went and leaves no folder behind."""
    arches = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--sam", required=True, help="command of the SAM CLI")
    parser.add_argument("--arch", default=arches.get(os.uname().machine, os.uname().machine), help="GOARCH of this machine")
    add(parser)
    parser.add_argument("--functions", help="folder of functions that take the place of those of the same name, such as of another release")
    parser.add_argument("--host", default="bin/session-host", help="the session host, such as of another release")
    parser.add_argument("--suite", default="bin/e2e", help="the end-to-end suite, such as of another release")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    progress = Progress()
    folder = tempfile.mkdtemp(prefix=f"pesan-{name}-")
    try:
        work(options, progress, folder)
        print(f"{name}: all went well; {time.monotonic() - progress.began:.0f} s")
    except Failure as e:
        sys.exit(f"{name}: {e}")
    except KeyboardInterrupt:
        sys.exit(f"{name}: interrupted")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def arguments(parser):
    parser.add_argument("--ministack", required=True, help="command of MiniStack")


if __name__ == "__main__":
    command("rehearse", __doc__, rehearse, arguments)
