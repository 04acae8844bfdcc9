"""What Schemathesis can't know from openapi.yaml. See scripts/openapi."""

import os

import schemathesis

# Values of parameters, where a schema can't tell those that are accepted from others. The tests in Go try the others.
ONLY = {
    "cursor": "",  # only the server knows its own
    "since": "",  # likewise
    "apiKey": "",  # stands in a header
    "secret": "",  # likewise
    "day": "",  # a date
    "month": "",
    "until": "",  # a day to come
    "logout": "false",  # the demo's phone links the device once
    "credential": "{}",  # a JSON object in a text
    "rate": "10",  # the operator bounds it
    "proxy": "none",
    "url": "http://127.0.0.1:1024/",  # of a webhook: nothing leaves this machine
    "events": "",
}
# Values that lead somewhere, beside those that are made up.
ALSO = {"phone": os.environ["PESAN_PHONE"]}


def known(name, schema):
    if name == "wait" and "schemas/Wait" in str(schema):
        return {"type": "integer", "enum": [0, 1]}
    if name in ONLY:
        return {"type": "string", "enum": [ONLY[name]]}
    if name in ALSO and "GroupJID" not in str(schema):
        return {"anyOf": [{"type": "string", "enum": [ALSO[name]]}, schema]}
    return schema


@schemathesis.hook
def before_load_schema(context, raw_schema):
    components = raw_schema["components"]
    for body in components["requestBodies"].values():
        body["content"].pop("application/x-ndjson", None)  # which Schemathesis can't write
    for parameter in components["parameters"].values():
        parameter["schema"] = known(parameter["name"], parameter["schema"])
    for name, schema in components["schemas"].items():
        if name.endswith("Form"):
            for name, property in schema["properties"].items():
                schema["properties"][name] = known(name, property)
