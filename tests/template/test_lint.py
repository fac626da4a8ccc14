"""The template as cfn-lint judges it once it is translated, with the state machine within it.

`sam validate --lint` judges it as written.
"""

import copy
import json

import pytest

from local.emulator.template import Template
from tests.template.translation import definition


@pytest.mark.exhaustive
def test_the_translated_template(template: Template) -> None:
    from cfnlint.api import lint  # slow, and `make test` does not need it

    document = copy.deepcopy(dict(template.document))
    document["Transform"] = "AWS::LanguageExtensions"  # allows functions as the argument of Ref
    machine = document["Resources"]["ReportStateMachine"]["Properties"]
    # The rules for state machines look at definitions, not at files.
    del machine["DefinitionS3Location"]
    machine["DefinitionString"] = json.dumps(definition(template))
    complaints = lint(json.dumps(document), regions=["us-east-1"])
    assert [str(complaint) for complaint in complaints] == []
