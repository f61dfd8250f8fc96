"""The decisions on a case, and what became of them."""

from uuid import UUID

from services.recommendation.domain.review import Review, Reviewer, Sequel
from shared.postgres import Connection


async def record(connection: Connection, intake_id: UUID, review: Review) -> None:
    """Keep a decision."""
    await connection.execute(
        """
        insert into review (intake_id, version, revision, decision, reviewer, reviewer_name, model,
            commercial_form, reason_code, note, at, needs_second)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        """,
        intake_id,
        review.version,
        review.revision,
        review.decision,
        review.by.id,
        review.by.name,
        review.model,
        review.commercial_form,
        review.reason_code,
        review.note,
        review.at,
        review.needs_second,
    )


async def record_sequel(connection: Connection, intake_id: UUID, sequel: Sequel) -> None:
    """Keep what became of a decision."""
    await connection.execute(
        """
        insert into review_sequel (intake_id, review_version, version, kind, by, by_name, note, at)
        values ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        intake_id,
        sequel.review,
        sequel.version,
        sequel.kind,
        sequel.by.id,
        sequel.by.name,
        sequel.note,
        sequel.at,
    )


async def of_case(connection: Connection, intake_id: UUID, version: int) -> tuple[Review, ...]:
    """The decisions up to a version of the case, last one first, each with what became of it by then."""
    sequels = await connection.fetch(
        "select * from review_sequel where intake_id = $1 and version <= $2 order by version", intake_id, version
    )
    rows = await connection.fetch(
        "select * from review where intake_id = $1 and version <= $2 order by version desc", intake_id, version
    )
    return tuple(
        Review(
            version=row["version"],
            revision=row["revision"],
            decision=row["decision"],
            by=Reviewer(row["reviewer"], row["reviewer_name"]),
            model=row["model"],
            commercial_form=row["commercial_form"],
            reason_code=row["reason_code"],
            note=row["note"],
            at=row["at"],
            needs_second=row["needs_second"],
            sequels=tuple(
                Sequel(
                    review=one["review_version"],
                    version=one["version"],
                    kind=one["kind"],
                    by=Reviewer(one["by"], one["by_name"]),
                    note=one["note"],
                    at=one["at"],
                )
                for one in sequels
                if one["review_version"] == row["version"]
            ),
        )
        for row in rows
    )
