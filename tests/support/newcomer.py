"""A new user of the studio, who reads it in English or Chinese: acts of the first minutes, in the words of the page."""

import io
import re

from PIL import Image

from tests.support.graphiql_page import PICTURES, ROOT
from tests.support.studio_page import StudioPage

PHOTOS = ROOT / "tools" / "photos"
CHINESE = {
    "Watch your picture develop": "看着您的图片显影",
    "Create an account to make it": "注册账户即可创作",
    "Get a pass": "获取通行证",
    "See the monthly plans": "查看月度套餐",
    "Members may use this style. A monthly plan makes you one.": "此风格为会员专享，开通月度套餐即可使用。",
    "Buy: Flash Lite": "购买: 闪图轻享",
    "Subscribe: Basic": "订阅: 基础版",
    "Pay (development)": "付款（开发用）",
    "Your pass Flash Lite is active.": "通行证“闪图轻享”已生效。",
    "Your plan Basic is active.": "套餐“基础版”已生效。",
    "Back to your order": "返回订单",
    "1 credit": "1 积分",
    "2 credits": "2 积分",
    "10 credits": "10 积分",
    "in your pass": "包含在通行证内",
    "2 pictures left this hour": "本小时还可制作 2 张图片",
    "Photo": "照片",
    "Compare before and after": "对比前后",
    "Share": "分享",
    "Create the link": "创建链接",
    "Link": "链接",
    "Keep my pictures": "保留我的图片",
    "Gallery": "图库",
    "Video": "视频",
    # Of the products.
    "Cute": "可爱",
    "Realistic": "写实",
    "HD": "高清",
    "Classic": "经典",
    "Emerald and bronze": "翠绿与青铜",
    "Powers": "超能力",
    "Deep space": "星云闪耀的深空",
    "Magic Castle": "魔法城堡",
    "Free prompt": "自由提示词",
    "Describe your picture": "描述您的图片",
    "A lighthouse at dusk": "黄昏的灯塔",
    "flight": "飞行",
}


class Newcomer:
    """`views`: pictures of what the visitor sees, by name, where pictures are taken."""

    def __init__(self, studio: StudioPage, locale: str, email: str, views: dict[str, Image.Image]) -> None:
        self.studio = studio
        self.page = studio.page
        self.email = email
        self.views = views
        self._is_chinese = locale.startswith("zh")

    def said(self, english: str) -> str:
        """Return a text of the page in the visitor's language."""
        return CHINESE[english] if self._is_chinese else english

    async def look(self, name: str) -> None:
        """Check the view as every view is checked; `name`: of its picture."""
        await self.studio.check()
        if self.studio.takes_pictures:
            await self.studio.close_toasts()
            await self.studio.wait_for_images()
            self.views[name] = Image.open(io.BytesIO(await self.page.screenshot())).convert("RGB")

    async def wait_for(self, english: str) -> None:
        await self.page.get_by_text(self.said(english)).first.wait_for()

    async def press(self, english: str) -> None:
        await self.studio.button(self.said(english)).last.click()

    async def follow(self, english: str) -> None:
        await self.page.get_by_role("link", name=re.compile(re.escape(self.said(english)))).first.click()

    async def pick(self, english: str) -> None:
        """Choose one of the values that are beside each other."""
        await self.page.get_by_role("radio", name=self.said(english), exact=True).click()

    async def write(self, label: str, words: str) -> None:
        await self.page.get_by_label(self.said(label)).fill(self.said(words))

    async def add_photo(self, name: str) -> None:
        """Choose one of the photos of tools/photos."""
        await self.studio.add_photo(name, (PHOTOS / name).read_bytes())
        await self.page.get_by_role("img", name=self.said("Photo"), exact=True).wait_for()

    async def wait_for_price(self, english: str) -> None:
        """Wait for a price on the button that orders."""
        await self.page.locator("button[type=submit]").get_by_text(self.said(english), exact=True).wait_for()

    async def buy(self, way: str, button: str, note: str) -> None:
        """Buy what the order needs, and return to it. `way`: the link that leads there."""
        await self.follow(way)
        await self.page.get_by_role("heading", level=1).wait_for()
        await self.studio.check()
        await self.press(button)
        await self.studio.pay(self.said("Pay (development)"))
        await self.wait_for(note)
        await self.studio.check()
        await self.follow("Back to your order")

    async def share(self) -> str:
        """Share the open picture; return its link."""
        await self.press("Share")
        await self.press("Create the link")
        link: str = await self.page.get_by_label(self.said("Link"), exact=True).input_value()
        return link


def write_sheet(name: str, desk: dict[str, Image.Image], phone: dict[str, Image.Image]) -> None:
    """Write a picture for the documentation: on the left four views of a desk, on the right two of a phone."""
    gap, width = 20, 520  # pixels, of a view of the desk
    views = [_narrowed(desk[step], width) for step in ("start", "order", "picture", "shared")]
    height = 2 * views[0].height + gap
    narrow = [_narrowed(one, one.width * height // one.height) for one in (phone["order"], phone["picture"])]
    whole = Image.new("RGB", (2 * width + sum(one.width for one in narrow) + 5 * gap, height + 2 * gap), "#d9d2c7")
    for place, view in enumerate(views):
        whole.paste(view, (gap + place % 2 * (width + gap), gap + place // 2 * (view.height + gap)))
    for place, view in enumerate(narrow):
        whole.paste(view, (3 * gap + 2 * width + place * (view.width + gap), gap))
    whole.save(PICTURES / f"studio-minutes-{name}.jpg", quality=70, optimize=True, progressive=True)


def _narrowed(view: Image.Image, width: int) -> Image.Image:
    return view.resize((width, view.height * width // view.width), Image.Resampling.LANCZOS)
