"""WhatsApp by Meta's Cloud API: templates that Meta has approved, to numbers that agreed.

https://developers.facebook.com/docs/whatsapp/cloud-api/reference/messages; what an answer means is
told by its code (`whatsapp_codes`), hardly by its status.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, SecretStr, model_validator

from syncd.channels.base import Channel
from syncd.channels.lengths import shortened
from syncd.channels.whatsapp_codes import AIM, ON_TEMPLATE, TEMPLATE_REST, judge
from syncd.clock import Clock
from syncd.config.channels import ChannelSettings
from syncd.config.receiver import check_service
from syncd.config.section import Section
from syncd.config.values import BaseUrl
from syncd.errors import DeliveryUnknown, DeliveryWaits
from syncd.model.notification import Message, Receipt, UnknownPolicy
from syncd.outbound.post import Poster, Reply
from syncd.outbound.request import Request
from syncd.outbound.rests import Rests
from syncd.telemetry.bus import Bus

_SEPARATORS = str.maketrans("", "", " -./()\u00a0\u202f")
_NUMBER = re.compile(r"(?:\+|00)([1-9][0-9]{7,14})")
# No line feed, no tab, no more than four blanks in a row, and never nothing.
_LONGEST_PARAMETER = 500
_NOTHING = "-"


def _template(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9_]{1,512}", text):
        raise ValueError("must be a template's name: small letters, digits and _")
    return text


def _digits(text: str) -> str:
    if text and not re.fullmatch(r"[0-9]{1,32}", text):
        raise ValueError("must be the id that Meta shows beside the number: digits only")
    return text


def _codes(languages: Mapping[str, str]) -> Mapping[str, str]:
    if not all(re.fullmatch(r"[a-z]{2,3}(_[A-Z]{2})?", code) for code in languages.values()):
        raise ValueError('must lead to codes of languages such as "en_US" or "de"')
    return languages


TemplateName = Annotated[str, AfterValidator(_template)]


class Templates(Section):
    """Which approved template says what."""

    reminder: TemplateName = "contest_reminder"
    moved: TemplateName = "contest_moved"
    cancelled: TemplateName = "contest_cancelled"
    restored: TemplateName = "contest_restored"
    digest: TemplateName = "contest_digest"


class WhatsAppSettings(ChannelSettings):
    """[channels.whatsapp].

    `languages` leads from a user's language to the one that a template was approved in; one that
    is not in it is taken as Meta writes it (`pt_BR` for pt-BR). `parameters` fill a template's
    body, in this order.
    """

    base_url: BaseUrl = "https://graph.facebook.com/v23.0"
    phone_number_id: Annotated[str, AfterValidator(_digits)] = ""
    token: SecretStr = SecretStr("")
    token_file: str = ""
    templates: Templates = Templates()
    languages: Annotated[Mapping[str, str], AfterValidator(_codes)] = {"en": "en_US"}
    parameters: tuple[Literal["title", "body", "url", "subject"], ...] = ("title", "body", "url")

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_service(self.base_url, allow_private=self.allow_private)
        return self

    @property
    def is_on(self) -> bool:
        """Whether it is to be used, and can be."""
        return super().is_on and bool(self.phone_number_id and self.token.get_secret_value())


class WhatsApp(Channel[WhatsAppSettings]):
    """Sends templates; an address is a number as E.164 writes it."""

    Settings = WhatsAppSettings

    # The API takes no key by which it would know a message again.
    on_unknown = UnknownPolicy.HOLD

    def __init__(self, name: str, settings: WhatsAppSettings, *, clock: Clock, bus: Bus) -> None:
        super().__init__(name, settings, clock=clock, bus=bus)
        self._rests = Rests(clock)
        self._poster = Poster(
            AIM,
            clock=clock,
            timeout_seconds=settings.timeout.total_seconds(),
            allow_private=settings.allow_private,
            is_ours=True,
        )

    async def __aexit__(self, *_: object) -> None:
        """Close what is open."""
        await self._poster.__aexit__()

    @classmethod
    def parse_address(cls, address: Any) -> str:
        """Return a number as E.164 writes it: `+` and digits.

        Raises:
            ValueError: it is none, or lacks its country.
        """
        text = address.translate(_SEPARATORS) if isinstance(address, str) else ""
        found = _NUMBER.fullmatch(text)
        if found is None:
            raise ValueError("a number begins with + and its country, such as +49 151 ...")
        return f"+{found[1]}"

    async def send(self, message: Message) -> Receipt:
        """Send a template.

        Raises:
            DeliveryError: it was not taken.
            DeliveryUnknown: it left, and no answer came.
        """
        template: str = getattr(self.settings.templates, message.occasion.value)
        language = self._language(message.language)
        about = f"template {template} in {language}"
        self._check_rest(about)
        token = self.settings.token.get_secret_value()
        reply = await self._poster.post(
            f"{self.settings.base_url}/{self.settings.phone_number_id}/messages",
            self._request(message, template, language),
            proof={"Authorization": f"Bearer {token}"},
            secrets=[message.address.removeprefix("+")],
        )
        reference = _reference(reply)
        if reply.is_good and reference:
            return Receipt(reference=reference)
        if reply.is_good and isinstance(reply.data, dict):
            raise DeliveryUnknown(f"{AIM}: HTTP {reply.status}, and no word of the message")
        code, error = judge(reply, about)
        if code in ON_TEMPLATE:
            self._rests.begin(about, TEMPLATE_REST)
        raise error

    def _check_rest(self, about: str) -> None:
        """Refuse what Meta has just refused, whoever it would go to."""
        left = self._rests.left(about)
        if left is not None:
            told = f"{AIM}: {about} was refused a moment ago"
            hint = f"see {about} in the WhatsApp manager"
            raise DeliveryWaits(told, wait=left, hint=hint)

    def _language(self, wanted: str) -> str:
        """Return the language of a template, as Meta writes them: `pt_BR` for pt-BR."""
        return self.settings.languages.get(wanted, wanted.replace("-", "_"))

    def _request(self, message: Message, template: str, language: str) -> Request:
        words = self.wording.render(message)
        texts = [_in_one_line(getattr(words, name)) for name in self.settings.parameters]
        parameters = [
            {"type": "text", "text": shortened(text, _LONGEST_PARAMETER) or _NOTHING}
            for text in texts
        ]
        components = [{"type": "body", "parameters": parameters}] if parameters else []
        body = {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": message.address.removeprefix("+"),
            "type": "template",
            "template": {
                "name": template,
                "language": {"code": language},
                "components": components,
            },
        }
        return Request(segments=(), method="POST", json=body, is_repeatable=False)


def _in_one_line(text: str) -> str:
    lines = (" ".join(line.split()) for line in text.splitlines())
    return " · ".join(line for line in lines if line)


def _reference(reply: Reply) -> str:
    """Return Meta's name for the message; empty where it tells none."""
    try:
        return str(reply.data["messages"][0]["id"])[:200]
    except (LookupError, TypeError):
        return ""
