"""Who may use the console."""

from typing import Annotated

from fastapi import Depends

from shared.access import Principal, requires

Sales = Annotated[Principal, Depends(requires("sales", "account_manager"))]
