"""The API keys of the stack: those of its usage plan in moto's API Gateway.

So adding a key to the plan or disabling one takes effect while the cloud runs.
"""

import hmac

from moto.apigateway.models import ApiKey, UsagePlan, apigateway_backends

from local.emulator.settings import ACCOUNT, REGION
from local.emulator.template import Template


class ApiKeys:
    """The API keys of the stack.

    Parameters
    ----------
    template
        Its key and usage plan are created; their ids are their logical ids.
    value
        The value of that key. It may be shorter than API Gateway allows, which moto would refuse.

    Raises
    ------
    ValueError
        If the template does not have exactly one key and one plan.
    """

    def __init__(self, template: Template, value: str) -> None:
        [key] = template.resources("AWS::ApiGateway::ApiKey")
        [plan] = template.resources("AWS::ApiGateway::UsagePlan")
        self._plan_id = plan.logical_id
        self._backend = apigateway_backends[ACCOUNT][REGION]
        self._backend.keys[key.logical_id] = ApiKey(
            key.logical_id, name=key.logical_id, enabled=True, value=value
        )
        self._backend.usage_plans[self._plan_id] = UsagePlan(self._plan_id, name=self._plan_id)
        self._backend.create_usage_plan_key(
            self._plan_id, {"keyId": key.logical_id, "keyType": "API_KEY"}
        )

    def id_of(self, value: str) -> str | None:
        """Return the id of the key with this value if it is enabled and in the plan."""
        for member in self._backend.get_usage_plan_keys(self._plan_id):
            key = self._backend.keys.get(member.id)
            if key is None or not key.enabled:
                continue
            if hmac.compare_digest(key.value.encode(), value.encode()):
                return str(key.id)
        return None
