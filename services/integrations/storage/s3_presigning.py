"""Presigned S3 URLs, made without a request to S3: links to read objects, forms and links to upload them."""

from collections.abc import Mapping
from datetime import UTC, datetime

from botocore.auth import SIGV4_TIMESTAMP, S3SigV4PostAuth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials


class _LinkAuth(S3SigV4QueryAuth):
    """botocore's query signature for a given moment; botocore itself always uses the current time."""

    def __init__(self, credentials: ReadOnlyCredentials, region: str, moment: datetime, seconds: int) -> None:
        super().__init__(credentials, "s3", region, expires=seconds)
        self._moment = moment

    def add_auth(self, request: AWSRequest) -> None:
        request.context["timestamp"] = self._moment.strftime(SIGV4_TIMESTAMP)
        self._modify_request_before_signing(request)  # type: ignore[attr-defined]  # missing in its stub
        text = self.string_to_sign(request, self.canonical_request(request))
        self._inject_signature_to_request(request, self.signature(text, request))  # type: ignore[attr-defined]  # as above


def sign_link(
    url: str,
    parameters: Mapping[str, str],
    credentials: ReadOnlyCredentials,
    region: str,
    *,
    moment: int,
    seconds: int,
) -> str:
    """Sign a GET of `url`, valid from `moment` (Unix seconds) for `seconds`; `parameters`: response-... overrides."""
    request = AWSRequest(method="GET", url=url, params=dict(parameters))
    _LinkAuth(credentials, region, datetime.fromtimestamp(moment, UTC), seconds).add_auth(request)
    return str(request.url)


def sign_put(
    url: str,
    content_type: str,
    byte_size: int,
    credentials: ReadOnlyCredentials,
    region: str,
    *,
    moment: int,
    seconds: int,
) -> str:
    """Sign a PUT of exactly `byte_size` bytes of this type, valid from `moment` (Unix seconds) for `seconds`.

    Both headers are part of the signature, so that the store refuses a body of any other length or type. Every client
    sends Content-Length by itself, unless it sends in chunks.
    """
    headers = {"Content-Type": content_type, "Content-Length": str(byte_size)}
    request = AWSRequest(method="PUT", url=url, headers=headers)
    _LinkAuth(credentials, region, datetime.fromtimestamp(moment, UTC), seconds).add_auth(request)
    return str(request.url)


def sign_form(
    bucket: str,
    key: str,
    content_type: str,
    credentials: ReadOnlyCredentials,
    region: str,
    *,
    byte_size: int,
    expires_at: int,
) -> dict[str, str]:
    """Return the form fields for an upload by any client until `expires_at`, for this key, type and size only."""
    fields = {"key": key, "Content-Type": content_type}
    request = AWSRequest(method="POST")
    request.context["s3-presign-post-fields"] = fields
    request.context["s3-presign-post-policy"] = {
        "expiration": datetime.fromtimestamp(expires_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "conditions": [
            {"bucket": bucket},
            {"key": key},
            {"Content-Type": content_type},
            ["content-length-range", byte_size, byte_size],
        ],
    }
    S3SigV4PostAuth(credentials, "s3", region).add_auth(request)
    return fields
