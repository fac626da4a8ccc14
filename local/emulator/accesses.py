"""Which actions on which resources a request needs, as IAM would check them.

A request that is not listed here is refused, so that no call goes unchecked.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, unquote

import xmltodict
from werkzeug import Request

from local.emulator.policies import Access
from local.emulator.settings import ACCOUNT, REGION

# Query parameters that do not select one of S3's operations.
_PARAMETERS = {
    *("continuation-token", "delimiter", "encoding-type", "fetch-owner", "list-type", "marker"),
    *("key-marker", "max-keys", "partNumber", "prefix", "start-after", "version-id-marker"),
    *("versionId", "x-id", "AWSAccessKeyId", "Expires", "Signature"),
}
_OBJECT_ACTIONS = {
    ("DELETE", ""): "DeleteObject",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
    ("GET", ""): "GetObject",
    ("GET", "uploadId"): "ListMultipartUploadParts",
    ("HEAD", ""): "GetObject",
    ("POST", "uploadId"): "PutObject",
    ("POST", "uploads"): "PutObject",
    ("PUT", ""): "PutObject",
    ("PUT", "uploadId"): "PutObject",
}
_BUCKET_ACTIONS = {
    ("GET", ""): "ListBucket",
    ("GET", "location"): "GetBucketLocation",
    ("GET", "uploads"): "ListBucketMultipartUploads",
    ("GET", "versions"): "ListBucketVersions",
    ("HEAD", ""): "ListBucket",
}
_OF_VERSIONS = {"DeleteObject": "DeleteObjectVersion", "GetObject": "GetObjectVersion"}

_TRANSACTION_ACTIONS = {
    "ConditionCheck": "ConditionCheckItem",
    "Delete": "DeleteItem",
    "Get": "GetItem",
    "Put": "PutItem",
    "Update": "UpdateItem",
}
_INVOCATION = re.compile(r"/2015-03-31/functions/([^/]+)/invocations")


class UnknownRequestError(Exception):
    """The permissions that a request needs are not known."""


def accesses(service: str, request: Request) -> list[Access]:
    """Return the actions and resources that a request needs.

    Parameters
    ----------
    service
        The service that the request is signed for.
    request

    Raises
    ------
    UnknownRequestError
        If they are not known.
    """
    match service:
        case "s3":
            return list(_of_s3(request))
        case "dynamodb":
            return list(_of_dynamodb(_operation(request), _document(request)))
        case "states":
            return [_of_states(_operation(request), _document(request))]
        case "events":
            return list(_of_events(_operation(request), _document(request)))
        case "glue":
            return list(_of_glue(_operation(request), _document(request)))
        case "sqs":
            return [_of_sqs(_operation(request), _document(request))]
        case "sns":
            return [_of_sns(parse_qs(request.get_data(as_text=True)))]
        case "lambda":
            return [_of_lambda(request)]
    raise UnknownRequestError(f"the service {service}")


def form_accesses(bucket: str, key: str) -> list[Access]:
    """Return what an upload by form needs."""
    return [Access("s3:PutObject", f"arn:aws:s3:::{bucket}/{key}")]


def _operation(request: Request) -> str:
    return request.headers.get("X-Amz-Target", "").rpartition(".")[2]


def _document(request: Request) -> Mapping[str, Any]:
    document: Mapping[str, Any] = json.loads(request.get_data())
    return document


def _of_s3(request: Request) -> Iterator[Access]:
    bucket, _, key = request.path.removeprefix("/").partition("/")
    arn, query = f"arn:aws:s3:::{bucket}", request.args
    selectors = {
        name
        for name in query
        if name not in _PARAMETERS and not name.lower().startswith(("x-amz-", "response-"))
    }
    selector = ",".join(sorted(selectors))
    operation = (request.method, selector)
    if not bucket:
        raise UnknownRequestError("S3's list of buckets")
    if key and operation in _OBJECT_ACTIONS:
        yield Access(_versioned(_OBJECT_ACTIONS[operation], query), f"{arn}/{key}")
        if source := request.headers.get("x-amz-copy-source"):
            path, _, version = unquote(source).removeprefix("/").partition("?versionId=")
            action = "s3:GetObjectVersion" if version else "s3:GetObject"
            yield Access(action, f"arn:aws:s3:::{path}")
    elif not key and operation in _BUCKET_ACTIONS:
        context = {
            f"s3:{name}": (query[name],) for name in ("prefix", "delimiter") if name in query
        }
        yield Access(f"s3:{_BUCKET_ACTIONS[operation]}", arn, context)
    elif not key and operation == ("POST", "delete"):
        for name, has_version in _objects_to_delete(request.get_data(as_text=True)):
            action = "s3:DeleteObjectVersion" if has_version else "s3:DeleteObject"
            yield Access(action, f"{arn}/{name}")
    else:
        raise UnknownRequestError(f"{request.method} of {request.full_path}")


def _versioned(action: str, query: Mapping[str, str]) -> str:
    return f"s3:{_OF_VERSIONS.get(action, action) if 'versionId' in query else action}"


def _objects_to_delete(body: str) -> Iterator[tuple[str, bool]]:
    """Yield each key of a request to delete objects, and whether it names a version."""
    document = xmltodict.parse(body, force_list=("Object",))
    for each in document["Delete"]["Object"]:
        yield each["Key"], "VersionId" in each


def _of_dynamodb(operation: str, document: Mapping[str, Any]) -> Iterator[Access]:
    if operation in ("BatchGetItem", "BatchWriteItem"):
        for table in document["RequestItems"]:
            yield Access(f"dynamodb:{operation}", _table(table))
    elif operation in ("TransactGetItems", "TransactWriteItems"):
        for item in document["TransactItems"]:
            for kind, request in item.items():
                action = _TRANSACTION_ACTIONS[kind]
                yield Access(f"dynamodb:{action}", _table(request["TableName"]))
    elif "TableName" in document:
        index = f"/index/{document['IndexName']}" if "IndexName" in document else ""
        yield Access(f"dynamodb:{operation}", _table(document["TableName"]) + index)
    else:
        raise UnknownRequestError(f"DynamoDB's {operation}")


def _table(name: str) -> str:
    return name if name.startswith("arn:") else _arn("dynamodb", f"table/{name}")


def _of_states(operation: str, document: Mapping[str, Any]) -> Access:
    for name in ("stateMachineArn", "executionArn"):
        if name in document:
            return Access(f"states:{operation}", document[name])
    raise UnknownRequestError(f"Step Functions' {operation}")


def _of_events(operation: str, document: Mapping[str, Any]) -> Iterator[Access]:
    if operation != "PutEvents":
        raise UnknownRequestError(f"EventBridge's {operation}")
    for bus in {entry.get("EventBusName", "default") for entry in document["Entries"]}:
        sources = {
            entry["Source"]
            for entry in document["Entries"]
            if entry.get("EventBusName", "default") == bus and "Source" in entry
        }
        arn = bus if bus.startswith("arn:") else _arn("events", f"event-bus/{bus}")
        yield Access("events:PutEvents", arn, {"events:source": tuple(sorted(sources))})


def _of_glue(operation: str, document: Mapping[str, Any]) -> Iterator[Access]:
    if operation not in ("CreateTable", "DeleteTable", "GetDatabase", "GetTable", "UpdateTable"):
        raise UnknownRequestError(f"Glue's {operation}")
    resources = ["catalog"]
    if operation == "GetDatabase":
        resources.append(f"database/{document['Name']}")
    else:
        database = document["DatabaseName"]
        table = document.get("TableInput", document)["Name"]
        resources += [f"database/{database}", f"table/{database}/{table}"]
    for resource in resources:
        yield Access(f"glue:{operation}", _arn("glue", resource))


def _of_sqs(operation: str, document: Mapping[str, Any]) -> Access:
    if "QueueUrl" not in document:
        raise UnknownRequestError(f"SQS's {operation}")
    queue = document["QueueUrl"].rpartition("/")[2]
    return Access(f"sqs:{operation.removesuffix('Batch')}", _arn("sqs", queue))


def _of_sns(form: Mapping[str, list[str]]) -> Access:
    (operation,) = form["Action"]
    for name in ("TopicArn", "TargetArn"):
        if name in form:
            return Access(f"sns:{operation.removesuffix('Batch')}", form[name][0])
    raise UnknownRequestError(f"SNS's {operation}")


def _of_lambda(request: Request) -> Access:
    invocation = _INVOCATION.fullmatch(unquote(request.path))
    if invocation is None:
        raise UnknownRequestError(f"Lambda's {request.method} of {request.path}")
    name = invocation[1]
    arn = name if name.startswith("arn:") else _arn("lambda", f"function:{name}")
    if qualifier := request.args.get("Qualifier"):
        arn = f"{arn}:{qualifier}"
    return Access("lambda:InvokeFunction", arn)


def _arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"
