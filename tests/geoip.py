"""Writes GeoIP2 databases of a few documentation networks."""

from mmdb_writer import MMDBWriter
from netaddr import IPSet

BOXFORD = {
    "city": {"names": {"en": "Boxford"}},
    "country": {"iso_code": "GB", "names": {"en": "United Kingdom"}},
}
CHILE = {"country": {"iso_code": "CL", "names": {"en": "Chile"}}}


def write_database(folder, kind="GeoLite2-City"):
    """Write a database in which 203.0.113.0/24 is in Boxford; return its path."""
    writer = MMDBWriter(6, kind, ipv4_compatible=True)
    writer.insert_network(IPSet(["203.0.113.0/24"]), BOXFORD)
    writer.insert_network(IPSet(["2001:db8:1::/48"]), BOXFORD)
    writer.insert_network(IPSet(["198.51.100.0/24"]), CHILE)
    path = folder / f"{kind}.mmdb"
    writer.to_db_file(str(path))
    return path
