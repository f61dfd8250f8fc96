"""Which service answers which address; the gateway repeats this table and a test compares the two."""

PREFIXES: dict[str, tuple[str, ...]] = {
    "intake": ("/", "/q/", "/console/", "/account/", "/api/intake/", "/static/"),
    "assessment": ("/rubric/", "/api/assessment/"),
    "recommendation": ("/reviews/", "/d/", "/api/recommendation/"),
}


def service_for(path: str) -> str:
    """The service with the longest prefix of the path; a folder's address counts with and without its slash."""
    rooted = path if path.endswith("/") else f"{path}/"
    owners = {prefix: service for service, prefixes in PREFIXES.items() for prefix in prefixes}
    return owners[max((prefix for prefix in owners if rooted.startswith(prefix)), key=len)]
