"""Prompt enhancement of the demo provider: phrases from a list, without a model."""

import random
import re

from services.integrations.providers.prompt_enhancer import EnhancedPrompt

_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_LIGHT = (
    ("in the soft light of early morning", "清晨柔和的光线"),
    ("in warm evening light with long shadows", "温暖的暮光与长长的影子"),
    ("under an overcast sky, in even light", "阴天均匀的光线"),
)
_COMPOSITION = (
    ("seen from a low angle, close to the subject", "低角度贴近主体"),
    ("placed off-centre, with calm space around it", "主体偏离中心，四周留白"),
    ("framed by a blurred foreground", "以虚化的前景作框"),
)
_FINISH = (
    ("with fine texture and clear materials", "细腻的质感与清晰的材质"),
    ("with a few strong colours that go together", "少量而和谐的浓烈色彩"),
    ("with a quiet, attentive mood", "安静而专注的气氛"),
)


class DemoPromptEnhancer:
    """A PromptEnhancer that adds light, composition and finish; the same prompt always gets the same ones."""

    name = "demo"

    async def enhance(self, prompt: str) -> EnhancedPrompt:
        """Return the prompt with a phrase of each kind, in Chinese for a Chinese prompt, else in English."""
        chosen = random.Random(prompt)
        is_chinese = _CHINESE.search(prompt) is not None
        phrases = [chosen.choice(kind)[is_chinese] for kind in (_LIGHT, _COMPOSITION, _FINISH)]
        comma, stop = ("，", "。") if is_chinese else (", ", ".")
        return EnhancedPrompt(comma.join([prompt.rstrip(" .。,，"), *phrases]) + stop, cost=None)

    async def aclose(self) -> None:
        """Do nothing."""
