"""A cloud with machines and load balancers: everything that lives in the enclosure, put together."""

from __future__ import annotations

from . import enclosure, region, server
from .alb.checks import Checks
from .alb.entrances import Entrances
from .control import Control
from .front import Front
from .machines.hosting import Hosting, storage
from .machines.identity import Signer
from .machines.metadata import Metadata
from .machines.remote import RemoteCommands


def assemble(rootfs: str, shared: list[str]) -> Front:
    """Makes a cloud in the enclosure that this process is in, and sets it going."""
    place = storage()
    hosting = Hosting(place, rootfs, shared)
    cloud, sight = region.assemble(hosting)
    hosting.cloud = cloud
    entrances = Entrances(cloud, hosting, place / "entrances")
    hosting.nodes = entrances.members
    control = Control(cloud, hosting, entrances)
    signer = Signer()
    control.identity = signer.describe
    Metadata(cloud, hosting, signer).serve()
    RemoteCommands(hosting)
    hosting.guard()
    entrances.keep_up()
    region.keep_moving(cloud, Checks(cloud, entrances.source, entrances.address_of).begin)
    front = Front(cloud, control, sight)
    # Machines and the internet reach the API here, the tests outside by the socket that was opened there.
    server.serve(front, enclosure.listen(enclosure.INSIDE_ADDRESS, enclosure.INSIDE_PORT))
    return front
