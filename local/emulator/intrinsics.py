"""CloudFormation's intrinsic functions and conditions."""

import re
from collections.abc import Mapping
from typing import Any


class TemplateError(Exception):
    """A template cannot be deployed; the message says why."""


_NO_VALUE = object()
_NO_VALUE_NAME = "AWS::NoValue"
_PLACEHOLDER = re.compile(r"\$\{(!?)([^{}]+)\}")


class Intrinsics:
    """Replaces references and functions in a template by their values.

    Parameters
    ----------
    document
        The template: its conditions and mappings.
    symbols
        The values of names: parameters, pseudo parameters, resources (``Bucket``) and their
        attributes (``Bucket.Arn``). Read at each lookup, so entries may be added later.
    """

    def __init__(self, document: Mapping[str, Any], symbols: Mapping[str, Any]) -> None:
        self._conditions = document.get("Conditions", {})
        self._mappings = document.get("Mappings", {})
        self._symbols = symbols

    def resolve(self, value: Any) -> Any:
        """Replace the functions in a value, at every depth.

        Raises
        ------
        TemplateError
            If a name or function is unknown.
        """
        if isinstance(value, list):
            items = [self.resolve(item) for item in value]
            return [item for item in items if item is not _NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name == "Ref" or name.startswith("Fn::"):
                return self._call(name, argument)
        entries = {name: self.resolve(item) for name, item in value.items()}
        return {name: item for name, item in entries.items() if item is not _NO_VALUE}

    def holds(self, condition: str) -> bool:
        """Return whether a condition of the template is true."""
        return self._test(self._conditions[condition])

    def _call(self, function: str, argument: Any) -> Any:
        match function:
            case "Ref":
                return self._look_up(self.resolve(argument))
            case "Fn::GetAtt":
                return self._look_up(argument if isinstance(argument, str) else ".".join(argument))
            case "Fn::Sub":
                text, own = argument if isinstance(argument, list) else (argument, {})
                return self._substitute(text, self.resolve(own))
            case "Fn::If":
                condition, then, otherwise = argument
                return self.resolve(then if self.holds(condition) else otherwise)
            case "Fn::Join":
                separator, parts = self.resolve(argument)
                return separator.join(str(part) for part in parts)
            case "Fn::Split":
                separator, text = self.resolve(argument)
                return text.split(separator)
            case "Fn::Select":
                index, items = self.resolve(argument)
                return items[int(index)]
            case "Fn::FindInMap":
                mapping, row, column = self.resolve(argument)
                return self._mappings[mapping][row][column]
            case _:
                raise TemplateError(f"the function {function} is not supported")

    def _look_up(self, name: str) -> Any:
        if name == _NO_VALUE_NAME:
            return _NO_VALUE
        if name not in self._symbols:
            raise TemplateError(f"the name {name} is unknown")
        return self._symbols[name]

    def _substitute(self, text: str, own: Mapping[str, Any]) -> str:
        def replace(match: re.Match[str]) -> str:
            is_literal, name = match.groups()
            if is_literal:
                return f"${{{name}}}"
            return str(own[name] if name in own else self._look_up(name))

        return _PLACEHOLDER.sub(replace, text)

    def _test(self, expression: Mapping[str, Any]) -> bool:
        ((function, argument),) = expression.items()
        match function:
            case "Condition":
                return self.holds(argument)
            case "Fn::Equals":
                left, right = self.resolve(argument)
                return str(left) == str(right)
            case "Fn::Not":
                return not self._test(argument[0])
            case "Fn::And":
                return all(self._test(each) for each in argument)
            case "Fn::Or":
                return any(self._test(each) for each in argument)
            case _:
                raise TemplateError(f"the condition function {function} is not supported")
