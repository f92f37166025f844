"""The checkout page of a development deployment: its button simulates a payment, and nothing is charged."""

from starlette.requests import Request
from starlette.responses import Response

from models import CreditPackage
from services.core import locale
from services.core.error import NotFoundError
from services.core.message import Message, message
from services.payments.purchase import Product
from services.services import Services
from web.html import Reader, message_page, render_private_page

_TITLE = message("Development checkout")
_NOTICE = message("This is a development page. Nothing is charged.")


async def show_checkout(request: Request) -> Response:
    """Show the product, its price and the button."""
    from babel.numbers import format_currency, get_currency_precision  # only for this page

    product = await _find_product(request)
    if isinstance(product, Response):
        return product
    reader = Reader.of(request)
    name = (
        reader.translate(message("{count} credits", count=product.credits))
        if isinstance(product, CreditPackage)
        else locale.choose(product.title, reader.locale)
    )
    currency = (product.currency or "").upper()
    amount = (product.price or 0) / 10 ** get_currency_precision(currency)
    values = {
        "notice": reader.translate(_NOTICE),
        "product": name,
        "price": format_currency(amount, currency, locale=reader.locale.replace("-", "_")),
        "action": request.path_params["id"],
        "button": reader.translate(message("Pay (development)")),
    }
    return render_private_page("development_checkout.html", reader, _TITLE, values)


async def pay(request: Request) -> Response:
    """Simulate the payment; repeated requests pay once."""
    product = await _find_product(request)
    if isinstance(product, Response):
        return product
    services: Services = request.state.services
    if services.payments.development_checkout is not None:
        await services.payments.development_checkout.pay(request.path_params["id"])
    return _message(request, message("The payment was simulated. You can return to the app."))


async def _find_product(request: Request) -> Product | Response:
    """Return the product of the checkout, or the error page."""
    services: Services = request.state.services
    try:
        if services.payments.development_checkout is None:
            raise NotFoundError
        return await services.payments.development_checkout.product(request.path_params["id"])
    except NotFoundError as refusal:
        return _message(request, refusal.message, 404)


def _message(request: Request, text: Message, status: int = 200) -> Response:
    return message_page(Reader.of(request), _TITLE, text, role="status", status=status)
