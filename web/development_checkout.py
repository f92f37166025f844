"""The till of a development deployment: a page that says that it takes no money, and a button that acts as if."""

from html import escape

from babel.numbers import format_currency, get_currency_precision
from starlette.requests import Request
from starlette.responses import Response

from models import CreditPackage
from models.database.connection import is_outage
from services.core import locale
from services.core.error import NotFoundError, UnavailableError
from services.core.message import Message, message
from services.payments.purchase import Product
from services.services import Services
from web.html import Reader, message_page

_TITLE = message("Development checkout")
_NOTICE = message("This is a development page: no money moves, and nothing is charged.")


async def show_checkout(request: Request) -> Response:
    """What would be paid for, and the button."""
    ware = await _ware(request)
    if isinstance(ware, Response):
        return ware
    reader = Reader.of(request)
    name = (
        reader.say(message("{count} credits", count=ware.credits))
        if isinstance(ware, CreditPackage)
        else locale.choose(ware.title, reader.locale)
    )
    currency = (ware.currency or "").upper()
    amount = (ware.price or 0) / 10 ** get_currency_precision(currency)
    price = format_currency(amount, currency, locale=reader.locale.replace("-", "_"))
    button = _text(reader, message("Pay (development)"))
    body = (
        f'<p role="status">{_text(reader, _NOTICE)}</p><p>{escape(name)} · {escape(price)}</p>'
        f'<form method="post" action="{escape(request.path_params["id"])}"><button>{button}</button></form>'
    )
    return message_page(reader, _TITLE, body)


async def pay(request: Request) -> Response:
    """What the button does; pressing it twice pays once."""
    ware = await _ware(request)
    if isinstance(ware, Response):
        return ware
    services: Services = request.state.services
    if services.payments.development_checkout is not None:
        await services.payments.development_checkout.pay(request.path_params["id"])
    return _say(request, message("Paid, as it were. You can go back to the app."))


async def _ware(request: Request) -> Product | Response:
    """What a checkout is about, or the page that says why there is none."""
    services: Services = request.state.services
    try:
        if services.payments.development_checkout is None:
            raise NotFoundError
        return await services.payments.development_checkout.product(request.path_params["id"])
    except NotFoundError as refusal:
        return _say(request, refusal.message, 404)
    except Exception as error:
        if not is_outage(error):
            raise
        return _say(request, UnavailableError().message, 503)


def _say(request: Request, text: Message, status: int = 200) -> Response:
    reader = Reader.of(request)
    return message_page(reader, _TITLE, f'<p role="status">{_text(reader, text)}</p>', status=status)


def _text(reader: Reader, text: Message) -> str:
    return escape(reader.say(text))
