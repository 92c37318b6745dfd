"""What an import took, what it did not, and why; every row of the files is in one of the two."""

from collections import Counter
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class RowNote:
    """A sentence about one row: why it was refused, or what was odd in one that was taken. `row` counts from 1."""

    file: str
    row: int
    reason: str


@dataclass
class ImportReport:
    """`rows` = `rows_accepted` + `rows_refused`; `entries` is what the server holds of them."""

    patients: int = 0
    entries: int = 0
    rows_by_file: Counter[str] = field(default_factory=Counter)
    refusals: list[RowNote] = field(default_factory=list)
    remarks: list[RowNote] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return self.rows_by_file.total()

    @property
    def rows_refused(self) -> int:
        return len(self.refusals)

    @property
    def rows_accepted(self) -> int:
        return self.rows - self.rows_refused

    def show(self, screen: Console) -> None:
        refused = Counter(note.file for note in self.refusals)
        table = Table(title=f"{self.patients} patients, {self.entries} diary entries")
        for heading in ("file", "rows", "taken", "refused"):
            table.add_column(heading, justify="left" if heading == "file" else "right")
        for file, rows in self.rows_by_file.items():
            table.add_row(file, str(rows), str(rows - refused[file]), str(refused[file]))
        table.add_row("all", str(self.rows), str(self.rows_accepted), str(self.rows_refused), style="bold")
        screen.print(table)
        for title, notes in (("Refused, because", self.refusals), ("Taken, but", self.remarks)):
            if notes:
                screen.print(f"[bold]{title}[/bold]")
            for (file, reason), count in Counter((note.file, note.reason) for note in notes).most_common():
                screen.print(f"  {count:5} of {file}: {reason}")
