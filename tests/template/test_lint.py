"""cfn-lint accepts the translated template, with the definition of the state machine in it.

`sam validate --lint` checks the template as it is written.
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
