"""The checkout page of a development deployment: its button simulates a payment, and nothing is charged."""

from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from models import CreditPackage
from services.core import locale
from services.core.error import NotFoundError
from services.core.message import Message, message
from services.integrations.payments.development import CANCEL, SUCCESS
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
    reader, addresses = Reader.of(request), _addresses(request)
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
        "action": request.path_params["id"] + (f"?{urlencode(addresses)}" if addresses else ""),
        "button": reader.translate(message("Pay (development)")),
        "cancel_url": addresses.get(CANCEL),
        "cancel": reader.translate(message("Cancel and go back")),
    }
    success = urlsplit(addresses.get(SUCCESS, ""))
    origins = [f"{success.scheme}://{success.netloc}"] if success.netloc else []
    return render_private_page("development_checkout.html", reader, _TITLE, values, form_origins=origins)


async def pay(request: Request) -> Response:
    """Simulate the payment and go back to the app; repeated requests pay once."""
    product = await _find_product(request)
    if isinstance(product, Response):
        return product
    services: Services = request.state.services
    if services.payments.development_checkout is not None:
        await services.payments.development_checkout.pay(request.path_params["id"])
    if (success := _addresses(request).get(SUCCESS)) is not None:
        return RedirectResponse(success.replace("{CHECKOUT_ID}", request.path_params["id"]), 303)
    return _message(request, message("The payment was simulated. You can return to the app."))


def _addresses(request: Request) -> dict[str, str]:
    """Return the addresses of the app that the page was opened with."""
    services: Services = request.state.services
    given = {name: request.query_params.get(name, "") for name in (SUCCESS, CANCEL)}
    return {name: url for name, url in given.items() if services.payments.checkouts.leads_to_app(url)}


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
