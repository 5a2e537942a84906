"""Exact rand: two places, rounded half-up, never a float (spec §7)."""

from decimal import ROUND_HALF_UP, Decimal

from django.db.models import BigIntegerField, DecimalField, Expression, ExpressionWrapper, F, Func

CENT = Decimal("0.01")


def rand(value: Decimal | int | str) -> Decimal:
    """The amount at two places, rounded half-up."""
    return Decimal(value).quantize(CENT, rounding=ROUND_HALF_UP)


class Cents(Func):
    """A money column as whole cents.

    SQLite keeps decimals as REAL, so 0.07 + 0.52 <> 0.59 there; whole cents compare and add up exactly
    on both databases.
    """

    arity = 1
    output_field = BigIntegerField()
    template = "CAST(ROUND(%(expressions)s * 100) AS BIGINT)"

    def as_sqlite(self, compiler, connection, **context):  # type: ignore[no-untyped-def]
        return self.as_sql(
            compiler, connection, template="CAST(ROUND(%(expressions)s * 100) AS INTEGER)", **context
        )


def cents(column: str) -> Expression:
    """Whole cents of a decimal column, for sums and checks."""
    return Cents(ExpressionWrapper(F(column), output_field=DecimalField(max_digits=12, decimal_places=2)))
