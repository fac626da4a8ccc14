"""The API keys of the stack: those of its usage plan in moto's API Gateway.

So keys that are added to the plan, or disabled, while the cloud runs open the API, or no longer do.
"""

import hmac

from moto.apigateway.models import ApiKey, UsagePlan, apigateway_backends

from local.emulator.settings import ACCOUNT, REGION
from local.emulator.template import Template


class ApiKeys:
    """The keys that open the API.

    Parameters
    ----------
    template
        Its key and its usage plan are made, with their logical ids for ids.
    value
        The value of that key. It may be shorter than API Gateway's, which moto would refuse.

    Raises
    ------
    ValueError
        If the template has not one key and one plan.
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
        """Return the id of the key of this value, if it is enabled and in the plan."""
        for member in self._backend.get_usage_plan_keys(self._plan_id):
            key = self._backend.keys.get(member.id)
            if key is None or not key.enabled:
                continue
            if hmac.compare_digest(key.value.encode(), value.encode()):
                return str(key.id)
        return None
