# SPDX-License-Identifier: GPL-3.0-or-later
"""What the handlers share: parameters in, filters, errors and XML out."""

from ministack.services import ec2

TAG_FILTERS = ("tag-key", "tag-value")


class Refused(Exception):
    """The request is answered with this error."""

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code
        self.message = message


def serve(actions: dict) -> None:
    """Put the handlers into the emulator's table of actions."""
    for name, handler in actions.items():
        ec2._ACTION_MAP[name] = _answering(handler)


def _answering(handler):
    def answer(params):
        try:
            return handler(params)
        except Refused as refused:
            return ec2._error(refused.code, refused.message, 400)

    return answer


def given(params: dict, name: str) -> str | None:
    return ec2._p(params, name) or None


def truth(params: dict, name: str, default: bool) -> bool:
    value = given(params, name)
    return default if value is None else value.lower() == "true"


def found(store: dict, identifier: str | None, code: str, kind: str) -> dict:
    record = store.get(identifier)
    if record is None:
        raise Refused(code, f"The {kind} '{identifier}' does not exist")
    return record


def named(params: dict, parameter: str, store: dict, code: str, kind: str) -> list[str]:
    """The identifiers that the request names, all of which must exist."""
    identifiers = ec2._parse_member_list(params, parameter)
    for identifier in identifiers:
        found(store, identifier, code, kind)
    return identifiers


def passes(params: dict, resource_id: str, values: dict) -> bool:
    """Whether a resource passes the request's filters; `values` holds what each filter looks at."""
    return meets(ec2._parse_filters(params), resource_id, values)


def meets(filters: dict, resource_id: str, values: dict) -> bool:
    for name, wanted in filters.items():
        if name.startswith("tag:") or name in TAG_FILTERS:
            continue
        if name not in values:
            raise Refused("InvalidParameterValue", f"The filter '{name}' is invalid")
        have = values[name] if isinstance(values[name], list) else [values[name]]
        texts = [str(one) for one in have if one is not None]
        if not any(ec2._glob_match(pattern, text) for text in texts for pattern in wanted):
            return False
    return ec2._resource_matches_tag_filters(resource_id, filters)


def check_filters(params: dict, known) -> None:
    """An unknown filter is refused even where there is nothing to filter."""
    for name in ec2._parse_filters(params):
        if not (name.startswith("tag:") or name in TAG_FILTERS or name in known):
            raise Refused("InvalidParameterValue", f"The filter '{name}' is invalid")


def element(tag: str, value) -> str:
    """An XML element, or nothing where there is no value: AWS leaves such elements out."""
    if value is None or value == "":
        return ""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"<{tag}>{ec2._esc(text)}</{tag}>"
