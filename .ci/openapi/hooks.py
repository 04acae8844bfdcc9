"""What Schemathesis can't know from openapi.yaml. See scripts/openapi."""

import copy
import os

import jsonschema_rs
import schemathesis
from schemathesis.core.failures import Failure
from schemathesis.specs.openapi.checks import negative_data_rejection

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
    raw.update(copy.deepcopy(raw_schema))
    components = raw_schema["components"]
    for body in components["requestBodies"].values():
        body["content"].pop("application/x-ndjson", None)  # which Schemathesis can't write
    for parameter in components["parameters"].values():
        parameter["schema"] = known(parameter["name"], parameter["schema"])
    for name, schema in components["schemas"].items():
        if name.endswith("Form"):
            for name, property in schema["properties"].items():
                schema["properties"][name] = known(name, property)


OWN = os.environ["PESAN_KEY"].split("_")[1]  # the device that all calls go to


@schemathesis.hook
def before_call(context, case, kwargs):
    """Keeps the device as it is, also where wrong data is made, or what others have answered is used."""
    for values in (case.query, case.body):
        if isinstance(values, dict):
            if values.get("logout") not in (None, "false"):
                values["logout"] = "false"
            if values.get("id") == OWN and case.path.endswith(("deleteDevice", "changeApiKey", "setLimit")):
                values["id"] = "another"


raw = {}  # openapi.yaml as it is, once it is read


def forms(case):
    """Where a call's parameters stand, each with its schema and the names of those that must be there."""
    operation = raw["paths"][case.path][case.method.lower()]
    if isinstance(case.body, dict):
        body = raw["components"]["requestBodies"][operation["requestBody"]["$ref"].split("/")[-1]]
        form = body["content"]["application/x-www-form-urlencoded"]["schema"]
        form = raw["components"]["schemas"][form["$ref"].split("/")[-1]]
        yield case.body, form["properties"], form.get("required", [])
    parameters = [raw["components"]["parameters"][p["$ref"].split("/")[-1]] for p in operation.get("parameters", [])]
    query = [p for p in parameters if p["in"] == "query"]
    yield case.query, {p["name"]: p["schema"] for p in query}, [p["name"] for p in query if p.get("required")]


def taken(value, schema):
    """Whether a value is what the schema says as the API reads it: by its text."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    readings = [value, text]
    try:
        readings.append(float(text) if "." in text else int(text))
    except ValueError:
        pass
    validator = jsonschema_rs.validator_for({**schema, "components": raw["components"]})
    return any(validator.is_valid(reading) for reading in readings)


def explained(case):
    """Whether the API's leniency, which openapi.yaml describes in words, makes good of what its schemas call wrong: null and an empty text
    are absent, a number or true or false is its text, an unknown parameter is passed over, the credential may stand in a header."""
    for values, schemas, required in forms(case):
        values = {name: value for name, value in (values or {}).items() if name in schemas and value is not None and value != ""}
        if any(name not in values for name in required if name not in ("apiKey", "secret")):
            return False
        if not all(taken(value, schemas[name]) for name, value in values.items()):
            return False
    return True


@schemathesis.check
def wrong_data_is_refused(context, response, case):
    try:
        negative_data_rejection(context, response, case)
    except Failure:
        if not explained(case):
            raise
