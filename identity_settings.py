"""Settings of identity: who signs requests in besides accounts with a password."""

import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode

from setting_types import AdminSecondFactor, Switch, WebAddress, is_absolute_url

_MAX_ISSUER = 255  # characters, as in the database
# Users can change these claims themselves, so they prove nothing.
_EDITABLE = ("user_metadata.", "unsafe_metadata.", "unsafeMetadata.")
_LOCAL = ("http://localhost", "http://127.0.0.1", "http://[::1]")


def _tuple(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _issuer_url(value: str) -> str:
    # Compared character by character with the claim iss: a slash at its end belongs to it.
    if not is_absolute_url(value) or "?" in value or "#" in value or len(value) > _MAX_ISSUER:
        raise ValueError("must be the https:// address that the provider calls its issuer")
    return value


_Texts = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=500)], ...], BeforeValidator(_tuple)]


class IssuerSetting(BaseModel):
    """One provider of OIDC_ISSUERS."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: Annotated[str, AfterValidator(_issuer_url)]
    audience: _Texts = ()
    authorized_parties: _Texts = ()
    algorithm: Literal[
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"
    ] = "RS256"
    jwks_url: WebAddress | None = None
    claims: dict[Literal["email", "email_verified", "name", "picture"], str] = {}
    link_by_email: bool = True
    client_id: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    name: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    authorization_endpoint: WebAddress | None = None

    def problems(self, *, is_production: bool) -> list[str]:
        """Return what is wrong with it as a whole."""
        found = []
        if not self.audience and not self.authorized_parties:
            found.append("needs an audience or authorized_parties, or it accepts tokens that are for others")
        if self.client_id is not None and self.client_id not in self.audience:
            found.append("needs its client_id as an audience, which ID tokens are issued to")
        addresses = [self.issuer, self.jwks_url or self.issuer, self.authorization_endpoint or self.issuer]
        if is_production and any(one.startswith("http:") and not one.startswith(_LOCAL) for one in addresses):
            found.append("must be reached by https in production")
        if self.claims.get("email_verified", "").startswith(_EDITABLE):
            found.append("email_verified is a claim that users can change")
        return [f"OIDC_ISSUERS: {self.issuer} {problem}" for problem in found]


def _parsed(value: object) -> object:
    """Return the list in a text of JSON; problems name what is wrong, without the whole text."""
    if not isinstance(value, str):
        return value
    try:
        data: Any = json.loads(value)
    except ValueError:
        raise ValueError("must be a list in JSON, see docs/identity.md") from None
    listed = data if isinstance(data, list) else [data]
    if not all(isinstance(one, dict) for one in listed):
        raise ValueError("must be a list of objects in JSON, see docs/identity.md")
    try:
        return tuple(IssuerSetting.model_validate(one) for one in listed)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise ValueError(f"{place}: {problem['msg'].removeprefix('Value error, ')}") from None


class IdentitySettings(BaseSettings):
    """The part of Settings about the identity of users."""

    oidc_issuers: Annotated[tuple[IssuerSetting, ...], NoDecode, BeforeValidator(_parsed)] = Field(
        (), description="Identity providers whose tokens sign in, a list in JSON: see docs/identity.md."
    )
    admin_second_factor: AdminSecondFactor = Field(
        AdminSecondFactor.OPTIONAL,
        description="optional: admins with an authenticator app prove it in each session; required: admins without "
        "one have no admin rights until they set one up.",
    )
    demo_mode: Switch = Field(
        Switch.OFF,
        description="on: a request without a token is signed in as the demo account; refused in production.",
    )

    def identity_problems(self, *, is_production: bool) -> list[str]:
        """Return what is wrong with these settings together."""
        problems = [one for issuer in self.oidc_issuers for one in issuer.problems(is_production=is_production)]
        names = [issuer.issuer for issuer in self.oidc_issuers]
        if len(set(names)) < len(names):
            problems.append("OIDC_ISSUERS names an issuer twice")
        if is_production and self.demo_mode is Switch.ON:
            problems.append("DEMO_MODE signs everyone in as the demo account: it is for development only")
        return problems
