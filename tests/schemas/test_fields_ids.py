"""Do ids of bodies and events name something?"""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from pydantic import TypeAdapter, ValidationError

from schemas.fields import GivenId, Id
from services.points.holds.commands import HoldBody, RedeemBody
from services.points.returns.commands import ReturnBody

NIL = UUID(int=0)


@pytest.mark.parametrize("kind", [Id, GivenId])
@pytest.mark.parametrize("nil", [NIL, str(NIL)])
def test_the_nil_uuid_is_no_id(kind: object, nil: object) -> None:
    with pytest.raises(ValidationError, match="must not be the nil UUID"):
        TypeAdapter(kind).validate_python(nil)
    TypeAdapter(kind).validate_python(uuid4())


@pytest.mark.parametrize("body", [HoldBody, RedeemBody, ReturnBody])
def test_a_command_names_somebody(body: type) -> None:
    with pytest.raises(ValidationError) as refused:
        body(profile_id=NIL)
    said = {error["loc"]: error["msg"] for error in refused.value.errors()}
    assert said[("profile_id",)] == "must not be the nil UUID"
