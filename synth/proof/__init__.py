"""References and contracts that netlists are proved against."""
