"""Mutations of sign-ins, accounts and API keys: the first part of Mutation in schema/root.py."""

import strawberry

import resolvers.accounts
import resolvers.identity
import resolvers.second_factor
from schema.accounts import (
    MergeGuestPayload,
    MergeTokenPayload,
    SentPayload,
    SessionPayload,
    SignOutPayload,
    UserPayload,
)
from schema.credential import ApiKeyPayload
from schema.deleted_payload import DeletedPayload
from schema.identity import RenewConnectionPayload, SignInNoncePayload
from schema.runtime.permission import ANYONE, PROVEN_SESSION, SESSION, SIGNED_IN
from schema.runtime.root_field import mutation
from schema.second_factor import RecoveryCodesPayload, SecondFactorSetupPayload


@strawberry.type
class AccountMutations:
    sign_up: SessionPayload = mutation(
        resolvers.accounts.sign_up, ANYONE, "Create an account with its welcome bonus, and sign it in."
    )
    create_guest: SessionPayload = mutation(
        resolvers.accounts.create_guest,
        ANYONE,
        "Create an account without an address, and sign it in. `signUp`, `requestSignInLink` or `linkIdentity` in its "
        "session completes it. It is deleted with its pictures when its session has ended. FORBIDDEN where the "
        "product has no guests.",
    )
    create_merge_token: MergeTokenPayload = mutation(
        resolvers.accounts.create_merge_token,
        SESSION,
        "A token with which another account merges this guest. CONFLICT where the account is no guest.",
    )
    merge_guest: MergeGuestPayload = mutation(
        resolvers.accounts.merge_guest,
        SESSION,
        "Move what a guest has to this account: pictures, favorites, shares, custom styles, and credits but its bonus. "
        "The guest is deleted and its sessions end. CONFLICT while pictures of the guest are being made.",
    )
    sign_in: SessionPayload = mutation(
        resolvers.accounts.sign_in,
        ANYONE,
        "Sign in with e-mail address and password; returns a session token.",
        while_read_only=True,
    )
    request_sign_in_link: SentPayload = mutation(
        resolvers.accounts.request_sign_in_link,
        ANYONE,
        "Mail a link that signs in without a password. In a guest's session, one to an address without an account "
        "completes the guest. The result is the same whether the account exists or not.",
    )
    sign_in_by_link: SessionPayload = mutation(
        resolvers.accounts.sign_in_by_link,
        ANYONE,
        "Sign in by the token of a mailed link, which also verifies the address. If this is the first proof that the "
        "account's owner reads it, all that opens the account ends first, as someone else may have made it: password, "
        "sessions, identities, API keys and webhook endpoints. A mail says so. Completing a guest ends its sessions "
        "but this one. CONFLICT: another account has the guest's address by now.",
    )
    create_sign_in_nonce: SignInNoncePayload = mutation(
        resolvers.identity.create_sign_in_nonce, ANYONE, "A nonce for one signInWithIdToken.", while_read_only=True
    )
    sign_in_with_id_token: SessionPayload = mutation(
        resolvers.identity.sign_in_with_id_token, ANYONE, "Open a session with an ID token.", while_read_only=True
    )
    link_identity: UserPayload = mutation(
        resolvers.identity.link_identity,
        PROVEN_SESSION,
        "Let the user of an ID token sign in to this account, too. It completes a guest.",
    )
    unlink_identity: DeletedPayload = mutation(
        resolvers.identity.unlink_identity,
        PROVEN_SESSION,
        "Let an identity sign in to this account no longer, and end all other sessions of the account. FORBIDDEN "
        "unless the session began within the last 15 minutes; CONFLICT: it is the last way to sign in.",
    )
    sign_out: SignOutPayload = mutation(
        resolvers.accounts.sign_out, SESSION, "End this session, or every session of the account.", while_read_only=True
    )
    renew_connection: RenewConnectionPayload = mutation(
        resolvers.identity.renew_connection,
        SIGNED_IN,
        "Replace the token of this WebSocket by a newer one of the same account before it expires: its subscriptions "
        "go on. A `ping` with a payload of connection_init does the same.",
        while_read_only=True,
    )
    update_profile: UserPayload = mutation(
        resolvers.accounts.update_profile, SIGNED_IN, "Change the account's name, language or mails."
    )
    change_password: UserPayload = mutation(
        resolvers.accounts.change_password, PROVEN_SESSION, "Change the password and end every other session."
    )
    request_email_verification: SentPayload = mutation(
        resolvers.accounts.request_email_verification,
        SIGNED_IN,
        "Mail a link that verifies the account's address; nothing is sent where it is verified already.",
    )
    verify_email: UserPayload = mutation(
        resolvers.accounts.verify_email,
        ANYONE,
        "Verify an e-mail address by the token of a mailed link. Without errors it is verified; `user` is returned to "
        "its owner only. The first time, all other sessions and all API keys of the account end.",
    )
    request_email_change: SentPayload = mutation(
        resolvers.accounts.request_email_change,
        PROVEN_SESSION,
        "Mail a link to a new address, and a notice to the present one. The result is the same whether the new address "
        "has an account or not.",
    )
    change_email: UserPayload = mutation(
        resolvers.accounts.change_email,
        ANYONE,
        "Change the account's address by the token of the link that was mailed to the new one. Without errors it is "
        "changed; `user` is returned to its owner only. All other sessions of the account and its other mailed links "
        "end. CONFLICT: another account has the address by now.",
    )
    request_password_reset: SentPayload = mutation(
        resolvers.accounts.request_password_reset,
        ANYONE,
        "Mail a link for a new password. The result is the same whether the account exists or not.",
    )
    reset_password: SessionPayload = mutation(
        resolvers.accounts.reset_password,
        ANYONE,
        "Set a new password by the token of a mailed link, end every session, and sign in. API keys, webhook endpoints "
        "and identities are removed, too, if this is the first proof that the account's owner reads its address.",
    )
    start_second_factor: SecondFactorSetupPayload = mutation(
        resolvers.second_factor.start_second_factor,
        SESSION,
        "Begin to set up an authenticator app as the second factor of an admin's account. CONFLICT: it has one.",
        while_read_only=True,
    )
    confirm_second_factor: RecoveryCodesPayload = mutation(
        resolvers.second_factor.confirm_second_factor,
        SESSION,
        "Switch the second factor on by the first code of the app. From then on, sessions that have not proved it, all "
        "but this one, have no admin rights, and cannot change the sign-in.",
        while_read_only=True,
    )
    verify_second_factor: UserPayload = mutation(
        resolvers.second_factor.verify_second_factor,
        SESSION,
        "Prove the second factor in this session, by a code of the app or a recovery code. Each code works once.",
        while_read_only=True,
    )
    remove_second_factor: UserPayload = mutation(
        resolvers.second_factor.remove_second_factor,
        SESSION,
        "Switch the second factor off, by a code of the app or a recovery code.",
    )
    create_api_key: ApiKeyPayload = mutation(
        resolvers.accounts.create_api_key,
        PROVEN_SESSION,
        "Create a key with which a program signs in as this account, as far as its scope allows: until `expiresAt`, "
        "and for at most `monthlyCredits` credits in a calendar month. FORBIDDEN until the account's address is "
        "verified.",
    )
    update_api_key: ApiKeyPayload = mutation(
        resolvers.accounts.update_api_key,
        PROVEN_SESSION,
        "Change the name or the limits of an API key, also to wider ones, effective at once. `key` is null: it stays "
        "the same. FORBIDDEN to API keys, and until the account's address is verified.",
    )
    revoke_api_key: DeletedPayload = mutation(
        resolvers.accounts.revoke_api_key, SESSION, "Revoke an API key, effective at once."
    )
    revoke_session: DeletedPayload = mutation(
        resolvers.accounts.revoke_session,
        SESSION,
        "End one session of the account, and its sockets and streams within five seconds; also this one.",
    )
    revoke_other_sessions: DeletedPayload = mutation(
        resolvers.accounts.revoke_other_sessions, SESSION, "End every session of the account but this one."
    )
