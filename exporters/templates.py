"""Empty files for a batch kind, to be filled in and sent as they are: XLSX with notes and drop-downs, or CSV.

The example stands on a second sheet, one line a column, where no reader takes it for rows to work on.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Literal

from openpyxl import Workbook
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from exporters.delimited import BOM, written
from licensing.fields import Field, Language

TemplateFormat = Literal["xlsx", "csv"]

_SHEETS: dict[Language, tuple[str, str]] = {"en": ("Rows", "Guide"), "it": ("Righe", "Guida")}
_GUIDE: dict[Language, tuple[str, ...]] = {
    "en": ("Column of the sheet", "Must be filled in", "What it holds", "For example", "One of these"),
    "it": ("Colonna del foglio", "Da compilare", "Che cosa contiene", "Per esempio", "Uno di questi"),
}
_REQUIRED: dict[Language, tuple[str, str]] = {"en": ("yes", "no"), "it": ("sì", "no")}
_MARK: dict[Language, str] = {"en": "Required.", "it": "Obbligatorio."}
_NOT_LISTED: dict[Language, tuple[str, str]] = {
    "en": ("Not in the list", "Choose one of the values of the list."),
    "it": ("Non in elenco", "Scegliere uno dei valori dell'elenco."),
}
_SEPARATOR: dict[Language, str] = {"en": ",", "it": ";"}  # what Excel of that language takes for one
_FORMATS = {"date": "yyyy-mm-dd", "integer": "0", "decimal": "General"}  # all others: text
_LAST_ROW = 1_048_576
_FONT = "Calibri"  # a font without a name looks like another one than the cells below it
_REQUIRED_FILL = PatternFill("solid", fgColor="FFFFE699")
_OPTIONAL_FILL = PatternFill("solid", fgColor="FFE8EEF4")


def template(
    fields: Sequence[Field], kind_name: str, language: Language, file_format: TemplateFormat = "xlsx"
) -> bytes:
    """The template of a kind's columns in a language."""
    if file_format == "csv":
        return BOM + written([[field.title[language] for field in fields]], _SEPARATOR[language])[0]
    workbook = Workbook()
    workbook.properties.title = kind_name
    workbook.properties.creator = "Keymill"
    sheet, guide = workbook.worksheets[0], workbook.create_sheet()
    sheet.title, guide.title = _SHEETS[language]
    for column, field in enumerate(fields, 1):
        _add_column(sheet, column, field, language)
    sheet.freeze_panes = "A2"
    _fill_guide(guide, fields, kind_name, language)
    data = io.BytesIO()
    workbook.save(data)
    return data.getvalue()


def _add_column(sheet: Worksheet, column: int, field: Field, language: Language) -> None:
    """A titled column: a note on its header, its format all the way down, a drop-down where the values are known."""
    letter = get_column_letter(column)
    header = sheet.cell(1, column, field.title[language])
    header.font = Font(_FONT, 11, bold=True)
    header.fill = _REQUIRED_FILL if field.required else _OPTIONAL_FILL
    header.number_format = "@"
    note = f"{_MARK[language]} {field.note[language]}" if field.required else field.note[language]
    header.comment = Comment(note, "Keymill", width=320, height=110)
    dimension = sheet.column_dimensions[letter]
    dimension.number_format = _FORMATS.get(field.type, "@")  # on the column, so it holds for cells not yet there
    dimension.width = max(len(field.title[language]) + 4, min(len(field.example) + 4, 40), 14)
    if values := _listed_values(field, language):
        title, text = _NOT_LISTED[language]
        validation = DataValidation("list", formula1=f'"{",".join(values)}"', allow_blank=True)
        validation.error, validation.errorTitle, validation.showErrorMessage = text, title, True
        validation.add(f"{letter}2:{letter}{_LAST_ROW}")
        sheet.add_data_validation(validation)


def _listed_values(field: Field, language: Language) -> tuple[str, ...]:
    """What a drop-down offers: choices, or yes and no. A list inside the cell's rule holds 255 characters."""
    values = _REQUIRED[language] if field.type == "flag" else field.choices if field.type == "choice" else ()
    return values if len(",".join(values)) <= 255 and not any("," in value for value in values) else ()


def _fill_guide(guide: Worksheet, fields: Sequence[Field], kind_name: str, language: Language) -> None:
    guide.append([kind_name])
    guide.append(list(_GUIDE[language]))
    for column, field in enumerate(fields, 1):
        required = _REQUIRED[language][0 if field.required else 1]
        # The letter before the title keeps a reader from taking this line for a header.
        title = f"{get_column_letter(column)}: {field.title[language]}"
        guide.append([title, required, field.note[language], field.example, ", ".join(_listed_values(field, language))])
    for number, row in enumerate(guide.iter_rows(), 1):
        for cell in row:
            cell.number_format = "@"
            cell.data_type = "s" if cell.value is not None else cell.data_type
            cell.alignment = Alignment(vertical="top", wrap_text=True)
            cell.font = Font(_FONT, 11, bold=number <= 2)
    for letter, width in zip("ABCDE", (28, 14, 60, 34, 34), strict=True):
        guide.column_dimensions[letter].width = width
    guide.freeze_panes = "A3"
