"""Messages of activities, rendered by the process that reads them, in the reader's language."""

from datetime import datetime
from typing import Any

from models.enum import AdminAction, GenerationStatus, TransactionType
from services.core.message import Message, message
from services.events.activity import ACTIVITIES, Activity, ActivityKind

_ADMIN_ACTIONS = {
    AdminAction.ADJUST_CREDITS: message("An admin adjusted credits."),
    AdminAction.REFUND_GENERATION: message("An admin refunded a picture."),
    AdminAction.RETRY_GENERATION: message("An admin retried a picture."),
    AdminAction.CANCEL_GENERATION: message("An admin canceled a picture."),
    AdminAction.UNSHARE_GENERATION: message("An admin stopped sharing a picture."),
    AdminAction.DELETE_GENERATION: message("An admin deleted a picture."),
    AdminAction.SET_ROLE: message("An admin changed an account's role."),
    AdminAction.SET_MEMBERSHIP: message("An admin granted or ended a membership."),
    AdminAction.GRANT_PASS: message("An admin granted a pass."),
    AdminAction.SET_SUSPENDED: message("An admin suspended or reinstated an account."),
    AdminAction.SETTLE_PAYMENT: message("An admin settled a payment that needed review."),
    AdminAction.DISMISS_PAYMENT: message("An admin dismissed a payment that needed review."),
    AdminAction.GRANT_PLAN: message("An admin granted a plan."),
    AdminAction.END_PLAN: message("An admin ended a granted plan."),
    AdminAction.CHANGE_EMAIL: message("An account left an address that ADMIN_EMAILS lists."),
    AdminAction.CREATE_STYLE: message("An admin added a style to the catalogue."),
    AdminAction.UPDATE_STYLE: message("An admin changed a style of the catalogue."),
    AdminAction.DELETE_STYLE: message("An admin removed a style from the catalogue."),
    AdminAction.IMPORT_CATALOGUE: message("An admin imported a catalogue."),
    AdminAction.SET_MAINTENANCE: message("An admin changed the maintenance switches."),
    AdminAction.ENABLE_SECOND_FACTOR: message("An admin set up a second factor."),
    AdminAction.DISABLE_SECOND_FACTOR: message("The second factor of an account was removed."),
    AdminAction.USE_RECOVERY_CODE: message("A recovery code was used in place of a second factor."),
}


def describe(payload: dict[str, Any]) -> list[tuple[Activity, Message]]:
    """Decode a message of the channel, each activity with its text; those of an unknown format are skipped."""
    items = payload.get(ACTIVITIES)
    found = []
    for item in items if isinstance(items, list) else ():
        try:
            activity = Activity(**item | {"kind": ActivityKind(item["kind"]), "at": datetime.fromisoformat(item["at"])})
            found.append((activity, _text(activity.kind, activity.values)))
        except (KeyError, ValueError, TypeError):
            continue
    return found


def _text(kind: ActivityKind, values: dict[str, Any]) -> Message:
    match kind:
        case ActivityKind.SIGN_UP:
            return message("A new account.")
        case ActivityKind.GENERATION_CREATED:
            return message("A picture was requested.")
        case ActivityKind.GENERATION_FINISHED:
            return _finished(GenerationStatus(values["status"]), values["code"])
        case ActivityKind.TRANSACTION:
            return _ledger_line(TransactionType(values["type"]), int(values["amount"]), int(values["balance"]))
        case ActivityKind.PAYMENT:
            return _payment(int(values["minor"]), str(values["currency"]))
        case ActivityKind.ADMIN_ACT:
            return _ADMIN_ACTIONS[AdminAction(values["action"])]
        case ActivityKind.ALERT:
            return Message(str(values["text"]), dict(values["values"]))


def _finished(status: GenerationStatus, code: str | None) -> Message:
    match status:
        case GenerationStatus.COMPLETED:
            return message("A picture is ready.")
        case GenerationStatus.CANCELED:
            return message("A picture was canceled.")
        case _:
            return message("A picture failed: {code}.", code=code)


def _ledger_line(type: TransactionType, amount: int, balance: int) -> Message:
    match type:
        case TransactionType.BONUS:
            return message("A bonus of {amount} credits; the balance is {balance}.", amount=amount, balance=balance)
        case TransactionType.PURCHASE:
            return message("{amount} credits bought; the balance is {balance}.", amount=amount, balance=balance)
        case TransactionType.SUBSCRIPTION:
            return message("{amount} monthly credits; the balance is {balance}.", amount=amount, balance=balance)
        case TransactionType.DEDUCTION:
            return message("{amount} credits spent; the balance is {balance}.", amount=-amount, balance=balance)
        case TransactionType.REFUND:
            return message("{amount} credits refunded; the balance is {balance}.", amount=amount, balance=balance)
        case TransactionType.REVERSAL:
            return message("{amount} credits reversed; the balance is {balance}.", amount=-amount, balance=balance)
        case TransactionType.TRANSFER:
            signed = f"{amount:+d}"
            return message(
                "{amount} credits of a guest moved; the balance is {balance}.", amount=signed, balance=balance
            )
        case TransactionType.EXPIRY:
            return message("{amount} credits expired; the balance is {balance}.", amount=-amount, balance=balance)
        case TransactionType.ROLLOVER:
            return message("{amount} credits carried over; the balance is {balance}.", amount=amount, balance=balance)
        case TransactionType.ADMIN:
            signed = f"{amount:+d}"
            return message("Credits adjusted by {amount}; the balance is {balance}.", amount=signed, balance=balance)


def _payment(minor: int, currency: str) -> Message:
    from babel.numbers import get_currency_precision  # only for payments

    digits = get_currency_precision(currency.upper())
    money = f"{abs(minor) / 10**digits:.{digits}f} {currency.upper()}".strip()
    return message("{money} refunded.", money=money) if minor < 0 else message("{money} paid.", money=money)
