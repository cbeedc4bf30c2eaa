"""Files that cannot be read: every reason has a code and a sentence in English and Italian that says how to mend it."""

from __future__ import annotations

from typing import Any

# {where} is a sheet, cell or line; {n} and {most} are numbers.
SENTENCES: dict[str, tuple[str, str]] = {
    "file_too_large": (
        "The file has {n:,} bytes and at most {most:,} are taken. Split it into several files.",
        "Il file ha {n:,} byte e se ne accettano al massimo {most:,}. Dividerlo in più file.",
    ),
    "empty_file": (
        "The file is empty. Check that it was saved, and send it again.",
        "Il file è vuoto. Controllare che sia stato salvato e inviarlo di nuovo.",
    ),
    "no_rows": (
        "{where} has a header and no rows under it. Fill in at least one row.",
        "{where} ha un'intestazione ma nessuna riga sotto. Compilare almeno una riga.",
    ),
    "encrypted": (
        "The file is encrypted: it opens only with a password. Save it without a password and send it again.",
        "Il file è cifrato (encrypted): si apre solo con una password. Salvarlo senza password e inviarlo di nuovo.",
    ),
    "truncated": (
        "The end of the file is missing: it was cut off on its way. Save it again and send the whole file.",
        "Manca la fine del file: è stato troncato durante il trasferimento. Salvarlo di nuovo e inviare il file "
        "intero.",
    ),
    "corrupt": (
        "The file is damaged and cannot be read ({detail}). Open it in a spreadsheet program, save it under a new "
        "name as XLSX and send that.",
        "Il file è danneggiato e non si può leggere ({detail}). Aprirlo con un foglio di calcolo, salvarlo con un "
        "nuovo nome come XLSX e inviare quello.",
    ),
    "not_a_spreadsheet": (
        "The file is not a spreadsheet but {detail}. Send XLSX, XLSM, XLS, XLSB, ODS or CSV.",
        "Il file non è un foglio di calcolo ma {detail}. Inviare XLSX, XLSM, XLS, XLSB, ODS o CSV.",
    ),
    "too_many_parts": (
        "The workbook has {n:,} parts and at most {most:,} are taken. Copy the table into a new workbook.",
        "La cartella di lavoro ha {n:,} parti e se ne accettano al massimo {most:,}. Copiare la tabella in una nuova "
        "cartella.",
    ),
    "unpacks_too_large": (
        "The workbook unpacks to {n:,} bytes and at most {most:,} are taken. Copy the table into a new workbook, or "
        "split it.",
        "La cartella di lavoro decompressa occupa {n:,} byte e se ne accettano al massimo {most:,}. Copiare la "
        "tabella in una nuova cartella, o dividerla.",
    ),
    "packed_too_tightly": (
        "The part {where} of the workbook is packed 1 to {n:,}, and at most 1 to {most:,} is taken: it holds almost "
        "nothing but blanks. Copy the table into a new workbook.",
        "La parte {where} della cartella di lavoro è compressa 1 a {n:,}, e si accetta al massimo 1 a {most:,}: "
        "contiene quasi solo spazi vuoti. Copiare la tabella in una nuova cartella.",
    ),
    "has_entities": (
        "The part {where} of the workbook declares entities, which no spreadsheet program does. Save it again as XLSX.",
        "La parte {where} della cartella di lavoro dichiara entità, cosa che nessun foglio di calcolo fa. Salvarla "
        "di nuovo come XLSX.",
    ),
    "too_many_rows": (
        "{where} has more than {most:,} rows. Split it into several files.",
        "{where} ha più di {most:,} righe. Dividere il file in più file.",
    ),
    "too_many_columns": (
        "The cell {where} lies beyond the {most:,} columns that are taken. Delete what stands out there, or split "
        "the table.",
        "La cella {where} è oltre le {most:,} colonne ammesse. Cancellare ciò che si trova là, o dividere la tabella.",
    ),
    "too_many_cells": (
        "The table has more than {most:,} cells. Split it into several files.",
        "La tabella ha più di {most:,} celle. Dividerla in più file.",
    ),
    "far_cell": (
        "The cell {where} stands far from the table, after {n:,} blank rows. Delete everything under the table and "
        "save again.",
        "La cella {where} è lontana dalla tabella, dopo {n:,} righe vuote. Cancellare tutto ciò che è sotto la "
        "tabella e salvare di nuovo.",
    ),
    "cell_too_long": (
        "The cell {where} has more than {most:,} characters. Shorten it; in a CSV file, look for a quote that is "
        "never closed.",
        "La cella {where} ha più di {most:,} caratteri. Accorciarla; in un file CSV, cercare delle virgolette mai "
        "chiuse.",
    ),
    "quote_not_closed": (
        "A quote that opens in line {where} is never closed, so the rest of the file would be one cell. Close it, or "
        "double it if it belongs to the text.",
        "Delle virgolette aperte alla riga {where} non vengono mai chiuse, quindi il resto del file sarebbe una sola "
        "cella. Chiuderle, o raddoppiarle se fanno parte del testo.",
    ),
    "wrong_encoding": (
        "The file is not {detail} text ({where}). Save it as CSV UTF-8.",
        "Il file non è testo {detail} ({where}). Salvarlo come CSV UTF-8.",
    ),
    "no_header": (
        "No row looks like a header of this kind of list. At least these columns are needed: {detail}. Take the "
        "template and paste your rows under its header.",
        "Nessuna riga sembra l'intestazione di questo tipo di elenco. Servono almeno queste colonne: {detail}. "
        "Prendere il modello e incollare le righe sotto la sua intestazione.",
    ),
    "missing_columns": (
        "The header in {where} lacks: {detail}. Add the column, or give one value for all rows (--set).",
        "All'intestazione in {where} manca: {detail}. Aggiungere la colonna, o indicare un valore per tutte le righe "
        "(--set).",
    ),
    "missing_columns_of_list": (
        "The list has no header, so its first column is taken as codes; missing: {detail}. Give one value for all "
        "rows (--set), or add a header and the column.",
        "L'elenco non ha intestazione, quindi la prima colonna è letta come codici; manca: {detail}. Indicare un "
        "valore per tutte le righe (--set), o aggiungere un'intestazione e la colonna.",
    ),
    "two_columns": (
        "Two columns are headed as {detail}: {where}. Rename or delete one of them.",
        "Due colonne hanno l'intestazione {detail}: {where}. Rinominarne o eliminarne una.",
    ),
    "two_headers": (
        "Two rows look like the header: {where}. Keep one of them; send two tables as two files.",
        "Due righe sembrano l'intestazione: {where}. Tenerne una; inviare due tabelle come due file.",
    ),
    "two_sheets": (
        "Two sheets have a header that fits: {where}. Keep one of them in the file, or send two files.",
        "Due fogli hanno un'intestazione adatta: {where}. Tenerne uno nel file, o inviare due file.",
    ),
    "no_sheets": (
        "The workbook has no visible sheet with cells. Show the sheet that holds the table.",
        "La cartella di lavoro non ha fogli visibili con celle. Rendere visibile il foglio con la tabella.",
    ),
    "merged_cells": (
        "The cells {where} in the table are merged, so it cannot be known which rows they belong to. Unmerge them "
        "and fill in each cell.",
        "Le celle {where} nella tabella sono unite, quindi non si sa a quali righe appartengono. Dividerle e "
        "compilare ogni cella.",
    ),
    "wrong_string_index": (
        "The cell {where} points to a text that the workbook does not hold. Open the file in a spreadsheet program "
        "and save it again as XLSX.",
        "La cella {where} rimanda a un testo che la cartella di lavoro non contiene. Aprire il file con un foglio di "
        "calcolo e salvarlo di nuovo come XLSX.",
    ),
}


class UnreadableFile(Exception):
    """A file that cannot be read, with the sentence that its sender gets."""

    def __init__(self, code: str, en: str, it: str) -> None:
        super().__init__(en)
        self.code, self.en, self.it = code, en, it


def refusal(code: str, it: dict[str, Any] | None = None, **detail: Any) -> UnreadableFile:
    """The refusal of a file; ``it`` holds those details that read otherwise in Italian."""
    english, italian = SENTENCES[code]
    return UnreadableFile(code, english.format(**detail), italian.format(**(detail | (it or {}))))
