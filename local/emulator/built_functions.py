"""The functions that `sam build` made."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.emulator.settings import ACCOUNT, REGION, STACK_NAME
from local.emulator.template import Stack, Template


@dataclass(frozen=True, slots=True)
class BuiltFunction:
    """A function's folders and settings.

    Attributes
    ----------
    logical_id : str
        Its name in the template.
    handler : str
        Its module and function, as ``module.function``.
    code : Path
        The content of /var/task.
    layers : tuple of Path
        The content of /opt.
    variables : mapping
        Its environment.
    """

    logical_id: str
    handler: str
    code: Path
    layers: tuple[Path, ...]
    variables: Mapping[str, str]


def built_functions(folder: Path) -> list[BuiltFunction]:
    """List the functions of a build folder, from the template that `sam build` wrote there."""
    stack = Stack(STACK_NAME, REGION, ACCOUNT)
    template = Template(folder / "template.yaml", stack, {})
    layers = {
        layer.logical_id: template.local_path(layer.properties["Content"])
        for layer in template.resources("AWS::Lambda::LayerVersion")
    }
    return [
        BuiltFunction(
            function.logical_id,
            function.properties["Handler"],
            template.local_path(function.properties["Code"]),
            tuple(layers[layer] for layer in function.properties.get("Layers", ())),
            {
                name: str(value)
                for name, value in function.properties["Environment"]["Variables"].items()
            },
        )
        for function in template.resources("AWS::Lambda::Function")
    ]
