"""`advisor audit`: whether what was noted of who did what is still all there."""

from typing import Annotated

from cyclopts import App, Parameter

from services.laptop import PACKAGES
from services.running import CannotRun, ServiceName
from services.terminal import Data, connected, run, say, settings_of
from shared import audit
from shared.service import Settings

Heads = Annotated[list[str], Parameter(name="--head", negative=())]

app = App(name="audit", help="Who did what when, in a chain that shows when it is tampered with.")


@app.command
def verify(*, service: ServiceName | None = None, head: Heads | None = None, data: Data = None) -> None:
    """Check every row of each service's chain and print its head; 1 and the first broken row where one is broken.

    Parameters
    ----------
    service
        Only the chain of this service.
    head
        A head that was printed earlier and kept elsewhere: shows whether rows at the end are gone, or all of it was
        written anew. Give it once for each chain.
    """

    async def verifying(settings: Settings) -> None:
        missing, broken = set(head or ()), []
        for name in [service] if service else PACKAGES:
            async with connected(settings, name) as database, database.connection() as connection:
                chain = await audit.verify(connection, name, head or ())
            missing &= chain.missing
            if chain.broken:
                broken.append(f"{name}: {chain.broken}.")
            else:
                say(f"{name}  {chain.rows} rows  {chain.head if chain.rows else 'nothing yet'}")
        if broken:
            raise CannotRun(" ".join(broken))
        if missing:
            raise CannotRun(f"No row has the hash {', '.join(sorted(missing))}: rows are gone, or were written anew.")

    run(verifying(settings_of(data)))
